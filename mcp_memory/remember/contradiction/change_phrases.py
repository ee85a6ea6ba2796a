"""Changes: what a statement that tells of one says was so, and what it says is so since."""

from collections.abc import Sequence

from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction.lexicon import (
    CHANGED,
    COPULAS,
    GIVEN_UP,
    HAN_CUES,
    HAN_NOT_DWELT_IN,
    NOT_DWELT_IN,
    OFFICES,
    PARTICIPLES,
    PLACES_AND_TIMES,
    TOOLS,
)
from mcp_memory.remember.contradiction.parsing import (
    WHEN,
    Reading,
    Token,
    stem,
    surface,
)
from mcp_memory.remember.contradiction.slots import is_cue, is_name

_CARRIERS = frozenset("use host run live deploy manage lead do be as editor have work for 用 使 的 是 我 们".split())
"""Words of the old statement that a change need not repeat."""
_WHO_CHANGED = frozenset("we they us i 我 们 把 将 已".split())
"""Who made a change; what was changed is told besides."""
_DWELLING = frozenset("live reside".split())
_LEFT = frozenset("moved relocated".split())
_RUN_FOR = frozenset("ci cd pipeline".split())
"""What runs on one service, and is migrated to another one."""


def named_change(old: Reading, new: Reading) -> str | None:
    """A change in which the new statement names what it was: "from A to B", "B instead of A", "not A but B"."""
    found = _former(new)
    if found is None:
        return None
    subject, former, value, rest = found
    forms = [token.form for token in old.tokens]
    at = place_of([token.form for token in former], forms)
    if at is None or not value or old.denied:
        return None
    known = {_bare(form) for form in forms}
    told = [token for token in subject if token.form not in PLACES_AND_TIMES | COPULAS]
    said = [token for token in told if token.form not in _WHO_CHANGED]
    told = said or told
    if not told or not all(_bare(token.form) in known for token in told):
        return None
    spent = {_bare(token.form) for token in (*former, *subject, *value, *rest)}
    left = [form for form in forms if _bare(form) not in spent | PLACES_AND_TIMES | COPULAS and form not in _CARRIERS]
    if len(left) > len(told) + 1 or (at == 0 and len(forms) > len(former) + 5):
        return None
    return f"{surface(former)} -> {surface(value)}"


def _former(new: Reading) -> tuple[list[Token], list[Token], list[Token], list[Token]] | None:
    """The subject, the former value, the new value and what else is said, of a statement of change."""
    told = list(new.tokens)
    forms = [token.form for token in told]
    for place, form in enumerate(forms):
        if form in CHANGED and "from" in forms[place:] and "to" in forms[place:]:
            start, to = forms.index("from", place), forms.index("to", place)
            if start < to:
                value, rest = _until_purpose(told[to + 1 :])
                return told[:place] + told[place + 1 : start] + rest, told[start + 1 : to], value, []
        if form in CHANGED and "从" in forms[:place] and forms[place + 1 : place + 2] == ["to"]:
            start = forms.index("从")
            return told[:start], told[start + 1 : place], told[place + 2 :], []
        if form in CHANGED and place and new.denied and "to" in forms[place : place + 2]:
            head = told[:place]
            for cut in range(len(head) - 1, 0, -1):
                if head[cut - 1].form in COPULAS | TOOLS | {"用", "是", "在", "叫"}:
                    return head[:cut], head[cut:], told[place + 2 : place + 2 + len(head) - cut], []
        if form in GIVEN_UP and 0 < place <= 2:
            by = ("with",) if form == "replaced" else ("with", "for")
            between = next((at for at in range(place + 2, len(forms)) if forms[at] in by), None)
            if between is not None and between + 1 < len(forms):
                value, rest = _until_purpose(told[between + 1 :])
                return told[:place] + rest, told[place + 1 : between], value, []
    return _former_beside(new, told, forms)


def _until_purpose(told: list[Token]) -> tuple[list[Token], list[Token]]:
    """A value, and what is told after it with "for": "GitHub Actions for our CI"."""
    at = next((place for place, token in enumerate(told) if place and token.form == "for"), len(told))
    return told[:at], told[at + 1 :]


