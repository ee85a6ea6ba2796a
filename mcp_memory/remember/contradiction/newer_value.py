"""Updating: whether a later text says how something stands by now that an earlier one says otherwise.

It only labels and orders what recall shows, and hides nothing, so it may go further than `comparing`, which decides
what replaces what: messages and notes are seldom the same sentence twice with one value changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction.comparison import change_between
from mcp_memory.remember.contradiction.lexicon import CHANGED
from mcp_memory.remember.contradiction.parsing import (
    TYPED,
    Reading,
    Token,
    read,
    stem,
)
from mcp_memory.remember.contradiction.slots import is_verb

LONGEST = 150
"""Tokens (token_count.count_tokens) of a text that is looked at, at most: what is longer is a passage that states many things."""
PARTS = 8
"""Sentences or Chinese clauses of a text that are compared with those of the other, from its beginning."""
SHARED = 2
"""Content words that both texts have in common, at least."""
SHARE = 0.5
"""Of the content words that the shorter text tells, where values of one kind differ and nothing says "now"."""
SHARE_TOLD = 0.25
"""The same where the later text says that something changed."""
SAME_SHAPE = 0.5
"""Share of their tokens that two sentences have in common in order, from which `comparing` decides, where nothing is said to
have changed: what is worded alike and is no change to it speaks of two things ("the read timeout", "the write timeout").

Of the 445 pairs of bench.dedupe that say two things, 106 were taken for an update without it, and 5 are with it
(2026-11-21)."""
SHARE_ALIKE = 0.4
"""Of the content words, where they are worded alike, differ in no other plain word and the later says that something changed."""

_CHANGED = re.compile(
    r"\b(?:now|by now|no longer|(?:not?|\w+n't) [\w ]{1,20}any ?more|instead|from (?:now|this \w+|next \w+) on|these days|as of|since|up to|down to|"
    r"(?:has|have|had|was|were|been|got|'ve|'s|we|i|is|it|they|and)\s+(?:just\s+|finally\s+|been\s+|now\s+)*"
    r"(?:changed|moved|switched|migrated|renamed|raised|lowered|upgraded|promoted|extended|rotated|replaced|postponed|"
    r"sold|retired|quit|left|became|reached)|(?:changed|moved|switched|upgraded|rotated|raised|migrat\w+|update)\b.{0,40}\b"
    r"(?:to|over|password|from|limit)|retired|promoted|cadence changed|goes up|went up|that makes|more time|pushed? .{0,20}back)\b"
    r"|现在|如今|改[成为到用]|换[成到了]|搬到|搬去|调到|升到|升级|迁移|增加到|减少到|涨到|降到|以后|今后|从今|不再|跳槽|"
    r"一共|推迟|提前到|变成|变为|转到|更新为",
    re.IGNORECASE,
)
"""What a text says that tells of a change, beside the words of lexicon.CHANGED."""

_BEFORE = re.compile(
    r"\b(?:previous(?:ly)?|used to|former(?:ly)?|original(?:ly)?|at first|back then|in the past)\b"
    r"|以前|原来|原先|当初|最初|曾经",
    re.IGNORECASE,
)
"""What a question says that is about how it was."""
_IF = re.compile(r"\W*(?:if|in case|suppose|unless)\b|如果|要是|假如", re.IGNORECASE)
"""How a sentence begins of what might be."""
_KIN = (
    "wife|husband|mother|father|mom|mum|dad|sister|brother|son|daughter|uncle|aunt|cousin|girlfriend|boyfriend|partner|boss|"
    "friend|flatmate|roommate|neighbou?r|grandmother|grandfather|grandma|grandpa"
)
_HAN_KIN = "老婆|老公|妻子|丈夫|爸爸?|妈妈?|爸妈|父母|弟弟|妹妹|哥哥|姐姐|儿子|女儿|奶奶|爷爷|外婆|外公|朋友|同事|室友|邻居|姑姑|叔叔|表弟|表妹"
_OF_WHOM = re.compile(
    rf"\s*(?:my|his|her|our) ((?:\w+ )?(?:{_KIN})(?:['’]s \w+)?)\b(?! and\b)|\s*[我他她]的?({_HAN_KIN})", re.IGNORECASE
)
"""Whose the first sentence of a text is, where it begins with somebody's relation."""
_OF_ONESELF = re.compile(r"\s*(?:i\b|我)", re.IGNORECASE)
_HAN_COMMA = re.compile(r"(?<=[，；])")

