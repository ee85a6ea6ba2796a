"""Guarding: what of a call's texts is not to be kept, secrets and what its writer marked as private, taken out first."""

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
"""Also as JSON and HTML escape it: some programs write what a tool was called with that way."""


class Redactor:
    """Reads the texts of one call and notes what it takes out of them. Not thread-safe."""

    def __init__(self, secrets: Policy) -> None:
        """`secrets` says what becomes of a secret: a mask in its place, nothing, or a refusal of the call."""
        self._policy = secrets
        self._secrets: Counter[str] = Counter()
        self._private = 0
        self._unpaired = False
        self._entries: tuple[int, ...] = ()

    @property
    def withheld(self) -> Withheld:
        """What was taken out so far."""
        return Withheld(dict(self._secrets), self._private, self._unpaired, self._entries)

    def text(self, text: str, name: str = "content") -> str:
        """The text without its private parts, and with each secret behind a mask that says of what sort it is.

        A mask is the same for every secret of a sort: a repeated text stays a repetition, and nothing can be read
        back from it. Raises InvalidInput naming the sort and the argument, where secrets are to be refused.

        >>> Redactor("mask").text("The token is ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8.")
        'The token is [secret: GitHub token].'
        """
        return self._masked(self._public([text])[0], name)

    def optional(self, text: str | None, name: str) -> str | None:
        """The same of what may not be given; None where nothing is left."""
        if text is None or not text.strip():
            return text
        clean = self.text(text, name)
        return clean if clean.strip() else None

    def texts(self, texts: Sequence[str], name: str) -> tuple[str, ...]:
        """The same of each that is not empty then."""
        return tuple(clean for text in texts if (clean := self.text(text, name)).strip())

    def entry_or_none(self, entry: Entry, number: int, name: str) -> Entry | None:
        """One of several entries, cleaned; None, and its number noted, where it was private as a whole."""
        clean = self.entry(entry, name)
        if clean.content.strip() or not entry.content.strip():
            return clean
        self._entries += (number,)
        return None

    def entry(self, entry: Entry, name: str = "content") -> Entry:
        """An entry, cleaned in all that is kept of it."""
        return replace(
            entry,
            content=self.text(entry.content, name),
            tags=self.texts(entry.tags, f"{name}: tags"),
            scope=self.optional(entry.scope, f"{name}: scope"),
            source=self.optional(entry.source, f"{name}: source"),
        )

    def turns(self, turns: Sequence[Turn]) -> list[Turn]:
        """The turns of a conversation, cleaned; what one opens as private another may close. None where all is private."""
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
        """What was not kept, in the few words that fit a list of what a call did."""
        counts = [f"{number} {sort}" for sort, number in self._secrets.items()]
        counts += [f"{self._private} private"] if self._private else []
        return [f"not kept: {' and '.join(counts)}"] if counts else []

    def _masked(self, text: str, name: str) -> str:
        if self._policy == "keep":
            return text
        found = find_secrets(text)
        if found and self._policy == "refuse":
            sorts = ", ".join(dict.fromkeys(shaped.sort for shaped in found))
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
        """The texts without what stands between the tags, read one after the other.

        A tag that is not closed in any of them hides the rest of its own text; one that was not opened, what stands
        before it there.
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
                        _cut(cuts, texts, (first, start), (number, tag.end()))
                        self._private += 1
                else:
                    cuts[number].append((0, tag.end()))
                    self._private, self._unpaired = self._private + 1, True
        for number, start in opened[:1]:
            cuts[number].append((start, len(texts[number])))
            self._private, self._unpaired = self._private + 1, True
        return [_without(text, gone) for text, gone in zip(texts, cuts, strict=True)]


def _cut(
    cuts: list[list[tuple[int, int]]], texts: Sequence[str], begun: tuple[int, int], ended: tuple[int, int]
) -> None:
    """Note what stands between two places, which may lie in different texts."""
    (first, start), (last, end) = begun, ended
    for number in range(first, last + 1):
        cuts[number].append((start if number == first else 0, end if number == last else len(texts[number])))


def _without(text: str, gone: Sequence[tuple[int, int]]) -> str:
    """The text without some ranges, with one space where one stood on either side."""
    for start, end in sorted(_joined(gone), reverse=True):
        before, after = text[:start], text[end:]
        text = before + (after[1:] if before[-1:] in ("", " ") and after[:1] == " " else after)
    return text


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
