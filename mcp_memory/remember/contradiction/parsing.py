"""Reading a statement for comparison: its tokens in normal form, its polarity, and whether it asks or tells."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from mcp_memory.remember.contradiction.lexicon import (
    DAYS,
    DISLIKE,
    ENDED,
    FILLERS,
    HAN_CHANGED,
    HAN_DAYS,
    HAN_FILLERS,
    HAN_HEDGES,
    HAN_NEGATIONS,
    HAN_ONCE,
    HAN_QUESTION,
    HEDGES,
    KEPT_E,
    LIKE,
    MONTHS,
    NEGATIONS,
    NUMBERS,
    OPENERS,
    ORDINALS,
    QUESTION_OPENERS,
    SCALES,
    SPELLED,
    UNITS,
    VALUES_TOLD,
)

TokenKind = Literal["word", "han", "number", "quantity", "date", "time", "day", "month", "year", "ordinal", "name"]
TYPED: frozenset[TokenKind] = frozenset(
    {"number", "quantity", "date", "time", "day", "month", "year", "ordinal", "name"}
)
"""Kinds that are values by their form; `name` is an address, a path or an identifier."""
WHEN: frozenset[TokenKind] = frozenset({"date", "time", "day", "month", "year", "ordinal"})


class Token(NamedTuple):
    """A word, a Chinese character or a value; equal `form` means the same is said."""

    form: str
    kind: TokenKind
    surface: str
    capital: bool = False
    article: str = ""
    """The article before it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What comparing needs of a statement."""

    tokens: tuple[Token, ...]
    denials: tuple[int, ...]
    """Before which token each denial stands; -1 where its place is not known."""
    asks: bool
    hedged: bool
    """Whether it only says what may be."""
    once: bool
    """Whether it tells of what happened at a time that is told by today or yesterday."""
    adds: bool = False
    """Whether it says that this is so besides what else is so: "also", 还有."""
    later: "Reading | None" = None
    """What its last clause says of now, where one before it tells of an end: "Helen left; my boss is Raj now"."""

    @property
    def denied(self) -> bool:
        """Whether it is told in the negative."""
        return len(self.denials) % 2 == 1


_HAN = "\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30ff\uac00-\ud7af々〇"
_HAN_RUN = re.compile(f"[{_HAN}]")
_LETTER = f"[^\\W{_HAN}]"
_TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2})(?!\d)"
    r"|(?P<name>https?://[^\s,;，。；]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[#@]" + _LETTER + r"[\w-]*"
    r"|~?(?:/[\w.-]*\w)+/?|\d{1,2}:\d(?!\d))"
    r"|(?P<time>\d{1,2}:\d{2})(?::\d{2})?(?!\d)"
    r"|(?P<ordinal>\d+(?:st|nd|rd|th)\b)"
    r"|(?P<number>(?<![A-Za-z_.])[-+]?\d++(?:,\d{3})*+(?:\.\d+)?+(?![A-Za-z_])(?!\.\d))"
    rf"|(?P<word>{_LETTER}+(?:[-./_]{_LETTER}+)*)"
    rf"|(?P<han>[{_HAN}])"
    r"|(?P<sign>[%$€¥=:：?？])"
)
_INNER_CAPITAL = re.compile(r"(?:(?<=[\w,;:\"(] )|(?<=\b(?:Dr|Mr|Ms|St)\. )|(?<=\b(?:Mrs)\. )|(?<=\bProf\. ))[A-Z]\w*")
"""A word with a capital that does not begin a sentence."""
_CONTRACTIONS = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|he|she|there|what|who)'s\b"), r"\1 is"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'(?=s\b)|(?<=s)'(?=\s)"), " "),
    (
        re.compile(
            r"\b(?:has|have|had|was|were|is|are|been|got|be)\s+(?:just\s+)?(?:been\s+)?(?=(?:changed|moved|renamed|raised|lowered|upgraded|increased|reduced|switched|migrated|postponed|rescheduled|relocated|brought forward|pushed|put)\b)"
        ),
        "",
    ),
    (
        re.compile(r"\b(?:went (?:up|down)|brought forward|(?:pushed|put|moved) (?:back|forward|off|out)) (?=to\b)"),
        "changed ",
    ),
    (re.compile(r"\bno longer\b"), "not"),
    (re.compile(r"(?<=\w) any (?:more|longer)(?=\W*$|[,;.])"), ""),
    (re.compile(r"(?<=\w) (?:these days|by now|as of (?:now|today))(?=\W*$|[,;.])"), ""),
    (re.compile(r"\b(on|at|to) port (?=\d)"), r"\1 "),
    (
        re.compile(
            r"\bha(?:s|ve) (?:just )?been (?=(?:merged|closed|resolved|released|shipped|cancell?ed|rejected|approved|completed|deprecated|removed)\b)"
        ),
        "is ",
    ),
    (re.compile(r"\b(?:has |have )?(?:taken|took) the place of\b"), "replaced"),
    (re.compile(r"\b(?:no|not) (?:more|later|longer|greater|larger) than\b"), "at most"),
    (re.compile(r"\b(?:no|not) (?:less|fewer|earlier|shorter|smaller) than\b"), "at least"),
    (re.compile(r"\bnot only\b"), "both"),
    (re.compile(r"不必(?!须)"), "不必须"),
    (re.compile(r"无需|无须"), "不需要"),
    (re.compile(r"不超过|不多于|不晚于|不高于"), "至多"),
    (re.compile(r"不少于|不低于|不早于"), "至少"),
    (re.compile(r"不错|不过|不仅|不但|不同|不得不|对不起|未来|差不多|不锈钢|没关系"), "＿"),
    (re.compile(r"\bcan not (?:stand|bear)\b"), "dislike"),
    (re.compile(r"\bin favou?r of\b"), "for"),
    (re.compile(r"\bhalf past (\w+)\b"), r"\1:30"),
    (re.compile(r"\bper (?=month|year|week|day|hour)"), "a "),
)
_DONE = re.compile(r"(?<!changed to )(?<![为除])了(?=[\w])")
"""了 within a sentence: something was done. At its end it says that things have changed."""
_FORMERLY = re.compile(
    r"(?<!am )(?<!is )(?<!are )(?<!be )(?<!get )\bused to\b|\bformerly\b|\bonce (?:was|had)\b|以前|曾|过去|小时候|从前"
)
_ADDS = re.compile(
    r"^[^,;，；。]*(?:\b(?:also|additionally|in addition|besides|as well(?! as)|another)\b|\btoo\W*$"
    r"|还(?=[有用会养要做学]|喜欢|支持|负责|需要)|也|另外|此外|另一)"
)
"""What says in the first clause that something is so besides what else is so."""
_NUMERAL = "零〇一二两三四五六七八九十百千万亿"
_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_COUNTED = "点|个月|月|号|日|年级|年|天|周|个|小时|分钟|分|秒|元|块|公斤|公里|千米|米|厘米|毫米|克|毫克|毫升|升|片|杯|次|人|岁|楼|层|%|台|节点|份|章|页|条|位|名|室|倍|折|票|级|组|班|欧|美"
_HAN_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(rf"(?:周|星期|礼拜)([{HAN_DAYS}])(?!年|个)"),
        lambda m: f" day-{HAN_DAYS.index(m[1]) % 7 + 1 if m[1] != '天' else 7} ",
    ),
    (re.compile(rf"第?([{_NUMERAL}]+)(?=(?:{_COUNTED}))"), lambda m: f"{_han_number(m[1])}"),
    (re.compile(rf"(?<=[是为到成])([{_NUMERAL}]+)(?=$|[了。，,；;\s])"), lambda m: f"{_han_number(m[1])}"),
    (re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?"), lambda m: f" {m[1]}-{int(m[2]):02}-{int(m[3]):02} "),
    (re.compile(r"(\d{1,2})月(\d{1,2})[日号]?"), lambda m: f" date-{int(m[1])}-{int(m[2])} "),
    (re.compile(r"(\d{1,2})月份?(?!\d)"), lambda m: f" month-{m[1]} "),
    (re.compile(r"(\d{4})年"), lambda m: f" year-{m[1]} "),
    (
        re.compile(r"(凌晨|早上|上午|中午|下午|晚上|傍晚)?(\d{1,2})点(?:(\d{1,2})分?|(半))?(?:整)?"),
        lambda m: f" {_clock(int(m[2]), m[1])}:{'30' if m[4] else (m[3] or '00').zfill(2)} ",
    ),
    (re.compile(r"(下午|晚上|上午|早上)(\d{1,2}):(\d{2})"), lambda m: f" {_clock(int(m[2]), m[1])}:{m[3]} "),
)


_HAN_SAID = (
    (
        re.compile(
            r"不再?用\s*([^，,。；]{1,20}?)\s*了?[，,]\s*(?:现在|而是)?(?:改|换成?)?用\s*([^，,。；]{1,20}?)\s*了?(?=\s*[。.！!]?$)"
        ),
        r"从 \1 changed to \2",
    ),
    (re.compile(r"住 在"), "住在"),
    (re.compile(r"(?:搬|迁)(?:家)?(?:到|去|至)了?"), " relocated to "),
    (re.compile(r"(?:跳槽|转行|转职)(?:到|去)了?(.{1,12}?)了?(?=$|[。，,；;！!])"), r"在\1工作"),
    (re.compile(r"在([^在是的，。]{1,12}?)(?:上班|任职|供职)(?=$|[了。，,；;！!])"), r"在\1工作"),
)
"""Other words for where somebody lives or works."""


@lru_cache(maxsize=512)
def read(text: str) -> Reading:
    """The statement as comparing sees it: case, width, contractions, fillers, openers and the style of numbers do not count."""
    plain = plain_text = unicodedata.normalize("NFKC", text).translate({0x2019: "'", 0x2018: "'", 0x2011: "-"})
    hedged = any(mark in plain for mark in HAN_HEDGES) or bool(
        HEDGES.intersection(re.findall(r"[a-z]+", plain.replace("May", "").lower()))
    )
    capitals = {word.lower() for word in _INNER_CAPITAL.findall(plain)}
    plain = plain.lower()
    asks, adds = _asks(plain), bool(_ADDS.search(plain))
    once = any(mark in plain for mark in HAN_ONCE) or bool(_FORMERLY.search(plain))
    for pattern, becomes in _CONTRACTIONS:
        plain = pattern.sub(becomes, plain)
    denials = 0
    if _HAN_RUN.search(plain):
        plain, denials, done = _han_read(plain)
        once = once or done
    tokens = _after_opener(_typed(_cut(plain, capitals)))
    told, places = _affirmed(tokens)
    return Reading(tuple(told), (-1,) * denials + places, asks, hedged, once, adds, _later(plain_text))


_ENDED_THEN = re.compile(
    r"^(?P<end>[^.;:,，。；：]*(?:\b(?:left|quit|moved|changed|switched|replaced|sold|resigned|retired|dropped|not|no longer)\b"
    r"|n't\b|离职|换|搬|辞职|辞了|跳槽|毕业|分手|离婚|不)[^.;:,，。；：]*)[.;:,，。；：]+\s*(?:and |so |but |而是)?"
    r"(?P<now>(?:.*\bnow\b|(?:他们?|她们?|我们?)?(?:现在|如今|目前)).+|.*\bnow\W*)$",
    re.IGNORECASE,
)
_HAN_SUBJECT = re.compile(r"^(?:他们|她们|我们|他|她|我)(?=已经|刚|从|换|搬|不|辞|离|在|跳槽|毕业|和|跟)")
_HAN_OMITTED = re.compile(r"^(?:现在|如今|目前)(?=[的在住是用叫])")


def _later(text: str) -> Reading | None:
    found = _ENDED_THEN.match(text.strip())
    if not found:
        return None
    subject = _HAN_SUBJECT.match(found["end"].strip())
    now = found["now"]
    return read(f"{subject[0]}{_HAN_OMITTED.sub('', now)}" if subject and _HAN_OMITTED.match(now) else now)


def _han_read(plain: str) -> tuple[str, int, bool]:
    """Chinese text with numbers and dates in digits, without fillers and denials; how many were denials, and if it was done."""
    for rule, made in _HAN_RULES:
        plain = rule.sub(made, plain)
    for pattern, becomes in _HAN_SAID:
        plain = pattern.sub(becomes, plain)
    if "不再用" not in plain:
        plain = plain.replace("改用", "用")
    for phrase in sorted(HAN_CHANGED, key=len, reverse=True):
        plain = plain.replace(phrase, " changed to ")
    done = bool(_DONE.search(plain))
    plain = plain.replace("已婚", "结婚").replace("戒烟", "不抽烟").replace("戒酒", "不喝酒")
    for dislike in ("讨厌", "受不了", "反感", "厌恶"):
        plain = plain.replace(dislike, "不喜欢")
    for filler in HAN_FILLERS:
        plain = plain.replace(filler, " ")
    denials = 0
    for negation in HAN_NEGATIONS:
        denials += plain.count(negation)
        plain = plain.replace(negation, "")
    return plain, denials, done


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without the ending of the third person, the plural, -ing; crude, and only ever compared with itself."""
    if word == "has":
        return "have"
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("oes", "o")):
        if word.endswith(ending) and len(word) > len(ending):
            return word[: -len(ending)] + rest
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def surface(tokens: Sequence[Token]) -> str:
    """The tokens as they were written, in lower case."""
    han = all(token.kind == "han" for token in tokens)
    return ("" if han else " ").join(token.surface for token in tokens)


