"""Comparing two statements: what a new one changes in an old one, if it says otherwise of the same thing."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from mcp_memory.lexicon import (
    CHANGED,
    CHOICES,
    CHOSEN,
    ADJECTIVES,
    WISHES,
    COPULAS,
    DECIDED,
    HAN_CUES,
    HAN_PLURAL,
    HAN_ROLES,
    HAN_STATES,
    MEASURED,
    ONCE,
    PARTICIPLES,
    PAST,
    PAST_COPULAS,
    PLACES_AND_TIMES,
    PLURAL_NOUNS,
    PURPOSES,
    ROLE_ENDINGS,
    ROLES,
    STATES,
    STATIVE,
    TOOLS,
)
from mcp_memory.statements import TYPED, WHEN, Reading, Token, read, stem

VALUE_TOKENS = 8
"""Tokens a value has at most, on either side."""
SHARED = 0.4
"""Share of the tokens of the longer statement that both have in common, at least."""


class Gap(NamedTuple):
    """A stretch where two statements differ: old tokens [start, end) stand for new tokens [new_start, new_end)."""

    start: int
    end: int
    new_start: int
    new_end: int


def change(old: str, new: str) -> str | None:
    """What a new statement changes in an old one, in words, where it says otherwise of the same thing; else None.

    Three shapes are known: the value after a cue that both share is another one; the same is told in the negative;
    the new statement says what changed and names what it was.

    >>> change("The deploy port is 8080.", "The deploy port is 9090.")
    '8080 -> 9090'
    >>> change("We use Yarn.", "We switched from Yarn to pnpm.")
    'yarn -> pnpm'
    >>> change("I eat meat.", "I don't eat meat.")
    'no longer so'
    >>> change("The staging port is 8080.", "The production port is 8080.")
    >>> change("Is the port 8080?", "Is the port 9090?")
    """
    return change_between(read(old), read(new))


def change_between(old: Reading, new: Reading) -> str | None:
    """`change` of statements that are read already."""
    if old.asks or new.asks or len(old.tokens) < 2 or len(new.tokens) < 2:
        return None
    named = _named_change(old, new)
    if named:
        return named
    was, now = list(old.tokens), _as_state(new.tokens)
    if _happened(was, once=old.once) or _happened(now, once=new.once):
        return None
    gaps = _gaps(was, now)
    if len(now) != len(new.tokens) or now != list(new.tokens):
        gaps = [gap for gap in gaps if gap.new_start < gap.new_end or _surface(was[gap.start : gap.end]) not in PLACES_AND_TIMES]
    if old.denied != new.denied:
        return _flip(was, gaps, denied=new.denied)
    if not gaps:
        return None
    if reason := _swapped(was, now, gaps):
        return reason
    merged = Gap(gaps[0].start, gaps[-1].end, gaps[0].new_start, gaps[-1].new_end)
    if any(place <= merged.new_start for place in (*old.denials, *new.denials)):
        return None
    if _refined(was[merged.start : merged.end], now[merged.new_start : merged.new_end]):
        return None
    if not _comparable(was, now, gaps, merged):
        return None
    if _says_a_value(was, now, gaps, merged):
        return f"{_surface(was[merged.start : merged.end])} -> {_surface(now[merged.new_start : merged.new_end])}"
    return None


def _gaps(old: Sequence[Token], new: Sequence[Token]) -> list[Gap]:
    matcher = SequenceMatcher(None, [token.form for token in old], [token.form for token in new], autojunk=False)
    return [Gap(*places) for operation, *places in matcher.get_opcodes() if operation != "equal"]


def _surface(tokens: Sequence[Token]) -> str:
    han = all(token.kind == "han" for token in tokens)
    return ("" if han else " ").join(token.surface for token in tokens)


# what happened once, and the negative


def _happened(tokens: Sequence[Token], *, once: bool) -> bool:
    """Whether a statement tells of an event: another one like it corrects nothing."""
    if once or any(token.form in ONCE for token in tokens):
        return True
    for place, token in enumerate(tokens[:6]):
        if token.kind != "word" or token.form in DECIDED:
            continue
        before = {earlier.form for earlier in tokens[max(0, place - 3) : place]}
        if token.form in PAST and not before & (COPULAS | {"have", "have", "had"}):
            return True
        participle = token.form.endswith("ed") and len(token.form) > 4 and token.form not in PARTICIPLES | CHANGED
        if participle and place and place < 4 and not before & COPULAS and not _followed_by_verb(tokens, place):
            return True
    return False


def _followed_by_verb(tokens: Sequence[Token], place: int) -> bool:
    """Whether a verb comes after a participle, which is then part of the subject ("the failed webhooks is")."""
    return any(_is_verb(token) for token in tokens[place + 1 :])


def _flip(old: Sequence[Token], gaps: Sequence[Gap], *, denied: bool) -> str | None:
    """That what was so is not, or the other way about: all the same but for the denial.

    What is denied altogether is denied in its particulars, so an old statement that ends in more may still be meant.
    """
    if not gaps:
        return "no longer so" if denied else "so by now"
    gaps = [gap for gap in gaps if gap.new_start < gap.new_end or _surface(old[gap.start : gap.end]) not in OFTEN]
    if not gaps:
        return "no longer so"
    [first, *rest] = gaps
    extra = not rest and denied and first.new_start == first.new_end and first.end == len(old) and first.start >= 2
    extra = extra and old[first.start].form not in ("and", "or", "but", "和", "跟", "与", "但", ":")
    if extra and first.end - first.start <= first.start + 1:
        return "no longer so"
    return None


OFTEN = frozenset("每天 经常 常 一直 每周 often usually sometimes regularly daily".split())
"""How often something was so; what is so no longer is not so at all."""


def _refined(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether one value only says more than the other: "in May" and "on 12 May", "Alice" and "Alice Moreau"."""
    old, new = [token.form for token in was], [token.form for token in now]
    if _place_of(old, new) is not None or _place_of(new, old) is not None:
        return True
    dates = [token for token in (*was, *now) if token.kind == "date"]
    months = [token for token in (*was, *now) if token.kind == "month"]
    return any(month.form in date.form.split("-")[:-1] for date in dates for month in months)


