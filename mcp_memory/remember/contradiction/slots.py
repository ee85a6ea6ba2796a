"""Framing: whether what stands around a difference says that it is one value of one thing."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mcp_memory.remember.contradiction.lexicon import (
    ADJECTIVES,
    CHOICES,
    CHOSEN,
    COPULAS,
    DAYTIMES,
    DECIDED,
    HAN_CUES,
    HAN_DOING,
    HAN_PLACED,
    HAN_PLURAL,
    HAN_ROLES,
    HAN_STATES,
    KIN,
    MEASURED,
    PARTICIPLES,
    PAST_COPULAS,
    PLACES_AND_TIMES,
    PLURAL_NOUNS,
    ROLE_ENDINGS,
    ROLES,
    RUNNING,
    STATES,
    STATIVE,
    TOOLS,
    WISHES,
)
from mcp_memory.remember.contradiction.parsing import (
    TYPED,
    WHEN,
    Token,
    stem,
    surface,
)
from mcp_memory.remember.contradiction.value_types import (
    alike,
    alike_in_han,
    alike_in_place,
    alike_in_unit,
    apart_in_han,
    told_of_two,
)

POINTING = frozenset("this that it these those".split())
"""Subjects that may point to something else each time."""


class Gap(NamedTuple):
    """A stretch where two statements differ: old tokens [start, end) stand for new tokens [new_start, new_end)."""

    start: int
    end: int
    new_start: int
    new_end: int


def says_a_value(old: Sequence[Token], new: Sequence[Token], gap: Gap) -> bool:
    """Whether what stands before a difference says that one value follows, and of what."""
    before, after = old[: gap.start], old[gap.end :]
    was, now = old[gap.start : gap.end], new[gap.new_start : gap.new_end]
    if told_of_two(was, now):
        return False
    if any(token.kind == "han" for token in before):
        return _says_in_han(before, was, now, after)
    if _limited(was) != _limited(now) and not _exclusive(was, now):
        return False
    verb = _verb_place(before)
    if verb == 1 and before[0].form in POINTING:
        return False
    if _holds_typed(was) != _holds_typed(now):
        return False
    if _exclusive(was, now) and before and not any(token.form in COPULAS for token in after):
        return verb is not None and before[verb].form in COPULAS | CHOICES | WISHES | TOOLS
    if _typed(was, now):
        return _says_a_measure(before, was, now, after, verb)
    if verb is None or _more_than_one(before, verb):
        return False
    placed = all(is_address(value) for value in (was, now))
    if _holds_typed(was) and not placed and (before[verb].form not in COPULAS or _typed_in(was) != _typed_in(now)):
        return False
    return _says_a_name(before, was, now, after, verb)


def _typed(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether both values are numbers, dates, addresses and the like, of the same sort and with nothing else about them."""
    old_kinds = {token.kind for token in was if token.kind in TYPED}
    new_kinds = {token.kind for token in now if token.kind in TYPED}
    if not old_kinds or not new_kinds:
        return False
    both = old_kinds | new_kinds
    alike = bool(old_kinds & new_kinds) or any(both <= kinds for kinds in _ALIKE)
    loose = any(
        token.kind not in TYPED and token.form not in PLACES_AND_TIMES | DAYTIMES | {"and", "next", "到", "至"}
        for token in (*was, *now)
    )
    return alike and not loose and _typed_in(was) == _typed_in(now) and alike_in_unit(was, now)


_ALIKE = (WHEN, frozenset({"number", "quantity", "name"}), frozenset({"number", "time"}))
"""Kinds that may stand for each other."""


def _limited(value: Sequence[Token]) -> tuple[bool, bool, bool]:
    """Whether a value is told with a limit ("30 seconds for uploads"), as another statement, and by the time of day."""
    limit = any(token.form in PLACES_AND_TIMES | {"when", "if", "while", "during", "unless"} for token in value[1:])
    dated = all_of(value, TYPED)
    return (
        limit and not dated,
        any(is_verb(token) for token in value[1:]),
        any(t.form in DAYTIMES for t in value) and not dated,
    )