def _asks(text: str) -> bool:
    if "?" in text or any(mark in text.rstrip(" 。.!")[-4:] for mark in HAN_QUESTION[:3]):
        return True
    if any(mark in text for mark in HAN_QUESTION[3:]) and len(text) < 30:
        return True
    first = re.match(r"\W*(\w+)", text)
    return bool(
        first
        and first[1] in QUESTION_OPENERS
        and not text.rstrip().endswith(".")
        and first[1] not in ("when", "where", "what", "how", "who", "which", "why", "should")
    )


def _cut(text: str, capitals: set[str]) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, form = str(match.lastgroup), match[0]
        if kind == "sign":
            if form in ":=" or form == "：":
                tokens.append(Token(":", "word", ":"))
            elif form not in "?？":
                tokens.append(Token(form, "word", form))
        elif kind == "word":
            tokens.append(_word(form, form in capitals))
        elif kind == "number":
            value = float(form.replace(",", ""))
            tokens.append(
                Token(f"{value:.12g}" if "." in form or abs(value) < 1e6 else form.replace(",", ""), "number", form)
            )
        elif kind == "time":
            hours, minutes = match["time"].split(":")
            tokens.append(Token(f"{int(hours)}:{minutes}", "time", form))
        elif kind == "date":
            year, month, day = form.split("-")
            tokens.append(Token(f"{year}-{int(month)}-{int(day)}", "date", form))
        elif kind == "ordinal":
            tokens.append(Token(form[:-2], "ordinal", form))
        elif kind == "han":
            tokens.append(Token(form, "han", form))
        else:
            tokens.append(Token(form.rstrip("./"), "name", form))
    return tokens


