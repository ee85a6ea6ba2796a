"""Parse a statement into normalised tokens with its polarity and mood."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mcp_memory.language.sentences import sentences
from mcp_memory.remember.contradiction import vocabulary as lists
from mcp_memory.remember.contradiction.values import WHEN, Token, join_values, to_digits, typed_word


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """The tokens of a statement without fillers, openers and negations, and what these said."""

    tokens: tuple[Token, ...]
    denials: tuple[int, ...]
    """Before which token each negation stood."""
    asks: bool
    hedged: bool
    """States a possibility, a plan or a rumour."""
    past: bool
    """Reports an event or a former state, dated by a word such as yesterday."""
    adds: bool
    """States something besides what else holds: "also", 还有."""
    rough: bool
    """Its values are approximate."""

    @property
    def denied(self) -> bool:
        return len(self.denials) % 2 == 1

    @property
    def forms(self) -> list[str]:
        return [token.form for token in self.tokens]


HAN = "\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30ff\uac00-\ud7af々〇"
_HAN_CHARACTER = re.compile(f"[{HAN}]")
_LETTER = f"[^\\W_{HAN}]"
_TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2})(?!\d)"
    rf"|(?P<name>https?://[^\s,;，。；]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[#@]{_LETTER}[\w-]*|~?(?:/[\w.-]*\w)+/?"
    r"|\d{1,2}:\d(?!\d)|\d+(?:[.:-]\d+){2,})"
    r"|(?P<time>\d{1,2}:\d{2})(?::\d{2})?(?!\d)"
    r"|(?P<ordinal>\d+(?:st|nd|rd|th)\b)"
    r"|(?P<number>(?<![A-Za-z_.])[-+]?\d++(?:,\d{3})*+(?:\.\d+)?+(?![A-Za-z_])(?!\.\d))"
    rf"|(?P<word>[^\W{HAN}]+(?:[-./_][^\W{HAN}]+)*)"
    rf"|(?P<han>[{HAN}])"
    r"|(?P<sign>[%$€£¥=:：])"
)
_DONE = re.compile(r"(?<!changed to )(?<!to )(?<![为除])了(?=\w)")
"""了 within a clause reports what was done; at its end it says that things have changed."""
_DATED_EVENT = re.compile(
    r"\b(?:\w+ed|went|took|left|became|began|got|was|were)\b.*\bin (?:19|20)\d\d\b|(?:19|20)\d\d年.*[了过]",
    re.IGNORECASE,
)
"""A past tense with its year, which ends nothing that holds now."""
_FORMERLY = re.compile(r"(?<!am )(?<!is )(?<!are )(?<!be )(?<!get )\bused to\b|\bformerly\b|\bonce (?:was|had)\b")
_ZH_ADDS = re.compile("^[^，；。]*(?:还(?=[有用会养要做学]|喜欢|支持|负责|需要)|也|另外|此外|另一)")


@lru_cache(maxsize=1024)
def parse(text: str) -> ParsedStatement:
    """Parse a statement; case, width, contractions, fillers, openers and the style of numbers do not count."""
    plain = unicodedata.normalize("NFKC", text).translate({0x2019: "'", 0x2018: "'", 0x2011: "-"})
    lower = plain.lower()
    words = set(re.findall(r"[a-z]+", plain.replace("May", "").lower()))
    hedged = bool(lists.HEDGES & words) or any(mark in lower for mark in lists.ZH_HEDGES)
    past = any(mark in lower for mark in lists.ZH_PAST) or bool(
        lists.ONCE & words or _FORMERLY.search(lower) or _DATED_EVENT.search(lower)
    )
    adds = bool(lists.ADDS.intersection(re.findall(r"[a-z]+", re.split("[,;.]", lower)[0])) or _ZH_ADDS.search(lower))
    rough = bool(words.intersection(lists.ROUGH)) or any(mark in lower for mark in lists.ROUGH if not mark.isascii())
    for pattern, becomes in lists.REWRITES:
        plain = pattern.sub(becomes, plain)
    if _HAN_CHARACTER.search(plain):
        plain = to_digits(plain)
        for pattern, becomes in lists.ZH_REWRITES:
            plain = pattern.sub(becomes, plain)
        past = past or bool(_DONE.search(plain))
        for filler in lists.ZH_FILLERS:
            plain = plain.replace(filler, " ")
    tokens, denials = strip_negation(_after_opener(join_values(_tokens(plain))))
    return ParsedStatement(tuple(tokens), denials, _asks(lower), hedged, past, adds, rough)


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Strip the ending of the third person and the plural; crude, and only ever compared with itself."""
    if word == "has":
        return "have"
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("oes", "o")):
        if word.endswith(ending) and len(word) > len(ending):
            return word[: -len(ending)] + rest
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def _asks(text: str) -> bool:
    if "?" in text or any(mark in text.rstrip(" 。.!")[-4:] for mark in lists.ZH_QUESTIONS[:3]):
        return True
    if any(mark in text for mark in lists.ZH_QUESTIONS[3:]) and len(text) < 30:
        return True
    first = re.match(r"\W*(\w+)", text)
    return bool(first and first[1] in lists.QUESTION_OPENERS and not text.rstrip().endswith("."))


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    begins = True
    for match in _TOKEN.finditer(text):
        kind, surface = str(match.lastgroup), match[0]
        form, capital = surface.lower(), surface[:1].isupper() and not begins
        begins = text[match.end() : match.end() + 2] in (". ", "! ", "; ") and len(surface) > 3
        match kind:
            case "sign":
                tokens.append(Token(":" if form == "：" else form, "word", surface))
            case "word":
                tokens.append(Token(*typed_word(form, capital=capital), surface, capital))
            case "number":
                value = form.replace(",", "")
                tokens.append(Token(f"{float(value):.12g}", "number", surface))
            case "time":
                hours, _, minutes = match["time"].partition(":")
                tokens.append(Token(f"{int(hours)}:{minutes}", "time", surface))
            case "date":
                year, month, day = form.split("-")
                tokens.append(Token(f"{year}-{int(month)}-{int(day)}", "date", surface))
            case "ordinal":
                tokens.append(Token(form[:-2], "ordinal", surface))
            case "han":
                tokens.append(Token(form, "han", surface))
            case _:
                tokens.append(Token(surface.rstrip("./"), "name", surface))
    return tokens


