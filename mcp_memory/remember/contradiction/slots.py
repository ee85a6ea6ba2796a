"""Decide whether the one stretch in which two statements differ is the only value of one thing."""

from collections.abc import Sequence

from mcp_memory.remember.contradiction import vocabulary as lists
from mcp_memory.remember.contradiction.alignment import Slot, index_of
from mcp_memory.remember.contradiction.values import TYPED, WHEN, Token, surface_text

_CONDITIONS = frozenset("when if while during unless with without for in at on before after".split())
_INDEFINITE = frozenset("some another other each half most many several this that it these those there".split())
"""Subjects that may stand for something else each time."""
_HELD_ON = frozenset("due scheduled planned held set fixed expected every next start begin end expire".split())
_DECIMAL_KINDS = frozenset({"number", "quantity"})


def is_single_valued(old: Sequence[Token], new: Sequence[Token], slot: Slot) -> bool:
    """Decide whether what stands around a slot gives it one value at a time, and both values are of one type."""
    before, after = old[: slot.start], old[slot.end :]
    was, now = old[slot.start : slot.end], new[slot.new_start : slot.new_end]
    if not before or not was or not now:
        return False
    if any(token.kind == "han" for token in before):
        return _is_single_valued_zh(before, was, now, after)
    if _is_conditional(was) or _is_conditional(now) or _is_indefinite(before):
        return False
    verb = verb_index(before)
    if are_states(was, now):
        # Before a noun that is not the subject's a state only tells which one: green tea, and black tea besides.
        form = before[verb].form if verb is not None else "was"
        return form not in lists.PAST_COPULAS and not _names_a_copula(after) and (not after or form in lists.COPULAS)
    if same_type(was, now):
        return _is_measure_slot(before, was, now, after, verb)
    if verb is None or any(token.kind in TYPED - {"name"} for token in (*was, *now)):
        return False
    return _is_name_slot(before, was, now, after, verb)


def verb_index(before: Sequence[Token]) -> int | None:
    """Return where a copula stands, else the first known verb after a subject; a colon counts as a copula."""
    copulas = [place for place, token in enumerate(before) if place and token.form in lists.COPULAS]
    verbs = (place for place, token in enumerate(before) if place and token.form in lists.VERBS and not token.article)
    return next(iter((*copulas, *verbs)), None)


