"""Successions: who has an office by now, how old somebody is by now, and where somebody lives, as a change of it is told."""

import re
from collections.abc import Sequence

from mcp_memory.language.tokenization import STOP_WORDS, compared_words
from mcp_memory.remember.contradiction.change_phrases import is_dwelling, place_of, undated
from mcp_memory.remember.contradiction.lexicon import (
    COPULAS,
    HAN_STATES,
    OFFICES,
    TOOLS,
)
from mcp_memory.remember.contradiction.parsing import Reading, Token, surface

_SUCCEEDED = frozenset("replaced succeeded".split())
_HAN_SUCCEEDED = re.compile(
    r"(?P<now>[^，。]{1,4}?)(?:接替|取代)(?P<was>[^，。]{1,4}?)(?:当上?|做|出任|担任|成为|任)(?P<office>[^，。]{2,8})"
)
_HAN_OURS = re.compile(r"^(?:我们|咱们|公司|团队|小组|我)的")
_AGED_BY = frozenset("today yesterday".split())
_MOVED = frozenset("moved relocated".split())
_DWELLS = (["live", "in"], ["reside", "in"], ["住", "在"], *([moved, "to"] for moved in sorted(_MOVED)))
_TOLD_ALSO = {"live": "moved", "lives": "moved", "moved": "live", "relocated": "live"} | dict.fromkeys(
    ["job", "started", "joined", "hired"], "work"
)
"""With which word else it is told where somebody lives or works."""
_SEVERAL = frozenset("we they it team company department".split())
"""Who may move in more ways than one: to another town, and to another tool."""
_STARTED = frozenset("started joined work began".split())
_HAS_TAKEN = frozenset("started start have got took accepted found landed began".split())
_HAN_EXCHANGED = re.compile(
    r"(?P<who>我|他|她|我们)换了?(?:新)?(?P<what>[^，。用是的]{1,6}?)(?:的|用的|开的|住的)是(?P<now>[^，。]{1,16})"
)


def searched_words(text: str) -> list[str]:
    """The words by which statements are found that this one may be news of: its own, and others that tell the same."""
    words = compared_words(text)
    return list(dict.fromkeys([*words, *(_TOLD_ALSO[word] for word in words if word in _TOLD_ALSO)]))


def succession(old: Reading, new: Reading) -> str | None:
    """A change of who has an office, how old somebody is, where somebody lives or works, what is used or owned, as it is told."""
    if old.denied:
        return None
    if new.tokens and new.tokens[0].kind == "han":
        return succeeded(old, new) or _exchanged(old, new) or _become(old, new)
    return succeeded(old, new) or aged(old, new) or _supplanted(old, new) or _went(old, new)


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
    head = next((at for at, token in enumerate(office) if at and token.form in ("for", "of", "at")), len(office))
    if not office or office[head - 1].form not in OFFICES or office[0].article in ("a", "an") or len(before) > 3:
        return None
    if any(token.kind not in ("word", "name") for token in office[head:]):
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


def _supplanted(old: Reading, new: Reading) -> str | None:
    """A tool that another has replaced: "we use Webpack for bundling", "Vite replaced Webpack for bundling"."""
    told, was = list(new.tokens), list(old.tokens)
    forms = [token.form for token in told]
    at = next((place for place, form in enumerate(forms) if form == "replaced"), 0)
    if new.denied or not 0 < at < 3 or any(token.form in STOP_WORDS or token.article for token in told[:at]):
        return None
    end = next((place for place in range(at + 1, len(told)) if not _is_name(told[place])), len(told))
    former, rest = forms[at + 1 : end], forms[end:]
    start = place_of(former, [token.form for token in was]) if former else None
    if not start or was[start - 1].form not in TOOLS:
        return None
    left = [token.form for token in was[start + len(former) :]]
    return f"{' '.join(former)} -> {surface(told[:at])}" if rest in ([], left) else None


def _is_name(token: Token) -> bool:
    return token.capital or token.kind == "name"