def _former_beside(
    new: Reading, told: list[Token], forms: list[str]
) -> tuple[list[Token], list[Token], list[Token], list[Token]] | None:
    """`_former` where both values stand around a word: "B instead of A", "not A but B", "B took over from A"."""
    if forms.count("instead") == 1 and forms.index("instead") < len(forms) - 2:
        at = forms.index("instead")
        cue = max((i for i in range(at) if is_cue(told[i])), default=None)
        if cue is not None and cue >= 1:
            return told[:cue], told[at + 2 :], told[cue + 1 : at], []
    if new.denied and "but" in forms:
        at = forms.index("but")
        cue = max((i for i in range(at) if told[i].form in COPULAS), default=None)
        if cue is not None and cue >= 1:
            return told[:cue], told[cue + 1 : at], told[at + 1 :], []
    again = _said_again(new, forms)
    if again:
        width, at = again
        return told[:width], told[width:at], told[at + width :], []
    if "took" in forms and forms[forms.index("took") + 1 :][:1] == ["over"] and "from" in forms:
        at, start = forms.index("took"), forms.index("from")
        return told[at + 2 : start], told[start + 1 :], told[:at], []
    return None


def _said_again(new: Reading, forms: Sequence[str]) -> tuple[int, int] | None:
    """How many words a second clause begins with that the first one did, which is denied, and where: "don't use A, use B"."""
    if len(new.denials) != 1 or new.denials[0] < 0:
        return None
    for at in range(max(new.denials[0], 2), len(forms) - 1):
        width = next((n for n in range(at) if at + n >= len(forms) or forms[n] != forms[at + n]), at)
        if 0 < width < at and at + width < len(forms) and new.denials[0] <= width:
            return width, at
    return None


def handed_over(old: Reading, new: Reading) -> str | None:
    """An office that another person has: "Tom is our CTO", "Sarah is our CTO now"; who has it stands before the verb."""
    if old.denied or new.denied:
        return None
    before, after = _holder(old.tokens), _holder(new.tokens)
    if before is None or after is None:
        return None
    (was, office), (now, other) = before, after
    if office != other or {token.form for token in was} & {token.form for token in now}:
        return None
    return f"{surface(was)} -> {surface(now)}"


def _holder(tokens: Sequence[Token]) -> tuple[Sequence[Token], str] | None:
    """Who has an office, and which, where a statement says nothing else."""
    at = next((place for place, token in enumerate(tokens) if token.form in ("is", "am", "are", "是")), None)
    if at is None or not 0 < at <= 4 or at + 1 == len(tokens) or tokens[at + 1].article in ("a", "an"):
        return None
    holder, office = tokens[:at], tokens[at + 1 :]
    if any(token.article or token.kind in ("number", "quantity", "date") for token in holder):
        return None
    if tokens[at].form == "是":
        told = surface(office).replace(" ", "")
        named = "的" in told and told.rpartition("的")[2] in OFFICES and holder[-1].form not in "的人谁这那"
        return (holder, told.removeprefix("我们的").removeprefix("公司的")) if named else None
    forms = [token.form for token in office]
    head = forms[: next((place for place, form in enumerate(forms) if form in PLACES_AND_TIMES), len(forms))]
    if not head or head[-1] not in OFFICES or any(token.form in STOP_WORDS for token in holder):
        return None
    return holder, " ".join(forms)


def as_state(tokens: Sequence[Token], old: Sequence[Token]) -> list[Token]:
    """A statement of a change as one of what holds after it, in the words of an old one that begins with the same subject.

    "The port changed to 9090" says that the port is 9090; after "the office is in Leeds" "the office moved to York" says
    that it is in York.
    """
    told = list(undated(tokens) if any(token.form == "migrated" for token in tokens) else tokens)
    for place, token in enumerate(told[:-1]):
        if token.form not in CHANGED or not place:
            continue
        if told[place + 1].form == "to":
            return [*told[:place], *_cue(told[: place + 1], old, told[place + 2 :]), *told[place + 2 :]]
        if told[place + 1].form == "from" and any(later.form == "to" for later in told[place + 3 :]):
            to = next(at for at, later in enumerate(told) if at > place + 1 and later.form == "to")
            if place_of([later.form for later in told[place + 2 : to]], [before.form for before in old]) is None:
                return told
            return [*told[:place], *_cue(told[: place + 1], old, told[to + 1 :]), *told[to + 1 :]]
    return told


