"""Successions: who has an office by now, how old somebody is by now, and where somebody lives, as a change of it is told."""

import re
from collections.abc import Sequence

from mcp_memory.changes import undated
from mcp_memory.lexicon import COPULAS, OFFICES
from mcp_memory.statements import Reading, Token, surface

_SUCCEEDED = frozenset("replaced succeeded".split())
_HAN_SUCCEEDED = re.compile(
    r"(?P<now>[^，。]{1,4}?)(?:接替|取代)(?P<was>[^，。]{1,4}?)(?:当上?|做|出任|担任|成为|任)(?P<office>[^，。]{2,8})"
)
_HAN_OURS = re.compile(r"^(?:我们|咱们|公司|团队|小组|我)的")
_AGED_BY = frozenset("today yesterday".split())
_MOVED = frozenset("moved relocated".split())


def succeeded(old: Reading, new: Reading) -> str | None:
    """An office that somebody has taken from whoever had it: "Alice is the CTO", "Bob replaced Alice as CTO"."""
    if old.denied or new.denied:
        return None
    told = _succession(new.tokens) or _succession_in_han(new.tokens)
    had = _had(old.tokens)
    if told is None or had is None:
        return None
    was, now, office = told
    if had not in ((was, office), (office, was)) or now == was:
        return None
    return f"{was} -> {now}"


def _succession(tokens: Sequence[Token]) -> tuple[str, str, str] | None:
    """Who had an office, who has it and which, of "B replaced A as O", "B took over from A as O", "A was replaced by B as O"."""
    told = undated(tokens)
    forms = [token.form for token in told]
    if forms.count("as") != 1:
        return None
    at, between, passive = forms.index("as"), 0, False
    place = next((place for place, form in enumerate(forms) if form in _SUCCEEDED), None)
    if place is not None:
        passive = forms[place - 1 : place] in (["was"], ["is"]) and forms[place + 1 : place + 2] == ["by"]
        between = place + 1 + passive
    elif forms[1:].count("took") == 1:
        place = forms.index("took")
        between = place + 3 if forms[place + 1 : place + 3] == ["over", "from"] else 0
    if place is None or not 0 < between < at:
        return None
    before, after, office = told[: place - passive], told[between:at], told[at + 1 :]
    if not office or office[-1].form not in OFFICES or office[0].article in ("a", "an") or len(before) > 3:
        return None
    was, now = (before, after) if passive else (after, before)
    if not was or not now or any(token.kind != "word" or token.article for token in (*was, *now)):
        return None
    return surface(was), surface(now), surface(office)


def _succession_in_han(tokens: Sequence[Token]) -> tuple[str, str, str] | None:
    found = _HAN_SUCCEEDED.fullmatch(surface(tokens).replace(" ", ""))
    return None if found is None else (found["was"], found["now"], _HAN_OURS.sub("", found["office"]))


def _had(tokens: Sequence[Token]) -> tuple[str, str] | None:
    """What stands on either side of a copula, where a statement says that one is the other."""
    at = next((place for place, token in enumerate(tokens) if token.form in ("is", "am", "are", "是")), None)
    if at is None or not at or at + 1 == len(tokens) or tokens[at + 1].article in ("a", "an"):
        return None
    sides = surface(tokens[:at]), surface(tokens[at + 1 :])
    if tokens[at].form == "是":
        return _HAN_OURS.sub("", sides[0].replace(" ", "")), _HAN_OURS.sub("", sides[1].replace(" ", ""))
    return sides


def aged(old: Reading, new: Reading) -> str | None:
    """Somebody's age by now: "the user is 34 years old", "the user turned 35 today"."""
    if old.denied or new.denied:
        return None
    forms = [token.form for token in new.tokens]
    if "turned" not in forms[1:]:
        return None
    at = forms.index("turned")
    told = undated(new.tokens[: -1 if forms[-1] in _AGED_BY else None])
    was = old.tokens[at + 1 :]
    if len(told) != at + 2 or [token.form for token in old.tokens[:at]] != forms[:at]:
        return None
    if not was or old.tokens[at].form not in COPULAS:
        return None
    before, after = _years(was), _years(told[at + 1 :])
    if before is None or after is None or not before < after < before + 30:
        return None
    return f"{before:.12g} -> {after:.12g}"


def _years(tokens: Sequence[Token]) -> float | None:
    """How many years an age is, told by a number alone or in years."""
    first, *rest = tokens
    if [token.form for token in rest] not in ([], ["old"], ["of", "age"]):
        return None
    if first.kind == "number":
        return float(first.form)
    value, _, dimension = first.form.partition(" ")
    years = first.kind == "quantity" and dimension == "calendar" and first.surface.endswith(("year", "years"))
    return float(value) / 12 if years else None


def tells_move(old: Reading, new: Reading) -> bool:
    """Whether the new statement says that somebody has moved, and the old one, with more or less else, where they live."""
    forms = [token.form for token in new.tokens]
    at = next(
        (place for place, form in enumerate(forms) if form in _MOVED and forms[place + 1 : place + 2] == ["to"]), 0
    )
    if not at or [token.form for token in old.tokens[:at]] != forms[:at]:
        return False
    lived = [token.form for token in old.tokens[at : at + 2]]
    return lived in (["live", "in"], ["reside", "in"], ["住", "在"])