_SAID = {"moved": "live", "relocated": "live", "lives": "live"}
"""Words that are another's change: who has moved lives elsewhere."""

_APART = tuple(
    frozenset(group.split())
    for group in (
        "staging production test testing development dev prod sandbox",
        "frontend backend mobile",
        "public internal private guest staff",
        "mother father sister brother wife husband son daughter mum dad",
        "home office work school",
        "breakfast lunch dinner",
        "left right",
        "spring summer autumn winter",
        "weekday weekend",
        "cat dog",
        "测试 生产 开发 预发",
        "前端 后端",
        "手机 网页 桌面",
        "爸爸 妈妈 姐姐 妹妹 哥哥 弟弟 儿子 女儿 妻子 丈夫",
    )
)
"""Words that tell two things apart which are otherwise spoken of alike."""


@dataclass(frozen=True, slots=True)
class _Text:
    """What comparing needs of a text."""

    told: tuple[Reading, ...]
    """Its sentences that tell something."""
    words: frozenset[str]
    """Content words and pairs of Chinese characters of the whole of it, without values."""
    length: int
    """How many of them are told, and not asked."""
    values: frozenset[tuple[str, str]]
    """What it tells of numbers, days and names, each with its kind."""
    subjects: frozenset[str]
    """Of `words` those that its sentences tell something of."""
    changed: bool
    """Whether it says that something changed."""


def updates(old: str, new: str) -> bool:
    """Whether `new`, which is the later text, says otherwise of what `old` says.

    Either a sentence of it changes one of the old (comparison.change); or, worded otherwise, both speak of the same and
    give different values of one kind; or it says that something changed in what the old speaks
    of, and both tell more of it than what they are about.

    >>> updates("I have three tomato plants on the balcony.", "I'm up to seven tomato plants on the balcony now.")
    True
    >>> updates("The staging port is 8080.", "The production port is 9090 now.")
    False
    """
    if _too_long(old) or _too_long(new):
        return False
    before, after = _read(old), _read(new)
    if _of_two_persons(old, new):
        return False
    if any(change_between(said, now) for said in before.told for now in after.told):
        return True
    shared = before.words & after.words
    if not before.told or len(shared) < SHARED or _told_apart(before.words, after.words):
        return False
    share = len(shared) / max(min(before.length, after.length), 1)
    told_of_it = after.changed and bool(shared - (before.subjects & after.subjects))
    if share < (SHARE_TOLD if after.changed else SHARE) or not (
        told_of_it or _values_differ(before.values, after.values)
    ):
        return False
    alike = [other for said in before.told for now in after.told if (other := _other_things(said, now)) is not None]
    return not alike or (after.changed and share >= SHARE_ALIKE and not any(alike))


def _of_two_persons(old: str, new: str) -> bool:
    """Whether the texts begin with different persons: my sister and her boyfriend, myself and my brother."""
    whose = [_OF_WHOM.match(text) for text in (old, new)]
    named = ["" if found is None else (found[1] or found[2]).casefold() for found in whose]
    if named[0] == named[1]:
        return False
    return all(name or _OF_ONESELF.match(text) for name, text in zip(named, (old, new), strict=True))


def asks_older(query: str, old: str, new: str) -> bool:
    """Whether a question is about the older of two values: it names it, or asks what was.

    >>> asks_older("Since when is the port 8080?", "The port is 8080.", "The port is 9090.")
    True
    """
    if _BEFORE.search(query):
        return True
    if max(len(query), len(old), len(new)) > LONGEST:
        return False
    before, after = _named(read(old).tokens), {token.form for token in read(new).tokens}
    for said in _read(old).told:
        for now in _read(new).told:
            before |= _former(change_between(said, now))
    return any(token.form in before - after for token in read(query).tokens)