def _cue(changed: Sequence[Token], old: Sequence[Token], value: Sequence[Token]) -> list[Token]:
    """What stands before the value in an old statement of the same subject; else a copula."""
    *subject, verb = changed
    width = len(subject)
    same = [token.form for token in subject] == [token.form for token in old[:width]] and len(old) > width
    if subject[0].kind == "han":
        if verb.form in _LEFT and not is_dwelling(value):
            return [verb]
        rest = surface(old[width:]).replace(" ", "") if same else ""
        if value and same and value[0].kind == "han" and rest.startswith(surface(value[:2]).replace(" ", "")):
            return []
        cue = next((cue for cue in HAN_CUES if rest.startswith(cue)), "住在" if verb.form in _LEFT else "是")
        return [Token(character, "han", character) for character in cue]
    if same and old[width].form in COPULAS:
        end = width + 1
        end += end < len(old) and old[end].form in PARTICIPLES
        end += end < len(old) and old[end].form in PLACES_AND_TIMES
        return list(old[width:end])
    runs = (
        same
        and verb.form in ("migrated", "switched")
        and [token.form for token in old[width : width + 2]] == ["run", "on"]
    )
    named = all(token.capital or token.kind == "name" for token in value)
    if runs and subject[-1].form in _RUN_FOR and is_name(old[width + 2 :]) and named:
        return list(old[width : width + 2])
    dwelt = same and verb.form in _LEFT and old[width].form in _DWELLING and len(old) > width + 2
    if dwelt and old[width + 1].form == "in" and is_name(old[width + 2 :]) and is_name(value) and is_dwelling(value):
        return list(old[width : width + 2])
    return [Token("is", "word", "is")]


def is_dwelling(place: Sequence[Token]) -> bool:
    """Whether what somebody moved to may be where they live: no department, no tool, no other room of the same town."""
    if any(token.kind == "han" for token in place):
        told = surface(place).replace(" ", "")
        return not told.startswith(("新", "另")) and not told.endswith(HAN_NOT_DWELT_IN)
    return not any(token.kind == "word" and token.surface in NOT_DWELT_IN for token in place)


def undated(tokens: Sequence[Token]) -> Sequence[Token]:
    """A statement without the day or the month at its end."""
    dated = len(tokens) > 2 and tokens[-1].kind in WHEN and tokens[-2].form in ("on", "in", "since")
    return tokens[:-2] if dated else tokens


def tells_change(old: Reading, new: Reading) -> bool:
    """Whether the new statement tells a change of what the old one is about, whatever it was."""
    forms = [token.form for token in new.tokens]
    at = next((place for place, form in enumerate(forms) if form in CHANGED | GIVEN_UP), None)
    if at is None or not {"to", "from", "with", "for"} & set(forms[at:]):
        return False
    known = {_bare(token.form) for token in old.tokens}
    former = _former(new)
    if former is not None and place_of([t.form for t in former[1]], [t.form for t in old.tokens]) is not None:
        return True
    end = next((place for place in range(at, len(forms)) if forms[place] in ("to", "from")), min(at + 2, len(forms)))
    about = [token for token in (*new.tokens[:at], *new.tokens[at + 1 : end]) if token.form not in _WHO_CHANGED]
    about = [token for token in about if token.form not in STOP_WORDS and token.form not in PLACES_AND_TIMES]
    return bool(about) and all(_bare(token.form) in known for token in about)


def place_of(part: Sequence[str], whole: Sequence[str]) -> int | None:
    """Where some words stand in others, one after the other."""
    width = len(part)
    return next(
        (at for at in range(len(whole) - width + 1) if width and list(whole[at : at + width]) == list(part)), None
    )


def _bare(form: str) -> str:
    return stem(form.removesuffix("ing"))