def _after_opener(tokens: Sequence[Token]) -> list[Token]:
    """Drop phrases that introduce a correction: "Actually,", "As of May", 更正."""
    left = list(tokens)
    again = True
    while again:
        again = False
        forms = tuple(token.form for token in left)
        for opener in lists.OPENERS:
            if forms[: len(opener)] == opener and len(forms) > len(opener) + 1:
                left, again = left[len(opener) :], True
                break
        if left and left[0].form == ":":
            left = left[1:]
        if forms[:2] == ("as", "of") and len(forms) > 4 and left[2].kind in WHEN | {"number"}:
            left, again = left[3:], True
    return left


def strip_negation(tokens: Sequence[Token]) -> tuple[list[Token], tuple[int, ...]]:
    """Drop fillers and negations, turn words that deny into what they deny; also return where the negations stood."""
    kept: list[Token] = []
    denials: list[int] = []
    article = ""
    for place, token in enumerate(tokens):
        following = tokens[place + 1].form if place + 1 < len(tokens) else ""
        token, article = token._replace(article=article), ""
        if token.kind == "han":
            if token.form in "不没未無":
                denials.append(len(kept))
                if kept and kept[-1].form == "并":
                    kept.pop()
            elif not (token.form == "再" and place and tokens[place - 1].form == "不"):
                kept.append(token)
        elif token.kind != "word":
            kept.append(token)
        elif token.form in lists.NEGATIONS and not (token.form == "no" and following in ("is", ":", ".")):
            denials.append(len(kept))
            if kept and kept[-1].form in ("do", "did", "does"):
                kept.pop()
        elif token.form in lists.ENDED and following.endswith("ing"):
            denials.append(len(kept))
        elif (base := stem(token.form)) in lists.DISLIKE or token.form == "against":
            denials.append(len(kept))
            kept.append(token._replace(form="for" if token.form == "against" else "like"))
        elif base in lists.LIKE:
            kept.append(token._replace(form="like"))
        elif token.form in lists.FILLERS and not (token.capital and token.form == "new"):  # New York
            article = token.form if token.form in ("a", "an", "the", "our") else ""
        else:
            kept.append(token._replace(form=lists.SPELLED.get(base, base)))
    return kept, tuple(denials)


PARTS = 8
"""Sentences or Chinese clauses of a text that are compared with those of the other, from its beginning."""


_IF = re.compile(r"\W*(?:if|in case|suppose|unless)\b|如果|要是|假如", re.IGNORECASE)


_ZH_COMMA = re.compile(r"(?<=[，；])")


@lru_cache(maxsize=256)
def statements_of(text: str) -> tuple[str, ...]:
    """Return the first sentences that state something; Chinese ones also cut at commas, as a question often follows one."""
    found = [text[start:end] for start, end in sentences(text)]
    parts = [part for sentence in found for part in _ZH_COMMA.split(sentence) if part.strip()][:PARTS]
    return tuple(part for part in parts if not _IF.match(part) and parse(part).tokens and not parse(part).asks)
