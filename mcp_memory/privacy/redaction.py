"""Redaction: secrets and passages marked as private are taken out of a call's texts before anything is made of them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.domain.results import Withheld
from mcp_memory.errors import InvalidInput
from mcp_memory.privacy.policy import Policy
from mcp_memory.privacy.secret_patterns import find_secrets

_TAG = re.compile(
    r"(?:[<＜]|\\u003c|&lt;)[ \t]*(?P<close>\\?/?)[ \t]*private(?:\s[^<>＜＞]{0,200}?)?[ \t]*(?P<empty>/?)(?:[>＞]|\\u003e|&gt;)",
    re.IGNORECASE,
)
"""Also as JSON and HTML escape it: some programs write a tool's arguments that way."""


class Redactor:
    """Redacts the texts of one call and counts what it takes out. Not thread-safe."""

    def __init__(self, secrets: Policy) -> None:
        self._policy = secrets
        self._secrets: Counter[str] = Counter()
        self._private = 0
        self._unpaired = False
        self._entries: tuple[int, ...] = ()

    @property
    def withheld(self) -> Withheld:
        return Withheld(dict(self._secrets), self._private, self._unpaired, self._entries)

    def text(self, text: str, name: str = "content") -> str:
        """Return the text without its private parts, and with a mask that names the sort in place of each secret.

        Secrets of a sort have the same mask: a repeated text stays a repetition, and the mask gives nothing away.
        Raises InvalidInput naming the sort and the argument, `name`, where secrets are refused.

        >>> Redactor("mask").text("The token is ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8.")
        'The token is [secret: GitHub token].'
        """
        return self._masked(self._public([text])[0], name)

    def optional(self, text: str | None, name: str) -> str | None:
        """Redact a text that may be absent; None where nothing is left."""
        if text is None or not text.strip():
            return text
        clean = self.text(text, name)
        return clean if clean.strip() else None

    def texts(self, texts: Sequence[str], name: str) -> tuple[str, ...]:
        """Redact each text; drop those left empty."""
        return tuple(clean for text in texts if (clean := self.text(text, name)).strip())

    def entry_or_none(self, entry: Entry, number: int, name: str) -> Entry | None:
        """Redact one of several entries; None, and its number counted, where it was private as a whole."""
        clean = self.entry(entry, name)
        if clean.content.strip() or not entry.content.strip():
            return clean
        self._entries += (number,)
        return None

    def entry(self, entry: Entry, name: str = "content") -> Entry:
        """Redact the content, tags, scope and source of an entry."""
        return replace(
            entry,
            content=self.text(entry.content, name),
            tags=self.texts(entry.tags, f"{name}: tags"),
            scope=self.optional(entry.scope, f"{name}: scope"),
            source=self.optional(entry.source, f"{name}: source"),
        )

    def turns(self, turns: Sequence[Turn]) -> list[Turn]:
        """Redact the turns of a conversation; what one opens as private another may close. Empty where all is private."""
        contents = self._public([turn.content for turn in turns])
        clean = [
            replace(
                turn,
                content=self._masked(content, f"turns[{number}].content"),
                speaker=self.optional(turn.speaker, f"turns[{number}].speaker"),
                caption=self.optional(turn.caption, f"turns[{number}].caption"),
                at=self.optional(turn.at, f"turns[{number}].at"),
            )
            for number, (turn, content) in enumerate(zip(turns, contents, strict=True))
        ]
        return clean if any(turn.content.strip() or turn.caption for turn in clean) or not self._private else []

    def summary(self) -> list[str]:
        """Return what was taken out, in a few words for the summary of an operation."""
        counts = [f"{number} {sort}" for sort, number in self._secrets.items()]
        counts += [f"{self._private} private"] if self._private else []
        return [f"not kept: {' and '.join(counts)}"] if counts else []

    def _masked(self, text: str, name: str) -> str:
        if self._policy == "keep":
            return text
        found = find_secrets(text)
        if found and self._policy == "refuse":
            sorts = ", ".join(dict.fromkeys(match.sort for match in found))
            raise InvalidInput(
                f"{name} holds what looks like a secret ({sorts}), and secrets are refused here. Nothing was kept: leave "
                "it out and send the rest again, or ask the user to start the server with --secrets mask or keep."
            )
        parts: list[str] = []
        at = 0
        for sort, (start, end) in found:
            parts += [text[at:start], f"[secret: {sort}]"]
            at = end
            self._secrets[sort] += 1
        return "".join([*parts, text[at:]])

    def _public(self, texts: Sequence[str]) -> list[str]:
        """Return the texts, read one after the other, without what is between the tags.

        A tag that none of them closes hides the rest of its own text; one that was not opened, the text before it.
        """
        cuts: list[list[tuple[int, int]]] = [[] for _ in texts]
        opened: list[tuple[int, int]] = []  # the outermost first
        for number, text in enumerate(texts):
            for tag in _TAG.finditer(text):
                if tag["empty"]:
                    cuts[number].append(tag.span())
                elif not tag["close"]:
                    opened.append((number, tag.start()))
                elif opened:
                    first, start = opened.pop()
                    if not opened:
                        for between in range(first, number):
                            cuts[between].append((start if between == first else 0, len(texts[between])))
                        cuts[number].append((start if number == first else 0, tag.end()))
                        self._private += 1
                else:
                    cuts[number].append((0, tag.end()))
                    self._private, self._unpaired = self._private + 1, True
        for number, start in opened[:1]:
            cuts[number].append((start, len(texts[number])))
            self._private, self._unpaired = self._private + 1, True
        return [_without(text, ranges) for text, ranges in zip(texts, cuts, strict=True)]


def _without(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """Return the text without some ranges, with one space where there was one on either side."""
    parts: list[str] = []
    at, last = 0, ""
    for start, end in sorted(ranges):
        if end > at:
            parts.append(text[at:start])
            last = parts[-1][-1:] or last
            at = end + (last in ("", " ") and text[end : end + 1] == " ")
    return "".join([*parts, text[at:]])