def _swapped(old: Sequence[Token], new: Sequence[Token], gaps: Sequence[Gap]) -> str | None:
    """Two things that changed places around `over`, `to` or `than` ("tabs over spaces")."""
    for middle in ("over", "to", "than", "before"):
        forms, other = [token.form for token in old], [token.form for token in new]
        if middle not in forms or middle not in other or sorted(forms) != sorted(other):
            continue
        at, there = forms.index(middle), other.index(middle)
        if at == there and forms[at + 1 :] == other[gaps[0].new_start : there] and gaps[0].start >= 1:
            return f"{_surface(old[gaps[0].start : at])} -> {_surface(new[gaps[0].new_start : there])}"
    return None


# a change that is told as one


def _as_state(tokens: Sequence[Token]) -> list[Token]:
    """A statement of a change as one of what holds after it: "the port changed to 9090" says that the port is 9090."""
    told = list(tokens)
    for place, token in enumerate(told[:-1]):
        if token.form not in CHANGED or not place:
            continue
        if told[place + 1].form == "to":
            return [*told[:place], Token("is", "word", "is"), *told[place + 2 :]]
        if told[place + 1].form == "from" and any(later.form == "to" for later in told[place + 3 :]):
            to = next(at for at, later in enumerate(told) if at > place + 1 and later.form == "to")
            return [*told[:place], Token("is", "word", "is"), *told[to + 1 :]]
    return told


def _named_change(old: Reading, new: Reading) -> str | None:
    """A change in which the new statement names what it was: "from A to B", "B instead of A", "not A but B"."""
    found = _former(new)
    if found is None:
        return None
    subject, former, value, rest = found
    forms = [token.form for token in old.tokens]
    at = _place_of([token.form for token in former], forms)
    if at is None or not value or old.denied:
        return None
    known = {_bare(form) for form in forms}
    told = [token for token in subject if token.form not in PLACES_AND_TIMES | COPULAS]
    if not told or not all(_bare(token.form) in known for token in told):
        return None
    spent = {_bare(token.form) for token in (*former, *subject, *value, *rest)}
    left = [form for form in forms if _bare(form) not in spent | PLACES_AND_TIMES | COPULAS and form not in _CARRIERS]
    if len(left) > len(told) + 1 or (at == 0 and len(forms) > len(former) + 5):
        return None
    return f"{_surface(former)} -> {_surface(value)}"


