"""Comparing two statements: what a new one changes in an old one, if it says otherwise of the same thing."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction.change_phrases import (
    as_state,
    handed_over,
    named_change,
    place_of,
    tells_change,
)
from mcp_memory.remember.contradiction.lexicon import (
    CHANGED,
    COPULAS,
    DECIDED,
    ONCE,
    PARTICIPLES,
    PAST,
    PLACES_AND_TIMES,
)
from mcp_memory.remember.contradiction.matters import of_one_matter
from mcp_memory.remember.contradiction.paraphrase import reworded, unsaid
from mcp_memory.remember.contradiction.parsing import (
    TYPED,
    WHEN,
    Reading,
    Token,
    read,
    surface,
)
from mcp_memory.remember.contradiction.slots import (
    Gap,
    all_of,
    is_address,
    is_verb,
    of_one_role,
    says_a_value,
)
from mcp_memory.remember.contradiction.succession import employed, succession, tells_move
from mcp_memory.remember.contradiction.value_types import of_one_sort

VALUE_TOKENS = 8
"""Tokens a value has at most, on either side: from 4 to 12 the table's parts dev and fresh come out the same (2026-11-21)."""
SHARED = 0.4
"""Share of the tokens of the longer statement that both have in common, at least.

Of 260 clear changes 255 are found from 0.2 to 0.4, 254 at 0.5, 252 at 0.6 (parts dev and fresh, 2026-11-21).
"""


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


def likeness(old: str, new: str) -> float:
    """How much of what the shorter of two statements says the other says too, 0.0 to 1.0; questions are like nothing.

    The share of its content words, pairs of Chinese characters and values; all, where both say what the same one thing
    or person is, or the new one tells a change of what the old one is about, since the one may then correct the other.
    """
    before, after = read(old), read(new)
    if before.asks or after.asks:
        return 0.0
    if of_one_role(before.tokens, after.tokens) or tells_change(before, after) or tells_move(before, after):
        return 1.0
    if of_one_sort(before.tokens, after.tokens) or of_one_matter(old, new):
        return 1.0
    said, other = _content(before.tokens), _content(after.tokens)
    least = min(len(said), len(other))
    return len(said & other) / least if least > 1 else 0.0


def _content(tokens: Sequence[Token]) -> set[str]:
    pairs = {left.form + right.form for left, right in pairwise(tokens) if left.kind == right.kind == "han"}
    return pairs | {token.form for token in tokens if token.kind != "han" and token.form not in STOP_WORDS}


def change_between(old: Reading, new: Reading) -> str | None:
    """`change` of statements that are read already."""
    if old.asks or new.asks or new.hedged:
        return None
    return (
        _change_between(old, new)
        or ((told := reworded(old, new)) and _change_between(*told))
        or ((told := unsaid(new)) and _change_to(old, *told))
        or (new.later and (employed(old, new.later) or change_between(old, new.later)))
        or None
    )


def _change_to(old: Reading, new: Reading, denied: str) -> str | None:
    """A change whose statement denies what was so besides: "B, not A"."""
    reason = _change_between(old, new)
    return reason if reason and reason.partition(" -> ")[0] == denied else None


def _change_between(old: Reading, new: Reading) -> str | None:
    if len(old.tokens) < 2 or len(new.tokens) < 2:
        return None
    told = named_change(old, new) or handed_over(old, new) or succession(old, new)
    if told:
        return told
    was, now = list(old.tokens), as_state(new.tokens, old.tokens)
    if len({token.form for token in was} & {token.form for token in now}) < 2:
        return None
    if _happened(was, once=old.once) or _happened(now, once=new.once):
        return None
    gaps = [_with_prefix(was, now, gap) for gap in _gaps(was, now)]
    if len(now) != len(new.tokens) or now != list(new.tokens):
        gaps = [
            gap
            for gap in gaps
            if gap.new_start < gap.new_end or surface(was[gap.start : gap.end]) not in PLACES_AND_TIMES
        ]
    if old.denied != new.denied:
        return _flip(was, gaps, denied=new.denied)
    if not gaps or new.adds:
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
    if says_a_value(was, now, merged):
        return f"{surface(was[merged.start : merged.end])} -> {surface(now[merged.new_start : merged.new_end])}"
    return None


def _gaps(old: Sequence[Token], new: Sequence[Token]) -> list[Gap]:
    matcher = SequenceMatcher(None, [token.form for token in old], [token.form for token in new], autojunk=False)
    return [Gap(*places) for operation, *places in matcher.get_opcodes() if operation != "equal"]


_PREFIXES = frozenset("老小阿")
"""What stands before a surname: 小赵 and 小钱 are two persons."""


