"""What plain text is made of: words, sentences, segments, tokens, and when two texts say the same words."""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from math import inf, sqrt
from operator import add
from typing import Literal, NamedTuple

from mcp_memory.errors import InvalidInput
from mcp_memory.language.token_pairs import HAN_PAIRS

_FUNCTION_WORDS = """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can cannot could d did do does doing don down during each either ever every few for from further had has
    have having he her here hers herself him himself his how i if in into is it its itself just ll m may me might more
    most must my myself neither no nor not now of off on once only or other ought our ours ourselves out over own re s
    same shall she should so some such t than that the their theirs them themselves then there these they this those
    through to too under until up upon us ve very was we were what when where whether which while who whom whose why
    will with within without would yet you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English function words, question words, and what a split contraction leaves behind (s, t, d, ll, m, re, ve)."""

# Han; Hiragana and Katakana; Hangul.
_CJK = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb\uffa1-\uffdc"
)
_CJK_RUN = re.compile(f"[{_CJK}]+")
# Thai, Lao, Burmese and Khmer write without spaces too; unicode61 ends a word at each of their vowel marks.
_UNSPACED = "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")

# unicode61 skips the marks in its own short list of combining diacritics without ending the word there.
_MARKS = "\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331"
_WORD = re.compile(f"[^\\W_{_CJK}{_UNSPACED}](?:[^\\W_{_CJK}{_UNSPACED}]|[{_MARKS}])*")


class Span(NamedTuple):
    """A half-open range of characters, [start, end)."""

    start: int
    end: int


def require_clean(text: str, name: str) -> str:
    """The text unchanged; InvalidInput where it holds a NUL or a lone surrogate, which UTF-8 storage cannot keep."""
    if found := re.search("[\x00\ud800-\udfff]", text):
        what = "a NUL character" if found[0] == "\x00" else "a lone surrogate"
        raise InvalidInput(f"{name} holds {what} at position {found.start()}; remove it and send the rest again.")
    return text


def words(text: str) -> list[str]:
    """Lower-case words without accents, as FTS5's `unicode61 remove_diacritics 2` cuts them; no CJK.

    FTS5 knows Unicode 6.1 and takes characters added since, newer emoji among them, for letters; here they part words.
    """
    return [word.lower() if word.isascii() else _fold(word) for word in _WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """The words that are not STOP_WORDS; all of them when nothing would remain."""
    everything = words(text)
    return [word for word in everything if word not in STOP_WORDS] or everything


def compared_words(text: str) -> list[str]:
    """What texts are compared by: content words, and pairs of the characters of scripts without spaces."""
    return content_words(text) + [gram for gram in grams(text) if len(gram) == 2]


def grams(text: str) -> list[str]:
    """Each character of every CJK run, followed by the pair it starts: `大阪城` gives 大, 大阪, 阪, 阪城, 城.

    So do Thai, Lao, Burmese and Khmer, their letters without the marks.
    """
    runs: list[str] = [] if text.isascii() else _CJK_RUN.findall(text)
    if not text.isascii():
        runs += ["".join(filter(str.isalpha, run)) for run in _UNSPACED_RUN.findall(text)]
    return [gram for run in runs for at in range(len(run)) for gram in (run[at], run[at : at + 2])[: len(run) - at]]


def cjk_share(text: str) -> float:
    """The share of scripts that are searched by characters among the letters, 0.0 to 1.0; 0.0 where there are no letters."""
    if text.isascii():
        return 0.0
    letters = sum(map(str.isalpha, text))
    ideographs = sum(map(len, _CJK_RUN.findall(text)))
    ideographs += sum(sum(map(str.isalpha, run)) for run in _UNSPACED_RUN.findall(text))
    return min(1.0, ideographs / letters) if letters else 0.0


def _fold(word: str) -> str:
    folded = ""
    for character in word:
        lower, folding = character.lower(), character.casefold()
        base = unicodedata.normalize("NFD", lower)[0]
        if not unicodedata.combining(character):
            folded += base if base.isascii() else folding if len(folding) == 1 else lower
    return folded


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
    """Sentences in order, trimmed of white space; every other character lies in exactly one of them.

    A heading, a list item, a table row and a line of fenced code each end at their line; a single line break inside
    a paragraph does not end a sentence. Linear in the length of the text.
    """
    return [span for span, _ in _sentences(text)]


def _sentences(text: str) -> Iterator[_Sentence]:
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
    """Runs of lines that no sentence crosses, trimmed."""
    begun, fenced = -1, False
    for line in re.finditer(r"[^\n]*\n?", text):
        at = line.start()
        start, end = _trim(text, at, line.end())
        fence = bool(_FENCE.match(text, at))
        heading = not fenced and bool(_HEADING.match(text, at))
        if begun >= 0 and _UNDERLINE.match(text, at) and text.count("\n", begun, at) == 1:
            yield _trim(text, begun, end), "heading"
            begun = -1
            continue
        if begun >= 0 and (start == end or fence or heading or _BULLET.match(text, at)):
            yield _trim(text, begun, at), "prose"
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
        parted = mark in "!?" or (mark == "." and _CJK_RUN.match(text, stop.start() - 1))
        return bool(parted and _CJK_RUN.match(text, following))
    if text[following].islower() and (closing or (mark in ".…" and stop[1] != ".")):
        return False
    if stop[1] != "." or closing:
        return True
    before = text[max(0, stop.start() - 16) : stop.start()].split()
    return not (before and _is_abbreviation(before[-1].lstrip("([{\"'“‘*_"), text[following : following + 16]))


def _is_abbreviation(word: str, following: str) -> bool:
    """Whether the full stop after this word belongs to the word, given the text that follows."""
    known = word.casefold()
    if known in _NEVER or (known in _BEFORE_NUMBER and following[0].isdigit()):
        return True
    if known in _BEFORE_LOWER:
        return not following[0].isupper()
    if (len(word) == 1 and word.isupper() and word != "I") or re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word):
        opening = _WORD.match(following)
        return not (following[0].isupper() and opening and opening[0].lower() in STOP_WORDS)
    return False