_CARRIERS = frozenset("use host run live deploy manage lead do be as editor have work for 用 使 的 是 我 们".split())
"""Words of the old statement that a change need not repeat."""


def _former(new: Reading) -> tuple[list[Token], list[Token], list[Token], list[Token]] | None:
    """The subject, the former value, the new value and what else is said, of a statement of change."""
    told = list(new.tokens)
    forms = [token.form for token in told]
    for place, form in enumerate(forms):
        if form in CHANGED and "from" in forms[place:] and "to" in forms[place:]:
            start, to = forms.index("from", place), forms.index("to", place)
            if start < to:
                return told[:place] + told[place + 1 : start], told[start + 1 : to], told[to + 1 :], []
        if form in CHANGED and place and new.denied and "to" in forms[place : place + 2]:
            head = [token for token in told[:place]]
            for cut in range(len(head) - 1, 0, -1):
                if head[cut - 1].form in COPULAS | TOOLS | {"用", "是", "在", "叫"}:
                    return head[:cut], head[cut:], told[place + 2 : place + 2 + len(head) - cut], []
    if forms.count("instead") == 1 and forms.index("instead") < len(forms) - 2:
        at = forms.index("instead")
        cue = max((i for i in range(at) if _is_cue(told[i])), default=None)
        if cue is not None and cue >= 1:
            return told[:cue], told[at + 2 :], told[cue + 1 : at], []
    if new.denied and "but" in forms:
        at = forms.index("but")
        cue = max((i for i in range(at) if told[i].form in COPULAS), default=None)
        if cue is not None and cue >= 1:
            return told[:cue], told[cue + 1 : at], told[at + 1 :], []
    if "took" in forms and forms[forms.index("took") + 1 :][:1] == ["over"] and "from" in forms:
        at, start = forms.index("took"), forms.index("from")
        return told[at + 2 : start], told[start + 1 :], told[:at], []
    return None


def _place_of(part: Sequence[str], whole: Sequence[str]) -> int | None:
    """Where some words stand in others, one after the other."""
    width = len(part)
    return next((at for at in range(len(whole) - width + 1) if width and list(whole[at : at + width]) == list(part)), None)


def _bare(form: str) -> str:
    return stem(form.removesuffix("ing"))


# the value after a cue


def _comparable(old: Sequence[Token], new: Sequence[Token], gaps: Sequence[Gap], merged: Gap) -> bool:
    """Whether two statements are the same but for one stretch that may be a value, and share enough around it."""
    was, now = old[merged.start : merged.end], new[merged.new_start : merged.new_end]
    if not was or not now or max(len(was), len(now)) > VALUE_TOKENS:
        return False
    shared = sum(gap_start - end for end, gap_start in _equal_runs(len(old), gaps))
    if shared < 2 or shared < SHARED * max(len(old), len(new)):
        return False
    if len(gaps) == 1:
        return gaps[0].start > 0
    if gaps[0].start == 0:
        return False
    # Two differences are one value only where nothing of weight stands between them, or all are dates.
    if all(_all_of(old[g.start : g.end], WHEN) and _all_of(new[g.new_start : g.new_end], WHEN) for g in gaps):
        return True
    between = [token for left, right in zip(gaps, gaps[1:], strict=False) for token in old[left.end : right.start]]
    if any(_is_verb(token) or token.form in ("是", "在", "用") for token in between):
        return False
    if all(token.kind == "han" for token in (*was, *now)):
        return len(between) == 1 and len(was) <= 4 and old[merged.start - 1].form in ("是", "叫", "姓", "为")
    return all(token.kind == "word" and len(token.form) <= 3 for token in between) and len(between) <= 2