def same_type(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Decide whether both values are numbers, dates or addresses of one type and dimension with nothing else in them."""
    kinds = [[token.kind for token in value if token.kind in TYPED] for value in (was, now)]
    if not all(kinds) or any(
        token.kind not in TYPED and token.form not in lists.PREPOSITIONS | {"and", "next", "到", "至", "下"}
        for token in (*was, *now)
    ):
        return False
    sets = [frozenset(kind) for kind in kinds]
    joints = [[token.form for token in value if token.kind not in TYPED] for value in (was, now)]
    if joints[0] != joints[1] and not sets[0] | sets[1] <= WHEN:
        return False
    # Two numbers side by side are a reading, such as 128/82, and another one is a reading besides.
    if len(kinds[0]) > 1 and not joints[0] and sets[0] <= {"number", "name"}:
        return False
    if not (sets[0] & sets[1] or sets[0] | sets[1] <= _DECIMAL_KINDS or sets[0] | sets[1] <= WHEN):
        return False
    clock = [bool({"time"} & kind) and not kind - {"time"} for kind in sets]
    return len(kinds[0]) == len(kinds[1]) and clock[0] == clock[1] and same_dimension(was, now)


_EXCHANGEABLE = {"calendar": "time", "volume": "mass", "euros": "dollars", "yuan": "dollars", "pounds": "dollars"}
"""Dimensions that may stand for one another: weeks and months, two currencies."""


def same_dimension(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Decide whether quantities have comparable units."""
    units = [
        {
            _EXCHANGEABLE.get(unit, unit)
            for token in value
            if token.kind == "quantity"
            for unit in token.form.split()[1:]
        }
        for value in (was, now)
    ]
    return not (units[0] and units[1] and not units[0] & units[1]) and ("percent" in units[0]) == (
        "percent" in units[1]
    )


def same_value(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Decide whether one value only says more than the other: "in May" and "on 12 May", "2 million" and "$2m"."""
    old, new = [token.form for token in was], [token.form for token in now]
    if index_of(old, new) is not None or index_of(new, old) is not None:
        return True
    numbers = [[token.form.split() for token in value if token.kind in _DECIMAL_KINDS] for value in (was, now)]
    if numbers[0] and [n[0] for n in numbers[0]] == [n[0] for n in numbers[1]]:
        return any(len(one) != len(other) for one, other in zip(*numbers, strict=True))
    dates = [token.form.split("-")[:-1] for token in (*was, *now) if token.kind == "date"]
    return any(token.kind == "month" and token.form in date for token in (*was, *now) for date in dates)


def are_states(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Decide whether the values are two states of which only one holds at a time."""
    if max(len(was), len(now)) > 4 or any(token.kind in TYPED for token in (*was, *now)):
        return False
    old, new = ({token.form for token in value} for value in (was, now))
    if {token.form for token in was[1:]} != {token.form for token in now[1:]} and len(was) > 1 and len(now) > 1:
        return False
    return any((mine := old & group) and (other := new & group) and not mine & other for group in lists.STATES)


def is_name(value: Sequence[Token]) -> bool:
    """Decide whether a value is a proper name, an address or an identifier and nothing else."""
    told = [token for token in value if token.form not in _TITLES | _BESIDE_NAMES]
    return bool(told) and all(token.capital or token.kind in ("name", "number") for token in told)


_TITLES = frozenset("mr mrs ms dr prof".split())
_BESIDE_NAMES = frozenset("of and the de van von team".split())


def has_single_head(subject: Sequence[Token]) -> bool:
    """Decide whether the subject is what something has one of at a time: "the owner of …", "my favourite …"."""
    forms = [token.form for token in subject]
    head = forms[
        : next((place for place, form in enumerate(forms) if form in lists.PREPOSITIONS and place), len(forms))
    ]
    if subject and subject[-1].kind == "han":
        return "".join(forms).endswith(lists.ZH_SINGLE_HEADS)
    return bool(head) and (
        head[-1] in lists.SINGLE_HEADS
        or head[-1].endswith(lists.HEAD_ENDINGS)
        or bool(lists.SINGLE_HEADS.intersection(forms[:2]))
    )


def _is_conditional(value: Sequence[Token]) -> bool:
    """Decide whether a value has a condition or an exception behind it: "30 seconds for uploads"."""
    if all(token.kind in TYPED or token.form in lists.PREPOSITIONS for token in value):
        return False
    return any(token.form in _CONDITIONS for token in value[1:])


def _is_indefinite(subject: Sequence[Token]) -> bool:
    """Decide whether the subject is one of several or may stand for another thing each time."""
    head = subject[: next((at for at, token in enumerate(subject) if token.form in lists.COPULAS), len(subject))]
    forms = [token.form for token in head]
    several = lists.SEVERAL.intersection(form for form in forms if form not in lists.PREPOSITIONS)
    chosen = {"favorite", "preferred", "default", "main", "primary", "current", "next"}.intersection(forms)
    article = subject[0].article in ("a", "an") or (forms[:1] == ["1"])
    return article or forms[:1] == [] or forms[0] in _INDEFINITE or bool(several and not chosen)


def _names_a_copula(after: Sequence[Token]) -> bool:
    return any(token.form in lists.COPULAS for token in after)


def _is_measure_slot(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int | None
) -> bool:
    """Decide whether a number, a date or an address is the value of what stands before it."""
    dated = all(token.kind in WHEN or token.form in lists.PREPOSITIONS for token in (*was, *now))
    if verb is None:
        stated = before[:-1] if before[-1].form in lists.PREPOSITIONS else before
        third_person = len(stated) >= 2 and stated[-1].kind == "word" and stated[-1].surface.endswith("s")
        return third_person and not dated and not _names_a_copula(after)
    if [token.kind for token in was if token.kind in TYPED] == ["day"] and not _is_held_once(before, verb):
        return False
    if dated and before[verb].form in lists.PAST_COPULAS:
        return False
    if any(token.kind == "name" for token in (*was, *now)) and before[verb].form not in lists.COPULAS:
        return verb < len(before) - 1 or bool(after)
    return True


def _is_held_once(before: Sequence[Token], verb: int) -> bool:
    """Decide whether something is held on a weekday: "the review is on", not "the shop is open on"."""
    tail = [token.form for token in before[verb + 1 :] if token.form not in lists.PREPOSITIONS]
    if any(token.kind == "day" for token in before) or before[verb].form in _HELD_ON:
        return True
    return (before[verb].form in lists.COPULAS and all(form in _HELD_ON for form in tail)) or "place" in tail


def _is_name_slot(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int
) -> bool:
    """Decide whether a name or a word is the one value of the subject before it."""
    form, tail = before[verb].form, [token.form for token in before[verb + 1 :]]
    if form in lists.COPULAS:
        return _is_copula_slot(before, was, now, after, verb)
    if form == "use":
        purpose = [token.form for token in after][:1] in (["for"], ["as"], ["to"]) and not any(
            t.capital for t in after[1:2]
        )
        return not tail and purpose and is_name(was) == is_name(now)
    if form in ("prefer", "choose", "want", "need"):
        return not tail and bool(after) and (was[0].article or "the") == (now[0].article or "the")
    prepositions = lists.STATIVE.get(form, frozenset[str]())
    if abs(len(was) - len(now)) > 2 or is_name(was) != is_name(now) or was[0].article != now[0].article:
        return False
    if not tail:
        both = {was[0].form, now[0].form}
        return both <= prepositions and (len(both) == 1 or both <= {"in", "at", "on"})
    return tail[-1] in prepositions and len(tail) <= 2


def _is_copula_slot(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token], verb: int
) -> bool:
    """Decide whether the value stands right after a copula, or after where or by whom it holds ("is kept in")."""
    subject, tail = before[:verb], [token.form for token in before[verb + 1 :]]
    held = bool(tail) and tail[0] in lists.PARTICIPLES
    rest = tail[1:] if held else tail
    if not held and not rest and was[0].form in lists.PREPOSITIONS and now[0].form in lists.PREPOSITIONS:
        rest, was, now = [was[0].form], was[1:], now[1:]
    placed = bool(rest) and rest[0] in lists.PREPOSITIONS
    if (
        len(rest) > 1 + (len(rest) > 1 and rest[1] not in lists.PREPOSITIONS)
        or not was
        or not now
        or _names_a_copula(after)
    ):
        return False
    if any(value[0].article in ("a", "an") for value in (was, now)):
        return False
    titled = [was[0].form in _TITLES, now[0].form in _TITLES]
    named = is_name(was), is_name(now)
    if titled[0] != titled[1]:
        return False
    if held:
        return placed and named[0] == named[1] and was[0].article == now[0].article
    if placed:
        definite = len(subject) > 1 or bool(subject[0].article) or subject[0].capital
        pointed = was[0].article == now[0].article == "the"
        identifiers = [any(token.kind == "name" for token in value) for value in (was, now)]
        alike = pointed or (all(named) and identifiers[0] == identifiers[1])
        return definite and alike and tail[:1] not in (["for"], ["from"], ["with"], ["about"])
    if {token.form for token in was[-1:]} <= lists.COLOURS and {token.form for token in now[-1:]} <= lists.COLOURS:
        return has_single_head(subject)
    return has_single_head(subject) and all(named)


# Chinese


def _is_single_valued_zh(
    before: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token]
) -> bool:
    """Decide the same for Chinese, where a cue stands right before the value or a number is one by itself."""
    lead, tail = (surface_text(tokens).replace(" ", "") for tokens in (before, after))
    if any(copula in tail for copula in ("是", "为", "住在")) or any(mark in lead for mark in lists.ZH_SEVERAL):
        return False
    old, new = (surface_text(value).replace(" ", "") for value in (was, now))
    if "的" in (old[0], new[0]):
        return False
    if are_states_zh(lead[-2:] + old + tail, lead[-2:] + new + tail):
        return True
    if same_type(was, now):
        numbered = all(token.kind in ("number", "name") for token in (*was, *now))
        if (
            [token.kind for token in was if token.kind in TYPED] == ["day"]
            and tail
            and not tail.startswith(_ZH_STARTING)
        ):
            return False
        if lead.endswith("第") or (numbered and any(cue in tail for cue in ("在", "是", "用", "叫", "有", "位于"))):
            return False
        return len(lead) + len(tail) > 2
    if any(token.kind in TYPED - {"name"} for token in (*was, *now)):
        return False
    cue = next((cue for cue in lists.ZH_CUES if lead.endswith(cue)), None)
    subject = lead[: -len(cue)] if cue else ""
    if cue is None or not subject:
        return False
    latin = [all(token.kind != "han" for token in value) for value in (was, now)]
    if cue in ("用", "使用"):
        return bool(tail) and latin[0] == latin[1]
    if cue in ("是", "为", "叫", "由", "归"):
        described = any(
            (value + tail).endswith(("人", "员")) or "的" in value or value[0] == "个" for value in (old, new)
        )
        return subject.endswith(lists.ZH_SINGLE_HEADS) and latin[0] == latin[1] and not described
    if cue == "在":
        level = [value[-1] if value.endswith(_ZH_SPOTS) else "" for value in (old + tail, new + tail)]
        return (
            (not tail or tail.endswith(lists.ZH_PLACES))
            and level[0] == level[1]
            and not any("有" in v for v in (old, new, tail))
        )
    if cue == "住在":
        return latin[0] == latin[1] and not any(
            value.startswith(("新", "另", "我", "他", "她")) for value in (old, new)
        )
    return latin[0] == latin[1]


_ZH_SPOTS = tuple("区县乡镇园路街厦楼层场号站村里边旁面")
"""Endings of what may lie within the town that the other statement names."""
_ZH_STARTING = tuple("开始 结束 截止 到期 上线 发布 交付 召开 举行 开会".split())


def are_states_zh(old: str, new: str) -> bool:
    """Decide whether two Chinese texts hold different states of one closed set."""
    for group in lists.ZH_STATES:
        mine = max((state for state in group if state in old), key=len, default="")
        other = max((state for state in group if state in new), key=len, default="")
        if mine and other and mine != other:
            return True
    return False