def _typed_in(tokens: Sequence[Token]) -> int:
    return sum(token.kind in TYPED for token in tokens)


def _holds_typed(tokens: Sequence[Token]) -> bool:
    """Whether a number or a date is among the tokens; an identifier may well stand for a name."""
    return any(token.kind in TYPED and token.kind != "name" for token in tokens)


def _exclusive(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether the values are states of which only one holds at a time."""
    if max(len(was), len(now)) > 4 or any(token.kind in TYPED for token in (*was, *now)):
        return False
    # What is running on something, or late, is not told by that to be no longer done.
    old_forms, new_forms = (
        {token.form for at, token in enumerate(value) if token.form != "running" or at + 1 == len(value)}
        for value in (was, now)
    )
    # Enabled for images and disabled in production are told of two things.
    of_two = {token.form for token in was[1:]} != {token.form for token in now[1:]}
    if of_two and all(_restricted(value) for value in (was, now)):
        return False
    return any((mine := old_forms & group) and (other := new_forms & group) and not mine & other for group in STATES)


def _restricted(value: Sequence[Token]) -> bool:
    return any(token.form in PLACES_AND_TIMES for token in value[1:])


def is_verb(token: Token) -> bool:
    """Whether it is a verb of what holds until it changes."""
    return token.kind == "word" and (
        token.form in COPULAS
        or token.form in STATIVE
        or token.form in MEASURED
        or token.form in CHOICES | TOOLS | WISHES
        or token.form == "have"
    )


def is_cue(token: Token) -> bool:
    """Whether a value may stand right after it."""
    return token.form in COPULAS or token.form in TOOLS or token.form in STATIVE["deploy"] or token.form == "用"


def _verb_place(before: Sequence[Token]) -> int | None:
    """Where a copula stands, else the first verb of what holds until it changes; after a subject, before a value."""
    copulas = [place for place, token in enumerate(before) if place and token.form in COPULAS]
    verbs = (place for place, token in enumerate(before) if place and is_verb(token) and not token.article)
    return next(iter((*copulas, *verbs)), None)


def _says_a_measure(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int | None
) -> bool:
    """Whether a number, a date or an address after a verb is the value of what stands before it."""
    forms = [token.form for token in before]
    if forms[:2] == ["1", "of"] or forms[0] in ("some", "another", "other"):
        return False
    dated = all_of(was, WHEN)
    if _recurs(was, now) and not _held_once(before, verb):
        return False
    if verb is None:
        # What ends in s right before a number is a verb in the third person that is not in the list.
        third = len(before) >= 2 and before[-1].kind == "word" and before[-1].surface.endswith("s") and forms[-1] != "s"
        bought = bool(DECIDED.intersection(forms))
        cued = not dated and not bought and (third or (forms[-1] in PLACES_AND_TIMES and len(before) >= 4))
        return cued and not any(token.form in COPULAS for token in after)
    if dated and forms[verb] in PAST_COPULAS:
        return False
    if (
        before[verb].form in STATIVE
        or before[verb].form in COPULAS
        or before[verb].form in MEASURED | {"have"} | TOOLS | CHOICES | WISHES
    ):
        if any(token.kind == "name" for token in (*was, *now)):
            return before[verb].form != "deploy" and (
                before[verb].form in COPULAS
                or forms[-1] in STATIVE.get(before[verb].form, ())
                or verb < len(before) - 1
                or bool(after)
            )
        return True
    return False


def _recurs(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether only the one day of the week is another: it may be one of several; a list of days is all of them."""
    return all([token.kind for token in value if token.kind in TYPED] == ["day"] for value in (was, now))


def _held_once(before: Sequence[Token], verb: int | None) -> bool:
    """Whether what stands before a day says that something is held on it: "the review is on", not "the shop is open on"."""
    if verb is None:
        return False
    tail = [token.form for token in before[verb + 1 :] if token.form not in PLACES_AND_TIMES]
    if any(token.kind == "day" for token in before):
        return True
    if before[verb].form in COPULAS:
        return all(form in HELD_ON for form in tail)
    return before[verb].form in STARTING or (before[verb].form == "take" and "place" in tail)


HELD_ON = frozenset("due scheduled planned held set fixed expected every next".split())
"""What may stand between a copula and the day on which something is."""
STARTING = frozenset("start begin end expire get".split())


def _more_than_one(before: Sequence[Token], verb: int) -> bool:
    """Whether the subject is one of several, or may have several of what is told."""
    subject = [token.form for token in before[:verb]]
    head = [form for form in subject if form not in PLACES_AND_TIMES]
    return bool(PLURAL_NOUNS.intersection(head) and not CHOSEN.intersection(head)) or subject[:1] == ["1"]


def _says_a_name(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int
) -> bool:
    """Whether a name or a word is the one value of the subject before it."""
    form = before[verb].form
    tail = [token.form for token in before[verb + 1 :]]
    if form in COPULAS:
        return _says_after_copula(before, was, now, after, verb)
    if form in TOOLS:
        return not tail and _for_one_use(after)
    if form in CHOICES | WISHES:
        if "to" in tail[:1]:
            return len(tail) > 1 and tail[-1] in COPULAS | {"called", "be"}
        return (form in CHOICES and not tail and bool(after)) or (bool(tail) and tail[-1] in PLACES_AND_TIMES)
    if form in ANIMATE and not _is_known(before[:verb]):
        return False
    prepositions = STATIVE.get(form, frozenset[str]())
    if form == "run" and RUNNING.intersection(token.form for token in before[:verb]):
        return False
    while tail and tail[-1] in ("small", "big", "new", "my", "his", "her", "their", "house"):
        tail.pop()
    if abs(len(was) - len(now)) > 2 or (form == "go" and tail[-1:] != ["at"] and verb < 2 and not before[0].article):
        return False
    if was[0].article != now[0].article and not (is_name(was) and is_name(now)):
        return False
    if not tail:
        both = {value[0].form for value in (was, now)}
        return both <= prepositions and (len(both) == 1 or both <= {"in", "at", "on"} or both <= {"at", "for"})
    reached = [place for place, word in enumerate(tail) if word in prepositions]
    if form in ("work", "live") and "in" not in prepositions and tail[-1] == "in":
        reached = [len(tail) - 1]
    return bool(reached) and len(tail) - 1 - reached[-1] <= 1 + ("in" in tail[-2:])


ANIMATE = frozenset("live reside work study stay sleep bank train".split())
"""What persons do; of those who are only told by what they are to somebody there may be several."""


def _for_one_use(after: Sequence[Token]) -> bool:
    """Whether it is told what something is used for, of which one thing is used: "for caching", not "for Python"."""
    forms = [token.form for token in after]
    if forms[:1] == ["for"] and len(forms) > 1:
        return any(
            form.endswith("ing") or form in ROLES or stem(form) in ROLES or form.endswith(ENDINGS_OF_USES)
            for form in forms
        )
    return forms[:1] in (["as"], ["to"], ["instead"])


ENDINGS_OF_USES = ("tion", "ment", "sis", "ance", "ence", "sion", "age")
"""What the names of what is done end in."""


def _is_known(subject: Sequence[Token]) -> bool:
    """Whether a subject is one known person: named, a pronoun, with "the", or one that somebody has one of."""
    if _owned(subject):
        return _names_a_role(subject) or any(token.form in KIN or token.capital for token in subject[-1:])
    return _is_sole(subject) or len(subject) == 1


def _owned(subject: Sequence[Token]) -> bool:
    """Whether a subject is told by whose it is."""
    forms = [token.form for token in subject]
    return forms[0] in ("my", "his", "her", "their", "your") or "s" in forms


def _says_after_copula(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int
) -> bool:
    """Whether the value stands right after a copula, or after how or where it holds ("is handled by", "is kept in")."""
    subject, tail = before[:verb], [token.form for token in before[verb + 1 :]]
    held = bool(tail) and tail[0] in PARTICIPLES
    rest = tail[1:] if held else tail
    placed = bool(rest) and rest[0] in PLACES_AND_TIMES
    rest = rest[1:] if placed else rest
    if not held and not placed and was[0].form in PLACES_AND_TIMES and now[0].form in PLACES_AND_TIMES:
        if was[0].form != now[0].form:
            return False
        placed, was, now = True, was[1:], now[1:]
    if len(rest) > 1 + ("and" in rest) * 2 or any(word in PLACES_AND_TIMES for word in rest) or not was or not now:
        return False
    named = all(is_name(value) for value in (was, now))
    pointed = all(value[0].article == "the" for value in (was, now))
    if held and tail[0] in ("called", "named") and _owned(subject) and not _names_a_role(subject):
        # Names stay: another one is that of another dog.
        return False
    if held:
        agent = tail[-1:] == ["by"] or (len(tail) > 1 and tail[1] == "by")
        unnamed = not any(is_name(value) for value in (was, now)) and was[0].article == now[0].article
        return tail[0] in ("called", "named", "pronounced") or (
            placed and (named or unnamed or agent) and alike_in_place(was, now, agent=agent)
        )
    if any(token.form in COPULAS for token in after):
        return False
    if placed:
        return (
            (named or pointed)
            and alike_in_place(was, now)
            and ((_is_sole(subject) and tail[:1] != ["for"]) or _names_a_role(subject))
        )
    if not alike(subject, was, now, after):
        return False
    if any(token.form in ADJECTIVES for token in (was[-1], now[-1])) and not CHOSEN.intersection(
        t.form for t in subject
    ):
        return False
    if any(value[0].article in ("a", "an") for value in (was, now)):
        return named and _names_a_role(subject) and was[0].article == now[0].article
    return _names_a_role(subject)


def _is_sole(subject: Sequence[Token]) -> bool:
    """Whether a subject is one known thing or person: named, or with "the", or whose; not "a student of mine"."""
    if subject[0].article in ("a", "an") or subject[0].form in ("1", "some", "another", "other"):
        return False
    return len(subject) > 1 or bool(subject[0].article) or subject[0].capital


def of_one_role(old: Sequence[Token], new: Sequence[Token]) -> bool:
    """Whether both say what the same one thing or person is: "my wife is …", "我的车是…"."""
    same = 0
    while same < min(len(old), len(new)) and old[same].form == new[same].form:
        same += 1
    copula = next((at for at in range(1, same) if old[at].form in COPULAS | {"是"}), None)
    if copula is None:
        return False
    if old[copula].form == "是":
        lead = surface(old[:copula])
        return not any(mark in lead for mark in HAN_PLURAL) and ("的" in lead or lead.endswith(HAN_ROLES))
    return _names_a_role(old[:copula]) and not _more_than_one(old, copula)


_STREETS = frozenset("street road avenue lane drive square boulevard st rd ave".split())


def is_address(value: Sequence[Token]) -> bool:
    """Whether a value is a street and a number in it: "Oak Street 7"."""
    numbered = [token for token in value if token.kind == "number"]
    named = [token for token in value if token.kind != "number"]
    return len(numbered) == 1 and len(named) > 1 and named[-1].form in _STREETS and all(t.capital for t in named)


def is_name(value: Sequence[Token]) -> bool:
    """Whether a name is among the tokens of a value."""
    return any(token.capital or token.kind == "name" for token in value)


def _names_a_role(subject: Sequence[Token]) -> bool:
    """Whether the subject is what something has one of at a time: "the owner of …", "my favourite …", "the log level"."""
    forms = [token.form for token in subject]
    head = forms[: next((place for place, form in enumerate(forms) if form in PLACES_AND_TIMES and place), len(forms))]
    last = head[-1] if head else ""
    return (
        last in ROLES
        or stem(last) in ROLES
        or last.endswith(ROLE_ENDINGS)
        or bool(CHOSEN.intersection(forms))
        or bool(ROLES.intersection(forms[:2]))
        or (subject[0].article == "the" and any(AGENT.fullmatch(form) for form in (last, *forms[:3])))
    )


AGENT = re.compile(r"(?:\w{3,}(?:er|or)|intern|assistant|consultant)")
"""Who does something; with an article there is one of them."""


# Chinese


def _says_in_han(before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token]) -> bool:
    """The same for Chinese, where a cue stands right before the value or a number is one by itself."""
    lead, tail = surface(before).replace(" ", ""), surface(after).replace(" ", "")
    if not lead:
        return False
    if any(copula in tail for copula in ("是", "为", "住在")):
        return False
    if _holds_typed(was) != _holds_typed(now):
        return False
    if _exclusive_in_han(lead, was, now, tail):
        return True
    if _typed(was, now):
        # A number before what is told of the thing is its name: 第3台服务器在上海.
        numbered = all(token.kind in ("number", "name") for token in (*was, *now))
        if _recurs(was, now) and tail and not lead.endswith(HAN_CUES) and not tail.startswith(HAN_STARTING):
            return False
        if lead.endswith("第") or (numbered and any(cue in tail for cue in ("在", "是", "用", "叫", "有", "位于"))):
            return False
        return len(lead) + len(tail) > 2
    if _holds_typed(was):
        return False
    head = lead.rpartition("的")[2]
    return not any(mark in head for mark in HAN_PLURAL) and _cued_in_han(lead, tail, was, now)