def _trim(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return Span(start, start + len(part.strip()))


# Tokens

# What a run of characters weighs, in hundredths of a token: at least so much, and more for each character past so many.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN_RUN = re.compile(f"[{_HAN}]+")
_RUNS = (
    (re.compile(r"(?<![A-Za-z]['’])[A-Z]?[a-z]+"), 100, 11, 6),
    (re.compile(r"[A-Z]+(?![a-z])"), 100, 40, 1),
    (re.compile(r"[0-9]{1,3}"), 100, 0, 0),
    # Control characters count as signs do, and long white space too, or an item of few tokens could be of megabytes.
    (re.compile(r"(?:[\x01-\x08\x0e-\x1b\x7f!-&(-/:-@\[-`{-~]|'(?![a-z]))+"), 100, 20, 1),
    (re.compile(r"\n\s*|[^\S\n]{2,}"), 50, 1, 80),
    (_HAN_RUN, 100, 100, 1),
    (re.compile(f"(?:(?![{_HAN}])[{_CJK}])+"), 88, 88, 1),
    (re.compile(f"[^\x00-\x7f\\s{_CJK}]"), 80, 0, 0),
)


def count_tokens(text: str) -> int:
    """An estimate of a language model's tokens, without a tokenizer.

    Error against o200k_base over texts of 30 tokens and more, at the median and in nine of ten texts at most
    (python -m bench.tokens, 2026-11-21): LoCoMo dialogues 3.2 and 8.1 %, SciFact abstracts 3.7 and 9.1 %,
    XQuAD English 4.1 and 10.4 %, XQuAD Chinese 3.2 and 8.0 %, CMRC 2018 2.7 and 9.2 %.
    cl100k_base needs 45 % more for Chinese. Joining two texts with a space changes the sum of their counts by at most 2.
    """
    return (_weigh(text) + 50) // 100


def _weigh(text: str) -> int:
    weight = 0
    for pattern, least, more, free in _RUNS[:5] if text.isascii() else _RUNS:
        runs: list[str] = pattern.findall(text)
        weight += least * len(runs)
        weight += more * sum([len(run) - free for run in runs if len(run) > free])
        if pattern is _HAN_RUN:
            weight -= 100 * sum(pair in HAN_PAIRS for run in runs for pair in map(add, run, run[1:]))
    return weight


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "memory", "memories"), counted(1200, "item")
    ('1 memory', '1,200 items')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shorten(text: str, max_tokens: int) -> str:
    """The leading whole sentences that fit, or the text itself when it does.

    Where not even the first sentence fits, its first words and "…", which is counted too; "" for no tokens at all.
    """
    if count_tokens(text) <= max_tokens:
        return text
    budget = 100 * max_tokens
    start = end = len(text) - len(text.lstrip())
    for (_, stop), _ in _sentences(text):
        budget -= _weigh(text[end:stop])
        if budget < 0:
            break
        end = stop
    if end > start:
        return text[start:end]
    budget = 100 * max_tokens - _weigh("…")
    if budget < 0:
        return ""
    reach = cut = _reach(text, Span(start, len(text)), budget)
    while cut > start and text[cut - 1].isalnum() and text[cut].isalnum() and not _CJK_RUN.match(text, cut):
        cut -= 1
    return text[start : reach if cut == start else cut].rstrip() + "…"


