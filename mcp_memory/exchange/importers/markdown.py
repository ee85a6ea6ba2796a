"""Markdown of notes and rules: front matter, headings, list items, and wiki links."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from mcp_memory.exchange.importers.parsed import Malformed, parse_tags, parse_time

MARKDOWN = (".md", ".markdown", ".mdc")
_FRONT = re.compile(r"---[ \t]*\n(?P<yaml>.*?)(?:^|\n)(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(?P<text>.*?)[ \t]*#*[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+]|[0-9]{1,9}[.)])[ \t]+(?P<text>\S.*)")
_LINK = re.compile(r"!?\[\[([^\[\]|]{1,300})(?:\|([^\[\]]{0,300}))?\]\]")


@dataclass(frozen=True, slots=True)
class Note:
    front: Mapping[str, Any]
    body: str

    def date(self, *names: str) -> str | None:
        """Return the first of the named fields that holds a date, in words that the intake parses."""
        for name in names:
            value = self.front.get(name)
            if isinstance(value, datetime | date):
                return value.isoformat()
            if isinstance(value, str | int) and not isinstance(value, bool):
                with suppress(Malformed):
                    if found := parse_time(str(value)):
                        return found
        return None

    def tags(self) -> tuple[str, ...]:
        """Return the tags of a list, a text with commas, or words with `#`."""
        value = self.front.get("tags") or self.front.get("tag")
        if isinstance(value, str) and "," not in value:
            value = value.split()
        try:
            return parse_tags(
                [str(tag).lstrip("#") for tag in cast("list[Any]", value)] if isinstance(value, list) else value
            )
        except Malformed:
            return ()

    def text(self, name: str) -> str | None:
        """Return a textual field of the front matter, on one line."""
        value = self.front.get(name)
        return " ".join(str(value).split()) or None if isinstance(value, str | int | float) else None


@dataclass(frozen=True, slots=True)
class Block:
    """A list item with its continuation, or a paragraph; code keeps its lines and stays with the text before it."""

    text: str
    heading: str  # What it stands under; empty at the beginning
    item: bool
    line: int  # From 1, in the body


def parse_note(text: str) -> Note:
    """Parse a note. Raises Malformed where the front matter is no YAML mapping."""
    found = _FRONT.match(text)
    if not found:
        return Note({}, text)
    from ruamel.yaml import YAML  # 17 ms, which no start of a server should wait for
    from ruamel.yaml.error import YAMLError

    try:
        load: Callable[[str], Any] = cast("Any", YAML(typ="safe", pure=True)).load
        value = load(found["yaml"])
    except (YAMLError, ValueError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        reason = f"line {mark.line + 2}: {problem}" if mark else str(error)[:100]
        raise Malformed(f"its front matter is no YAML ({reason}).") from None
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise Malformed("its front matter is no list of names with values.")
    return Note({str(name): said for name, said in cast("dict[Any, Any]", value).items()}, text[found.end() :])


def blocks(body: str) -> Iterator[Block]:
    """Yield the list items and paragraphs in order, without headings, rules and comments."""
    body_lines = _without_comments(body).split("\n")
    heading, fence = "", ""
    lines: list[str] = []
    start, item, indent = 1, False, 0

    def finished() -> Iterator[Block]:
        text = "\n".join(lines).strip()
        if text.strip("-*_= \n"):
            yield Block(text, heading, item, start)
        lines.clear()

    for number, line in enumerate(body_lines, start=1):
        marker = _FENCE.match(line)
        if fence or marker:
            if not lines:
                start, item = number, False
            lines.append(line)
            fence = _fence_after(fence, marker[1] if marker else "")
        elif found := _HEADING.fullmatch(line):
            yield from finished()
            heading, item = found["text"], False
        elif found := _ITEM.fullmatch(line):
            nested = item and bool(lines) and len(found["indent"].expandtabs(4)) > indent
            if nested:
                lines.append(line.expandtabs(4)[indent:].rstrip())
                continue
            yield from finished()
            start, item, indent = number, True, len(found["indent"].expandtabs(4))
            lines.append(found["text"])
        elif line.strip():
            if not lines:
                start, item = number, False
            lines.append(line.strip() if item else line)
        elif not _FENCE.match(body_lines[number] if number < len(body_lines) else ""):
            yield from finished()
    yield from finished()


def resolve_links(text: str) -> str:
    """Replace wiki links by the words they show."""
    return _LINK.sub(lambda found: found[2] or found[1].partition("#")[0] or found[1], text)


def link_targets(text: str) -> list[str]:
    return list(dict.fromkeys(name for found in _LINK.finditer(text) if (name := found[1].partition("#")[0].strip())))


def _fence_after(fence: str, marker: str) -> str:
    """Return the code fence that is open after a line that begins with `marker`."""
    if not fence:
        return marker
    return "" if marker.startswith(fence) else fence


def _without_comments(text: str) -> str:
    """Replace each comment by its line ends; an unclosed one stays."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        parts += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end + 3
    return "".join([*parts, text[at:]])