def _equal_runs(length: int, gaps: Sequence[Gap]) -> list[tuple[int, int]]:
    edges = [0, *(gap.end for gap in gaps)]
    return list(zip(edges, [*(gap.start for gap in gaps), length], strict=True))


def _all_of(tokens: Sequence[Token], kinds: frozenset[str]) -> bool:
    return any(token.kind in kinds for token in tokens) and all(
        token.kind in kinds or token.form in PLACES_AND_TIMES for token in tokens
    )


def _says_a_value(old: Sequence[Token], new: Sequence[Token], gaps: Sequence[Gap], merged: Gap) -> bool:
    """Whether what stands before a difference says that one value follows, and of what."""
    before, after = old[: merged.start], old[merged.end :]
    was, now = old[merged.start : merged.end], new[merged.new_start : merged.new_end]
    if any(token.kind == "han" for token in before):
        return _says_in_han(before, was, now, after)
    verb = _verb_place(before)
    if _holds_typed(was) != _holds_typed(now):
        return False
    if _exclusive(was, now) and before and not any(token.form in COPULAS for token in after):
        return verb is not None and before[verb].form in COPULAS | CHOICES | WISHES | TOOLS
    if _typed(was, now, before):
        return _says_a_measure(before, was, now, after, verb)
    if verb is None or _more_than_one(before, verb):
        return False
    return _says_a_name(before, was, now, after, verb)


def _typed(was: Sequence[Token], now: Sequence[Token], before: Sequence[Token]) -> bool:
    """Whether both values are numbers, dates, addresses and the like, of the same sort."""
    old_kinds = {token.kind for token in was if token.kind in TYPED}
    new_kinds = {token.kind for token in now if token.kind in TYPED}
    if not old_kinds or not new_kinds:
        return False
    loose = sum(token.kind not in TYPED and token.form not in PLACES_AND_TIMES for token in (*was, *now))
    alike = bool(old_kinds & new_kinds) or (old_kinds | new_kinds <= WHEN) or (
        old_kinds | new_kinds <= {"number", "quantity", "name"}
    )
    return alike and loose <= 2


def _holds_typed(tokens: Sequence[Token]) -> bool:
    """Whether a number or a date is among the tokens; an identifier may well stand for a name."""
    return any(token.kind in TYPED and token.kind != "name" for token in tokens)