_CLAUSE = re.compile(r"[,;:)\]—–](?=\s)|[，：、）】》—]")
_TINY = 4000  # hundredths of a token, below which a segment costs more than any cut
_BLOCK = 4  # sentences on each side of a gap that are compared
_SHARE = 16  # sentences are joined up to this part of the limit, so at most twice as many units share a segment


def segment(text: str, *, limit: int = 200) -> list[Span]:
    """Spans of at most `limit` tokens (1 or more), in order; every character but white space is in exactly one.

    Cuts fall between sentences: before headings always, then where they cost least, which is at blank lines and where
    the vocabulary changes (TextTiling: Hearst, Computational Linguistics 23(1), 1997). A segment below 40 tokens
    stays alone only where a heading parts it from its neighbours or together they would not fit. A sentence longer
    than the limit is cut at a clause mark, else at a space, else anywhere. Linear in the length of the text.
    """
    if limit < 1:
        raise InvalidInput(f"limit is {limit}; give a number of tokens from 1 up.")
    return [span for section in _sections(text, 100 * limit) for span in _pack(text, section, budget=100 * limit)]


def _sections(text: str, budget: int) -> Iterator[list[Span]]:
    """From one heading to the next: the sentences, or the parts of those over budget, headings with what follows."""
    section, after_heading = list[Span](), False
    for span, kind in _sentences(text):
        if kind == "heading" and section and not after_heading:
            yield section
            section = []
        if after_heading and _weigh(text[section[-1].start : span.end]) <= budget:
            section[-1] = Span(section[-1].start, span.end)
        else:
            section += _fitting(text, span, budget)
        after_heading = kind == "heading"
    if section:
        yield section


def _fitting(text: str, span: Span, budget: int) -> Iterator[Span]:
    """The span in parts that weigh at most `budget`."""
    start, end = span
    while (reach := _reach(text, Span(start, end), budget)) < end:
        cut = max((mark.end() for mark in _CLAUSE.finditer(text, start, reach)), default=start)
        if cut <= start + (reach - start) // 3:
            parts = text[start : reach + 1].rsplit(None, 1)
            cut = start + len(parts[0]) if len(parts) > 1 or (parts and text[reach].isspace()) else reach
        cut = max(cut, start + 1)
        if not text[start:cut].isspace():
            yield _trim(text, start, cut)
        start = cut
    yield _trim(text, start, end)