HAN_STARTING = tuple("开始 结束 截止 到期 上线 发布 交付 召开 举行 开会".split())
"""What follows a day on which something is, once."""


HAN_RENAMED = tuple("项目 产品 公司 服务 系统 应用 仓库 团队 店".split())
"""What may get another name, while another dog's name is another dog."""


def _exclusive_in_han(lead: str, was: Sequence[Token], now: Sequence[Token], tail: str) -> bool:
    old, new = surface(was) + tail, surface(now) + tail
    if "的" in (old.replace(" ", "")[:1], new.replace(" ", "")[:1]):
        return False
    old, new = lead[-2:] + old, lead[-2:] + new
    for group in HAN_STATES:
        mine = max((state for state in group if state in old), key=len, default="")
        other = max((state for state in group if state in new), key=len, default="")
        if mine and other and mine != other:
            return True
    return False


def _cued_in_han(lead: str, tail: str, was: Sequence[Token], now: Sequence[Token]) -> bool:
    cue = next((cue for cue in HAN_CUES if lead.endswith(cue)), None)
    if cue is None:
        # A value may begin as the old one did: 在北 京|海.
        return False
    subject = lead[: -len(cue)]
    if cue in ("用", "使用"):
        return bool(tail)
    if cue == "叫" and "的" in subject:
        return subject.endswith((*HAN_ROLES, *HAN_RENAMED))
    if cue in ("是", "为"):
        sole = len(subject) >= 2 and ("的" in subject[:-1] or subject.endswith(HAN_ROLES + HAN_DONE_BY))
        return sole and alike_in_han(surface(was), surface(now), tail)
    if cue == "在":
        doing = any(value and value[0].form in HAN_DOING for value in (was, now))
        told = (surface(was), surface(now), tail)
        if any(mark in part for mark in HAN_HAVING for part in told) or apart_in_han(*told):
            return False
        return bool(subject) and not doing and (not tail or tail.split("，")[0].endswith(HAN_PLACED))
    return bool(subject)


HAN_DONE_BY = ("用的", "负责的", "管的", "主持的", "值班的", "带队的", "要的", "住的", "开的")
"""What one thing or person is told of before 是; of those who come or like something there may be several."""
HAN_HAVING = ("有", "设", "开了", "买", "租了")
"""What one may have or do in several places."""


def all_of(tokens: Sequence[Token], kinds: frozenset[str]) -> bool:
    """Whether the tokens are of some kinds, with nothing but prepositions between them."""
    return any(token.kind in kinds for token in tokens) and all(
        token.kind in kinds or token.form in PLACES_AND_TIMES for token in tokens
    )