def _with_prefix(old: Sequence[Token], new: Sequence[Token], gap: Gap) -> Gap:
    """A difference of Chinese names with what both have before the surname."""
    before = old[gap.start - 1 : gap.start]
    same = [token.form for token in before] == [token.form for token in new[gap.new_start - 1 : gap.new_start]]
    single = gap.end - gap.start == gap.new_end - gap.new_start == 1
    if same and single and before and before[0].form in _PREFIXES:
        return Gap(gap.start - 1, gap.end, gap.new_start - 1, gap.new_end)
    return gap


# what happened once, and the negative


def _happened(tokens: Sequence[Token], *, once: bool) -> bool:
    """Whether a statement tells of an event: another one like it corrects nothing."""
    if once or any(token.form in ONCE for token in tokens):
        return True
    for place, token in enumerate(tokens[:6]):
        if token.kind != "word" or token.form in DECIDED:
            continue
        before = {earlier.form for earlier in tokens[max(0, place - 3) : place]}
        if token.form in PAST and not before & (COPULAS | {"have", "had"}):
            return True
        participle = token.form.endswith("ed") and len(token.form) > 4 and token.form not in PARTICIPLES | CHANGED
        if (
            participle
            and place
            and place < 4
            and not before & (COPULAS | {"get"})
            and not _followed_by_verb(tokens, place)
        ):
            return True
    return False


def _followed_by_verb(tokens: Sequence[Token], place: int) -> bool:
    """Whether a verb comes after a participle, which is then part of the subject ("the failed webhooks is")."""
    return any(is_verb(token) for token in tokens[place + 1 :])


def _flip(old: Sequence[Token], gaps: Sequence[Gap], *, denied: bool) -> str | None:
    """That what was so is not, or the other way about: all the same but for the denial.

    What is denied altogether is denied in its particulars, so an old statement that ends in more may still be meant.
    """
    if not gaps:
        return "no longer so" if denied else "so by now"
    gaps = [gap for gap in gaps if gap.new_start < gap.new_end or surface(old[gap.start : gap.end]) not in OFTEN]
    if not gaps:
        return "no longer so"
    [first, *rest] = gaps
    extra = not rest and denied and first.new_start == first.new_end and first.end == len(old) and first.start >= 2
    extra = extra and old[first.start].form not in ("and", "or", "but", "和", "跟", "与", "但", ":")
    particular = extra and (old[first.start].kind != "word" or old[first.start].form in _PARTICULAR)
    if particular and first.end - first.start <= first.start + 1:
        return "no longer so"
    return None


_PARTICULAR = PLACES_AND_TIMES | frozenset(
    "with without when while during every each as because if also outside".split()
)
"""What begins the particulars of what is told, while another noun is another thing: "coffee", "coffee ice cream"."""
OFTEN = frozenset("每天 经常 常 一直 每周 often usually sometimes regularly daily".split())
"""How often something was so; what is so no longer is not so at all."""


def _refined(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether one value only says more than the other: "in May" and "on 12 May", "Alice" and "Alice Moreau"."""
    old, new = [token.form for token in was], [token.form for token in now]
    if place_of(old, new) is not None or place_of(new, old) is not None:
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
            return f"{surface(old[gaps[0].start : at])} -> {surface(new[gaps[0].new_start : there])}"
    return None


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
    ranged = [token.form for left, right in pairwise(gaps) for token in old[left.end : right.start]]
    if set(ranged) <= {"to", "and", "until", "到", "至"} and all(
        token.kind in TYPED for gap in gaps for token in (*old[gap.start : gap.end], *new[gap.new_start : gap.new_end])
    ):
        return True
    if all(is_address(value) for value in (was, now)):
        return True
    # Two differences are one value only where nothing of weight stands between them, or all are dates.
    if all(all_of(old[g.start : g.end], WHEN) and all_of(new[g.new_start : g.new_end], WHEN) for g in gaps):
        return True
    between = [token for left, right in pairwise(gaps) for token in old[left.end : right.start]]
    spelled = (*old[merged.start : merged.end], *new[merged.new_start : merged.new_end])
    if any(token.kind in WHEN for token in spelled) and any(
        token.kind not in WHEN and token.form not in PLACES_AND_TIMES for token in spelled
    ):
        return False
    if any(is_verb(token) or token.form in ("是", "在", "用") for token in between):
        return False
    if all(token.kind == "han" for token in (*was, *now)):
        return len(between) == 1 and len(was) <= 4 and old[merged.start - 1].form in ("是", "叫", "姓", "为")
    return all(token.kind == "word" and len(token.form) <= 3 for token in between) and len(between) <= 2


def _equal_runs(length: int, gaps: Sequence[Gap]) -> list[tuple[int, int]]:
    edges = [0, *(gap.end for gap in gaps)]
    return list(zip(edges, [*(gap.start for gap in gaps), length], strict=True))
