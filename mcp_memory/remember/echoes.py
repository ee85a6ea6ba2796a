"""Recital: reading back the lines that this server printed, so that what is handed back confirms what is known."""

import re
from typing import NamedTuple

from mcp_memory.domain.model import KINDS, Item, ItemId
from mcp_memory.language.sentences import sentences
from mcp_memory.privacy.provenance import INSTRUCTS, SHORTEST
from mcp_memory.privacy.sanitizing import line as one_line

_ID = r"#(?P<id>[0-9a-v]{13})"
_MARKS = r"[ \t]*(?:[-*•>][ \t]+)*"
_RECALLED = re.compile(
    rf"{_MARKS}{_ID} \d{{4}}-\d\d-\d\d \([^()]*\) (?:{'|'.join(KINDS)})(?: pinned)?(?: \[.*?\])?: (?P<text>.*\S.*)"
)
_WAS = re.compile(rf"{_MARKS}was: (?P<text>.*\S) \((?:until|said) \d{{4}}-\d\d-\d\d, {_ID}\)")
_TOPIC = re.compile(
    rf"{_MARKS}(?:topic \S.{{0,200}}? \((?:digest of )?[\d,]+ memor(?:y|ies)[^()]*\): "
    r"|\S.{0,200}? \([^()]+\): [\d,]+ memor(?:y|ies)[^;]*\((?:fresh|stale)[^()]*\);(?: keywords: [^;]*;)? )"
)
"""Matches a topic's line."""
_CITED = re.compile(rf"(?P<text>\S.*?) \({_ID}(?:, \d{{4}}-\d\d-\d\d)?(?:, {INSTRUCTS})?\)(?: · |\s*$)")
"""Matches a sentence of a digest with its citation."""
_COVERS = re.compile(r"^[ \t]*\(covers [\d,]+ memor(?:y|ies): #.*\)[ \t]*$", re.MULTILINE)
"""Matches the last line of a submitted digest, whose sentences belong to no one memory."""
_OF_DIGEST = re.compile(r"[ \t]*- (?P<text>\S.*)")
_AROUND = re.compile(
    r"[ \t>]*(?:</?memories>|was: |(?:source|before|after|asked|origin) #[0-9a-v]{13}: |also #[0-9a-v]{13}|cut: "
    r"|\d+ more (?:is|are) remembered: |\d+ more: (?:recall again|mcp-memory recall) |Found by words alone: |```"
    r"|Not in this digest: \d+ more|[\d,]+ memor(?:y has|ies have) come since; (?:mcp-memory )?summarize"
    r"|The kept digest of .* is stale: |\(holds instructions: )"
)
"""Matches what may stand between such lines."""


class Echo(NamedTuple):
    """A memory read back as the server printed it."""

    id: ItemId | None  # None for a submitted digest
    text: str  # With its citation


def parse_echoes(text: str) -> list[Echo]:
    """The memories of a text that is nothing but what this server prints, whole or in part; none for any other text.

    The lines of recall with their fence and `source`, those of a digest, of a topic, and a `was` that stands alone;
    list marks in front may be there or not. No memory is repeated; a submitted digest counts by its sentences.

    >>> parse_echoes("- #06p7v2q0000ab 2026-11-21 (just now) fact [infra]: The port is 9090.")
    [Echo(id='06p7v2q0000ab', text='The port is 9090.')]
    >>> parse_echoes("- The port is 9090. (#06p7v2q0000ab, 2026-11-21)")
    [Echo(id='06p7v2q0000ab', text='The port is 9090. (#06p7v2q0000ab, 2026-11-21)')]
    """
    found: list[Echo] = []
    former: list[Echo] = []
    handed_in = _COVERS.search(text) is not None
    for line in text.splitlines():
        if said := _RECALLED.fullmatch(line):
            found.append(Echo(ItemId(said["id"]), said["text"].strip()))
        elif said := _WAS.fullmatch(line):
            former.append(Echo(ItemId(said["id"]), said["text"].strip()))
        elif cited := _sentences(line):
            found += cited
        elif handed_in and (said := _OF_DIGEST.fullmatch(line)):
            found.append(Echo(None, said["text"].strip()))
        elif line.strip() and not _AROUND.match(line) and not _TOPIC.match(line) and not _COVERS.match(line):
            return []
    return list({one.id or one.text: one for one in reversed(found or former)}.values())[::-1]


def _sentences(line: str) -> list[Echo]:
    """Return the cited sentences of a digest's or topic's line; none where the line holds anything else."""
    topic = _TOPIC.match(line)
    rest = line[topic.end() :] if topic else re.sub(f"^{_MARKS}", "", line)
    found: list[Echo] = []
    at = 0
    while said := _CITED.match(rest, at):  # a search would begin at every character of a line that cites nothing
        found.append(Echo(ItemId(said["id"]), said[0].removesuffix(" · ").strip()))
        at = said.end()
    return found if at == len(rest) else []


def quotes(item: Item, text: str) -> bool:
    """Return whether a printed text is this item's: whole, one of its sentences, or shortened to a budget."""
    printed, whole = one_line(text), one_line(item.spoken)
    parts = [whole]
    cited = _CITED.fullmatch(printed)
    if cited is not None and cited["id"] == item.id:
        printed = cited["text"]
        spans = sentences(item.spoken)
        quoted = [one_line(item.spoken[span.start : span.end]) for span in spans]
        if printed in quoted or printed.endswith(tuple(f" -> {sentence}" for sentence in (whole, *quoted))):
            return True
        parts += [one_line(item.spoken[span.start :]) for span in spans]
    cut = printed.removesuffix("…").rstrip()
    return printed == whole or (len(printed) >= SHORTEST and any(part.startswith(cut) for part in parts))