def _named(tokens: Sequence[Token]) -> set[str]:
    """The values and the names that a text tells."""
    return {token.form for token in tokens if token.kind in TYPED or token.capital}


def _former(reason: str | None) -> set[str]:
    """The words of the value that comparing says has changed, "8080 -> 9090", where they are no Chinese."""
    value = (reason or "").partition(" -> ")[0] if reason and " -> " in reason else ""
    return {word for word in value.split() if word.isascii() and word not in STOP_WORDS}


@lru_cache(maxsize=512)
def _too_long(text: str) -> bool:
    return count_tokens(text) > LONGEST


@lru_cache(maxsize=128)
def _read(text: str) -> _Text:
    parts = _parts(text)[:PARTS]
    readings = [(part, read(part)) for part in parts]
    told = [
        (part, reading) for part, reading in readings if reading.tokens and not reading.asks and not _IF.match(part)
    ]
    tokens = [token for _, reading in told for token in reading.tokens]
    words = _words(tokens)
    return _Text(
        told=tuple(reading for _, reading in told),
        words=words.union(*(_words(reading.tokens) for _, reading in readings)),
        length=len(words),
        subjects=frozenset(word for _, reading in told for word in _words(_subject(reading.tokens))),
        values=frozenset((_kind(token), token.form) for token in tokens if token.kind in TYPED),
        changed=any(_CHANGED.search(part) for part, _ in told) or any(token.form in CHANGED for token in tokens),
    )


def _parts(text: str) -> list[str]:
    """Its sentences; Chinese ones also cut at commas, where what is told and what is asked often follow each other."""
    found = [text[start:end] for start, end in sentences(text)]
    return [part for sentence in found for part in _HAN_COMMA.split(sentence) if part.strip()]


def _other_things(old: Reading, new: Reading) -> bool | None:
    """Whether of two sentences that are worded alike a plain word is another one, beside the value; None where they are not."""
    was, now = old.tokens, new.tokens
    matcher = SequenceMatcher(None, [token.form for token in was], [token.form for token in now], False)
    if matcher.ratio() < SAME_SHAPE:
        return None
    places = [place for operation, *place in matcher.get_opcodes() if operation == "replace"]
    words = [(was[at], now[to]) for at, end, to, stop in places if end - at == stop - to == 1]
    return (len(places) > 1 or old.denied != new.denied) and any(_plain(one) and _plain(other) for one, other in words)


def _subject(tokens: Sequence[Token]) -> Sequence[Token]:
    """What stands before the first verb of what holds or changes; nothing where there is none."""
    at = next((at for at, token in enumerate(tokens) if is_verb(token) or token.form in CHANGED), 0)
    return tokens[:at]


def _plain(token: Token) -> bool:
    return token.kind == "word" and not token.capital and token.form not in STOP_WORDS


def _kind(token: Token) -> str:
    return "amount" if token.kind in ("number", "quantity") else token.kind


def _words(tokens: Sequence[Token]) -> frozenset[str]:
    pairs = {left.form + right.form for left, right in pairwise(tokens) if left.kind == right.kind == "han"}
    plain = {
        _SAID.get(token.form, stem(token.form)) for token in tokens if token.kind == "word" and len(token.form) > 1
    }
    return frozenset(pairs | {word for word in plain if word not in STOP_WORDS})


def _values_differ(old: frozenset[tuple[str, str]], new: frozenset[tuple[str, str]]) -> bool:
    """Whether both tell values of one kind and have none of that kind in common."""
    kinds = {kind for kind, _ in old} & {kind for kind, _ in new}
    return any(all(value not in new for value in old if value[0] == kind) for kind in kinds)


def _told_apart(old: frozenset[str], new: frozenset[str]) -> bool:
    return any(old & group and new & group and not old & new & group for group in _APART)