def _word(word: str, capital: bool) -> Token:
    if word.isalpha() and word not in VALUES_TOLD:
        return Token(word, "word", word, capital)
    if match := re.fullmatch(r"(day|month|year|date)-(\d+)(?:-(\d+))?", word):
        kind: TokenKind = {"day": "day", "month": "month", "year": "year", "date": "date"}[match[1]]  # type: ignore[assignment]
        return Token(f"{match[2]}-{match[3]}" if match[3] else match[2], kind, word)
    if word in DAYS:
        return Token(str(DAYS[word]), "day", word)
    if word in MONTHS and (word != "may" or capital):
        return Token(str(MONTHS[word]), "month", word)
    if word in NUMBERS:
        return Token(str(NUMBERS[word]), "number", word)
    if word in ORDINALS:
        return Token(str(ORDINALS[word]), "ordinal", word)
    if re.search(r"\d", word) or (re.search(r"[./_]", word) and not re.fullmatch(r"(?:\w\.)+\w?", word)):
        glued = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]+|元|天)", word)
        if glued and glued[2] in UNITS:
            return _quantity(float(glued[1]), glued[2], word)
        return Token(word, "name", word)
    return Token(word, "word", word, capital)


def _quantity(value: float, unit: str, surface: str) -> Token:
    dimension, factor = UNITS[unit]
    return Token(f"{value * factor:.12g} {dimension}", "quantity", surface)