def _exclusive(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether the values are states of which only one holds at a time."""
    if max(len(was), len(now)) > 4 or any(token.kind in TYPED for token in (*was, *now)):
        return False
    old_forms, new_forms = {token.form for token in was}, {token.form for token in now}
    return any(
        (mine := old_forms & group) and (other := new_forms & group) and not mine & other
        for group in STATES
    )


def _is_verb(token: Token) -> bool:
    return token.kind == "word" and (
        token.form in COPULAS or token.form in STATIVE or token.form in MEASURED or token.form in CHOICES | TOOLS | WISHES
        or token.form == "have"
    )


def _is_cue(token: Token) -> bool:
    return token.form in COPULAS or token.form in TOOLS or token.form in STATIVE["deploy"] or token.form == "用"


def _verb_place(before: Sequence[Token]) -> int | None:
    """Where a copula stands, else the first verb of what holds until it changes; after a subject, before a value."""
    copulas = [place for place, token in enumerate(before) if place and token.form in COPULAS]
    return next(iter((*copulas, *(place for place, token in enumerate(before) if place and _is_verb(token)))), None)


def _says_a_measure(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int | None
) -> bool:
    """Whether a number, a date or an address after a verb is the value of what stands before it."""
    forms = [token.form for token in before]
    if "one" in forms[:1] or forms[:2] == ["1", "of"]:
        return False
    dated = _all_of(was, WHEN)
    if verb is None:
        cued = forms[-1] in PLACES_AND_TIMES and len(before) >= 4 and not dated
        return cued and not any(token.form in COPULAS for token in after)
    if dated and forms[verb] in PAST_COPULAS:
        return False
    if before[verb].form in STATIVE or before[verb].form in COPULAS or before[verb].form in MEASURED | {"have"} | TOOLS | CHOICES | WISHES:
        if any(token.kind == "name" for token in (*was, *now)):
            return before[verb].form in COPULAS or forms[-1] in STATIVE.get(before[verb].form, ()) or bool(after)
        return True
    return False


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
        return not tail and bool(after) and after[0].form in PURPOSES
    if form in CHOICES | WISHES:
        if "to" in tail[:1]:
            return len(tail) > 1 and tail[-1] in COPULAS | {"called", "be"}
        return (form in CHOICES and not tail and bool(after)) or (bool(tail) and tail[-1] in PLACES_AND_TIMES)
    prepositions = STATIVE.get(form, frozenset[str]())
    while tail and tail[-1] in ("small", "big", "new", "my", "his", "her", "their", "house"):
        tail.pop()
    if abs(len(was) - len(now)) > 2 or (form == "go" and tail[-1:] != ["at"] and verb < 2 and not before[0].article):
        return False
    if not tail:
        return bool(was) and was[0].form in prepositions and now[0].form in prepositions
    reached = [place for place, word in enumerate(tail) if word in prepositions]
    if form in ("work", "live") and "in" not in prepositions and tail[-1] == "in":
        reached = [len(tail) - 1]
    return bool(reached) and len(tail) - 1 - reached[-1] <= 1 + ("in" in tail[-2:])


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
        placed, was, now = True, was[1:], now[1:]
    if len(rest) > 1 + ("and" in rest) * 2 or any(word in PLACES_AND_TIMES for word in rest) or not was or not now:
        return False
    named = all(_is_name(value) for value in (was, now))
    pointed = all(value[0].article == "the" for value in (was, now))
    if held:
        return placed and (named or not any(_is_name(value) for value in (was, now)) and was[0].article == now[0].article) or (
            tail[0] in ("called", "named", "pronounced")
        )
    if any(token.form in COPULAS for token in after):
        return False
    if placed:
        return (named or pointed) and (len(subject) > 1 or bool(subject[0].article) or _names_a_role(subject))
    if any(token.form in ADJECTIVES for token in (was[-1], now[-1])) and not CHOSEN.intersection(t.form for t in subject):
        return False
    if any(value[0].article in ("a", "an") for value in (was, now)):
        return named and _names_a_role(subject) and was[0].article == now[0].article
    return _names_a_role(subject) or (named and len(subject) > 1)


def _is_name(value: Sequence[Token]) -> bool:
    return any(token.capital or token.kind == "name" for token in value)


def _names_a_role(subject: Sequence[Token]) -> bool:
    """Whether the subject is what something has one of at a time: "the owner of …", "my favourite …", "the log level"."""
    forms = [token.form for token in subject]
    head = forms[: next((place for place, form in enumerate(forms) if form in PLACES_AND_TIMES and place), len(forms))]
    last = head[-1] if head else ""
    return (
        last in ROLES or stem(last) in ROLES or last.endswith(ROLE_ENDINGS) or bool(CHOSEN.intersection(forms))
        or bool(ROLES.intersection(forms[:2]))
    )


# Chinese


def _says_in_han(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token]
) -> bool:
    """The same for Chinese, where a cue stands right before the value or a number is one by itself."""
    lead, tail = _surface(before).replace(" ", ""), _surface(after).replace(" ", "")
    if len(lead) < 2:
        return False
    if any(copula in tail for copula in ("是", "为", "住在")):
        return False
    if _holds_typed(was) != _holds_typed(now):
        return False
    if _exclusive_in_han(lead, was, now, tail):
        return True
    if _typed(was, now, before):
        return True
    return not any(mark in lead for mark in HAN_PLURAL) and _cued_in_han(lead, tail, was, now)


def _exclusive_in_han(lead: str, was: Sequence[Token], now: Sequence[Token], tail: str) -> bool:
    old, new = _surface(was) + tail, _surface(now) + tail
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
    if cue in ("是", "为"):
        return len(subject) >= 3 and subject[-1] != "我" or subject.endswith(HAN_ROLES)
    return bool(subject)