def _reach(text: str, span: Span, budget: int) -> int:
    """How far from the start of the span the budget goes; the end where it all fits."""
    start, end = span
    if end - start <= budget and _weigh(text[start:end]) <= budget:
        return end
    width = max(1, budget // 10)
    while start + width < end and _weigh(text[start : start + width]) <= budget:
        width *= 2
    lengths = range(1, min(width, end - start) + 1)
    return start + bisect_right(lengths, budget, key=lambda length: _weigh(text[start : start + length]))


def _pack(text: str, section: Sequence[Span], *, budget: int) -> list[Span]:
    """The sentences of one section put together at the least total cost, found by dynamic programming."""
    if len(section) == 1 or _weigh(text[section[0].start : section[-1].end]) <= budget:
        return [Span(section[0].start, section[-1].end)]
    units = _joined(text, section, budget=budget // _SHARE)
    bare = [_weigh(text[unit.start : unit.end]) for unit in units]
    spaced = [_weigh(text[unit.start : after.start]) for unit, after in pairwise(units)]
    costs = _cut_costs(text, units)
    best, cuts = [0.0], [0]
    for last, weight in enumerate(bare):
        least, cut = inf, last
        for first in range(last, -1, -1):
            weight += spaced[first] if first < last else 0
            if weight > budget and first < last:
                break
            tiny = 4 - 2 * weight / _TINY if weight < _TINY else 0
            if (cost := best[first] + costs[first] + tiny) <= least:
                least, cut = cost, first
        best.append(least)
        cuts.append(cut)
    spans: list[Span] = []
    last = len(units)
    while last:
        spans.append(Span(units[cuts[last]].start, units[last - 1].end))
        last = cuts[last]
    return spans[::-1]


def _joined(text: str, section: Sequence[Span], *, budget: int) -> list[Span]:
    """Neighbouring sentences of a few words joined, so that few units can share a segment."""
    units: list[Span] = []
    weight = budget
    for span in section:
        added = _weigh(text[units[-1].end if units else span.start : span.end])
        if units and weight + added <= budget:
            units[-1] = Span(units[-1].start, span.end)
            weight += added
        else:
            units.append(span)
            weight = added
    return units


def _cut_costs(text: str, section: Sequence[Span]) -> list[float]:
    """What a cut before each sentence costs, from 0.0 at a sure change of topic to 1.0; nothing before the first."""
    parts = [text[span.start : span.end] for span in section]
    terms = [compared_words(part) for part in parts]
    cohesion = [_cohesion(terms, gap) for gap in range(1, len(section))]
    left, right = _peaks(cohesion), _peaks(cohesion[::-1])[::-1]
    costs = [0.0]
    for index, score in enumerate(cohesion):
        depth = min(1.0, left[index] + right[index] - 2 * score)
        blank = text.count("\n", section[index].end, section[index + 1].start) > 1
        costs.append(max(0.0, 1.0 - depth - 0.5 * blank))
    return costs


def _cohesion(terms: Sequence[Sequence[str]], gap: int) -> float:
    """The cosine of the word counts of the sentences before and after a gap."""
    before = Counter(chain.from_iterable(terms[max(0, gap - _BLOCK) : gap]))
    after = Counter(chain.from_iterable(terms[gap : gap + _BLOCK]))
    dot = sum(times * after[term] for term, times in before.items() if term in after)
    squares = sum(times * times for times in before.values()) * sum(times * times for times in after.values())
    return dot / sqrt(squares) if squares else 0.0


def _peaks(scores: Sequence[float]) -> list[float]:
    """For each score, the height reached by climbing to its left."""
    peaks: list[float] = []
    for index, score in enumerate(scores):
        peaks.append(peaks[-1] if index and scores[index - 1] >= score else score)
    return peaks


_QUOTES_AND_DASHES = "“”„‟«»「」『』″‘’‚‛′`´‐‑‒–—―−"
_UNIFIED = str.maketrans(_QUOTES_AND_DASHES, '"' * 11 + "'" * 7 + "-" * 7, "\u200b\u2060\ufeff\u00ad")
_RAISED = re.compile("([²³¹⁰⁴-⁹¼-¾⅐-⅞]+)")
_LIST_MARK = re.compile(r"[-*+•‣◦▪·>](?: [-*+•‣◦▪·>])* (?![\d.])")


def normal_form(text: str) -> str:
    """The form two texts share exactly when one repeats the other word for word.

    Case, compatibility forms, white space, the style of quotes and dashes, surrounding quotes, a list mark in front
    and a final . ! ; or … do not count. Numbers, signs, a final question mark and all inner punctuation do.
    """
    form = _RAISED.sub(r"^\1", text).translate(_UNIFIED)
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", form).casefold())
    form = " ".join(form.translate(_UNIFIED).split())
    while True:
        marker = _LIST_MARK.match(form)
        bare = (form[marker.end() :] if marker else form).rstrip(".!;。 ")
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" and bare.count(bare[0]) == 2:
            bare = bare[1:-1].strip()
        if not bare or bare == form:
            return form
        form = bare