_JOINING = frozenset("$ € ¥ every".split())
"""Words that make one token with a number or a unit after them."""


def _typed(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with what belongs together put together: a number and its unit, the parts of a date, of a time."""
    made: list[Token] = []
    at = 0
    while at < len(tokens):
        token, used = tokens[at], 1
        if token.kind != "word" or token.form in _JOINING:
            token, used = _joined(tokens[at : at + 4])
        if (
            token.kind == "number"
            and made
            and made[-1].form == "at"
            and _ends_clause(tokens[at + used : at + used + 1])
        ):
            hour = float(token.form)
            if hour == int(hour) and 0 <= hour <= 24:
                token = Token(f"{int(hour)}:00", "time", token.surface)
        made.append(token)
        at += used
    return made


def _ends_clause(following: Sequence[Token]) -> bool:
    return (
        not following or following[0].kind in WHEN or following[0].form in ("in", "on", "and", "every", "with", "for")
    )


def _joined(ahead: Sequence[Token]) -> tuple[Token, int]:
    """What the first of some tokens makes with those after it, and how many it took."""
    first = ahead[0]
    second, third = (ahead[place] if len(ahead) > place else Token("", "word", "") for place in (1, 2))
    both = f"{first.surface} {second.surface}"
    if first.kind == "number":
        if second.kind == "number" and float(first.form) >= 20 and float(second.form) < 10 and first.surface.isalpha():
            return Token(f"{float(first.form) + float(second.form):.12g}", "number", both), 2
        value = float(first.form)
        if second.form in SCALES and first.kind == "number":
            return Token(f"{value * SCALES[second.form]:.12g}", "number", both), 2
        if second.kind == "month":
            year = f"{int(float(third.form))}-" if third.kind == "number" and len(third.form) == 4 else ""
            return Token(
                f"{year}{second.form}-{first.form}", "date", both + (f" {third.surface}" if year else "")
            ), 3 if year else 2
        if second.form in ("am", "pm", "a.m", "p.m"):
            hour = int(value) % 12 + (12 if second.form.startswith("p") else 0)
            return Token(f"{hour}:00", "time", both), 2
        for width in (3, 2, 1):
            unit = "".join(token.form for token in ahead[1 : 1 + width])
            if unit in UNITS and (width == 1 or all(token.kind == "han" for token in ahead[1 : 1 + width])):
                return _quantity(value, unit, f"{first.surface} {unit}"), 1 + width
        if len(first.form) == 4 and first.form[:2] in ("19", "20") and first.form.isdigit():
            return first._replace(kind="year"), 1
    if first.kind == "time" and second.form in ("am", "pm", "a.m", "p.m"):
        hour, minute = first.form.split(":")
        return Token(f"{int(hour) % 12 + (12 if second.form.startswith('p') else 0)}:{minute}", "time", both), 2
    if first.kind == "month" and second.kind in ("number", "ordinal") and len(second.form) <= 2:
        year = f"{third.form}-" if third.kind == "number" and len(third.form) == 4 else ""
        return Token(
            f"{year}{first.form}-{second.form}", "date", both + (f" {third.surface}" if year else "")
        ), 3 if year else 2
    if first.kind == "ordinal":
        if second.form == "of" and third.kind == "month":
            return Token(f"{third.form}-{first.form}", "date", f"{both} {third.surface}"), 3
        if second.kind == "month":
            return Token(f"{second.form}-{first.form}", "date", both), 2
    if first.form in ("$", "€", "¥") and second.kind == "number":
        scale = SCALES.get(third.form, 1)
        return _quantity(float(second.form) * scale, first.form, first.surface + second.surface), 2 + (scale != 1)
    if first.form == "every" and second.form in UNITS and second.kind == "word":
        return Token(f"{UNITS[second.form][1]:.12g} {UNITS[second.form][0]}", "quantity", second.surface), 2
    return first, 1


def _after_opener(tokens: Sequence[Token]) -> list[Token]:
    """The tokens after what a correction may begin with."""
    left = list(tokens)
    again = True
    while again:
        again = False
        forms = tuple(token.form for token in left)
        for opener in OPENERS:
            if forms[: len(opener)] == opener and len(forms) > len(opener) + 1:
                left, again = left[len(opener) :], True
                break
        if left and left[0].form in (":", ","):
            left = left[1:]
        if forms[:2] == ("as", "of") and len(forms) > 4 and left[2].kind in WHEN | {"number"}:
            left, again = left[3:], True
    return left


def _affirmed(tokens: Sequence[Token]) -> tuple[list[Token], tuple[int, ...]]:
    """The tokens without fillers and denials, words that deny turned into what they deny; and where they stood."""
    told: list[Token] = []
    denials: list[int] = []
    article = ""
    for place, token in enumerate(tokens):
        following = tokens[place + 1].form if place + 1 < len(tokens) else ""
        if article:
            token = token._replace(article=article)
        article = token.form if token.form in ("a", "an", "the", "our") else ""
        if token.kind != "word":
            told.append(token)
        elif token.form in NEGATIONS and not (token.form == "no" and following in ("is", ":", ".")):
            denials.append(len(told))
            if told and told[-1].form in ("do", "did"):
                told.pop()
        elif token.form in ENDED and following.endswith("ing"):
            denials.append(len(told))
        elif token.form == "against":
            denials.append(len(told))
            told.append(token._replace(form="for"))
        elif (stemmed := stem(token.form)) in DISLIKE:
            denials.append(len(told))
            told.append(token._replace(form="like"))
        elif stemmed in LIKE:
            told.append(token._replace(form="like"))
        elif token.form not in FILLERS:
            base = _base(token, after_end=place > 0 and tokens[place - 1].form in ENDED)
            told.append(token if base == token.form else token._replace(form=base))
    return told, tuple(denials)


def _base(token: Token, *, after_end: bool) -> str:
    word = token.form
    if after_end and word.endswith("ing"):
        bare = word[:-3]
        if bare + "e" in KEPT_E:
            return bare + "e"
        return bare[:-1] if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "sl" else bare
    return SPELLED.get(stem(word), stem(word))


def _han_number(text: str) -> str:
    if not any(character in "十百千万亿" for character in text):
        return "".join(str(_DIGITS[character]) for character in text)
    total = section = digit = 0
    last = 1
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
            continue
        scale = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}[character]
        if scale >= 10**4:
            total += (section + digit) * scale
            section = 0
        else:
            section += (digit or 1) * scale
        digit, last = 0, scale
    # 三千五 says 3500: a last digit without its own scale counts by the tenth of the one before it.
    return str(total + section + digit * (last // 10 if digit and last > 10 and "零" not in text else 1))


def _clock(hour: int, part: str | None) -> int:
    return hour + 12 if part in ("下午", "晚上", "傍晚") and hour < 12 else hour