def _went(old: Reading, new: Reading) -> str | None:
    """Where somebody works or lives by now: "I left Siemens and started at Bosch", "my sister moved to Marseille"."""
    forms, was = [token.form for token in new.tokens], [token.form for token in old.tokens]
    if new.denied:
        return None
    told = undated(new.tokens)
    if dwells := _dwells_at(old.tokens, new.tokens):
        before, after = old.tokens[dwells + 2 :], told[dwells + 2 :]
        same = surface(old.tokens[:dwells]) == surface(new.tokens[:dwells])  # my brothers are not my brother
        names = same and before and after and is_dwelling(after) and all(_is_name(token) for token in (*before, *after))
        return f"{surface(before)} -> {surface(after)}" if names and surface(before) != surface(after) else None
    if hired := _hired(told, forms):
        who, employer = hired
        if was[: len(who) + 1] != [*who, "work"] or was[len(who) + 1 : len(who) + 2] not in (["at"], ["for"]):
            return None
        before = old.tokens[len(who) + 2 :]
        named = all(map(_is_name, (*before, *employer))) and surface(before) != surface(employer)
        return f"{surface(before)} -> {surface(employer)}" if before and named else None
    at = next((place for place, form in enumerate(forms) if form == "left"), 0)
    then = next((place for place, form in enumerate(forms) if form in ("and", "for") and place > at + 1), 0)
    if not at or not then or was[: at + 1] != [*forms[:at], "work"] or was[at + 1 : at + 2] not in (["at"], ["for"]):
        return None
    if was[at + 2 :] != forms[at + 1 : then]:
        return None
    rest = [*told[then + 1 :]]
    if forms[then] == "and":
        if not rest or rest.pop(0).form not in _STARTED:
            return None
        rest = rest[1:] if rest and rest[0].form in ("at", "for", "with") else rest
    return f"{surface(old.tokens[at + 2 :])} -> {surface(rest)}" if rest and all(map(_is_name, rest)) else None


def _hired(told: Sequence[Token], forms: Sequence[str]) -> tuple[Sequence[str], Sequence[Token]] | None:
    """Who has a new job, and with whom: "I started a new job at Bosch", "I have a new job at Bosch"."""
    at = place_of(["new", "job"], forms) or 0
    if at < 2 or forms[at - 1] not in _HAS_TAKEN or forms[at + 2 : at + 3] not in (["at"], ["with"], ["for"]):
        return None
    employer = told[at + 3 :]
    return (forms[: at - 1], employer) if employer and len(employer) <= 4 else None


def employed(old: Reading, new: Reading) -> str | None:
    """What somebody works as, told after an end of it: "I quit nursing; I work as an analyst now"."""
    forms, was = [token.form for token in new.tokens], [token.form for token in old.tokens]
    at = forms.index("as") + 1 if "as" in forms else 0
    if at < 3 or forms[at - 2] != "work" or forms[:at] != was[:at] or old.denied or new.denied:
        return None
    before, after = surface(old.tokens[at:]), surface(new.tokens[at:])
    return f"{before} -> {after}" if before and after and before != after else None


def _exchanged(old: Reading, new: Reading) -> str | None:
    """What somebody has another of: 我的手机是iPhone, 我换手机了，现在用的是小米."""
    found = _HAN_EXCHANGED.fullmatch(surface(new.tokens).replace(" ", ""))
    if found is None:
        return None
    had = f"{found['who']}的{found['what']}"
    was = surface(old.tokens).replace(" ", "")
    for cue in ("是", "用的是"):
        if was.startswith(had + cue):
            return f"{was[len(had + cue) :]} -> {found['now']}"
    return None


def _become(old: Reading, new: Reading) -> str | None:
    """A state that stands alone beside who is in it: 我单身, 我结婚了."""
    was, now = (surface(reading.tokens).replace(" ", "") for reading in (old, new))
    if new.denied or old.once or new.once:
        return None
    for group in HAN_STATES:
        for state, other in ((one, two) for one in group for two in group if one != two):
            if was.endswith(state) and now.endswith(other):
                who = was.removesuffix(state)
                if who and len(who) <= 4 and who == now.removesuffix(other):
                    return f"{state} -> {other}"
    return None


def aged(old: Reading, new: Reading) -> str | None:
    """Somebody's age by now: "the user is 34 years old", "the user turned 35 today"."""
    if old.denied or new.denied:
        return None
    forms = [token.form for token in new.tokens]
    if "turned" not in forms[1:]:
        return None
    at = forms.index("turned")
    told = undated(new.tokens[: -1 if forms[-1] in _AGED_BY else None])
    told = told[:-1] if told[-1].form == "old" and told[-2].kind == "quantity" else told
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
    """Whether both statements say, with more or less else, where somebody lives, and one of them by saying that they moved."""
    return bool(_dwells_at(old.tokens, new.tokens))


def _dwells_at(old: Sequence[Token], new: Sequence[Token]) -> int:
    """After how many words both say where somebody lives, one of them by saying that they moved; 0 where they do not."""
    was, now = ([token.form for token in tokens] for tokens in (old, new))
    at = next((at for at in range(1, len(now)) if now[at : at + 2] in _DWELLS), 0)
    if not at or was[:at] != now[:at] or was[at : at + 2] not in _DWELLS:
        return 0
    moved = [form in _MOVED for form in (was[at], now[at])]
    return at if any(moved) and not (all(moved) and _SEVERAL.intersection(now[:at])) else 0
