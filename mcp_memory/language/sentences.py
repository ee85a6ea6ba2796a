"""Sentences and their spans in plain text, Markdown included."""

import re
from collections.abc import Iterator
from typing import Literal

from mcp_memory.language.tokenization import CJK_RUN, STOP_WORDS, WORD, Span

_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]+\S|\*\*[^*\n]{1,80}\*\*:?[ \t]*$)", re.MULTILINE)
_UNDERLINE = re.compile(r"[ \t]*(?:={3,}|-{3,})[ \t\r]*$", re.MULTILINE)
_BULLET = re.compile(r"[ \t]*(?:>[ \t]*)?(?:[-*+•‣◦▪·][ \t]+|\(?(?:\d{1,3}|[A-Za-z])[.)][ \t]+|\|)(?=\S)")
_STOP = re.compile(r"""([.!?…。！？；｡]+)(["'”’»)\]}」』）】〉》*_]*(?:\[\d{1,3}\])*)\s*""")
_Sentence = tuple[Span, Literal["prose", "heading", "code"]]
# Words a full stop belongs to: always, before a number, before anything but a capital.
_TITLES = "dr mr mrs ms prof st gen col lt sgt capt rev hon gov sen rep pres e.g i.e eg ie vs cf viz al approx ca mt ft"
_NUMBERED = "no nos p pp fig figs vol ch sec eq art ver v jan feb mar apr jun jul aug sep sept oct nov dec"
_TRAILING = "etc inc ltd co corp llc jr sr a.m p.m est ave blvd rd ph.d b.c a.d dept univ bros"
_NEVER, _BEFORE_NUMBER, _BEFORE_LOWER = (frozenset(each.split()) for each in (_TITLES, _NUMBERED, _TRAILING))


def sentences(text: str) -> list[Span]:
    """Return sentences in order, trimmed of white space; every other character lies in exactly one of them.

    A heading, a list item, a table row and a line of fenced code each end at their line; a single line break inside
    a paragraph does not end a sentence. Linear in the length of the text.
    """
    return [span for span, _ in sentence_spans(text)]


def sentence_spans(text: str) -> Iterator[_Sentence]:
    for (at, end), kind in _blocks(text):
        if kind != "prose":
            yield Span(at, end), kind
            continue
        marker = _BULLET.match(text, at, end)
        for stop in _STOP.finditer(text, marker.end() if marker else at, end):
            if _ends_sentence(text, stop, end=end):
                yield Span(at, stop.end(2)), "prose"
                at = stop.end()
        if at < end:
            yield Span(at, end), "prose"


def _blocks(text: str) -> Iterator[_Sentence]:
    """Yield runs of lines that no sentence crosses, trimmed."""
    begun, fenced = -1, False
    for line in re.finditer(r"[^\n]*\n?", text):
        at = line.start()
        start, end = trimmed_span(text, at, line.end())
        fence = bool(_FENCE.match(text, at))
        heading = not fenced and bool(_HEADING.match(text, at))
        if begun >= 0 and _UNDERLINE.match(text, at) and text.count("\n", begun, at) == 1:
            yield trimmed_span(text, begun, end), "heading"
            begun = -1
            continue
        if begun >= 0 and (start == end or fence or heading or _BULLET.match(text, at)):
            yield trimmed_span(text, begun, at), "prose"
            begun = -1
        if start < end and (fence or fenced or heading):
            yield Span(start, end), "heading" if heading else "code"
        elif start < end and begun < 0:
            begun = start
        fenced ^= fence


def _ends_sentence(text: str, stop: re.Match[str], *, end: int) -> bool:
    mark, closing = stop[1][-1], stop[2]
    following = stop.end()
    if following >= end or mark in "。！？；｡":
        return True
    if following == stop.end(2):
        parted = mark in "!?" or (mark == "." and CJK_RUN.match(text, stop.start() - 1))
        return bool(parted and CJK_RUN.match(text, following))
    if text[following].islower() and (closing or (mark in ".…" and stop[1] != ".")):
        return False
    if stop[1] != "." or closing:
        return True
    before = text[max(0, stop.start() - 16) : stop.start()].split()
    return not (before and _is_abbreviation(before[-1].lstrip("([{\"'“‘*_"), text[following : following + 16]))


def _is_abbreviation(word: str, following: str) -> bool:
    """Return whether the full stop after this word belongs to the word, given the text that follows."""
    known = word.casefold()
    if known in _NEVER or (known in _BEFORE_NUMBER and following[0].isdigit()):
        return True
    if known in _BEFORE_LOWER:
        return not following[0].isupper()
    if (len(word) == 1 and word.isupper() and word != "I") or re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word):
        opening = WORD.match(following)
        return not (following[0].isupper() and opening and opening[0].lower() in STOP_WORDS)
    return False


def trimmed_span(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return Span(start, start + len(part.strip()))
