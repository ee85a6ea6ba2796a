"""Compare a new statement with an old one: the value it replaces, and how likely it changes anything."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from mcp_memory.domain.model import Item
from mcp_memory.remember.contradiction.alignment import Slot, align
from mcp_memory.remember.contradiction.change_phrases import as_state, explicit_change
from mcp_memory.remember.contradiction.features import features, is_code
from mcp_memory.remember.contradiction.parsing import ParsedStatement, parse
from mcp_memory.remember.contradiction.scorer import probability
from mcp_memory.remember.contradiction.slots import is_single_valued, same_value
from mcp_memory.remember.contradiction.values import TYPED, WHEN, Token, surface_text
from mcp_memory.remember.contradiction.vocabulary import CHANGE_VERBS, COPULAS, PARTICIPLES, PAST, PREPOSITIONS, VERBS

VALUE_TOKENS = 8
"""Tokens of a value, at most."""
SHARED = 0.4
"""Share of the tokens of the longer statement that both have in common, at least, for one slot to be a value."""
CONFIRMED = 0.35
"""Probability of a change (comparison.change_probability) that a certain replacement needs besides: it knows what the rules don't."""
COMPARED = 400
"""Characters of a text that is compared word by word at most: what is longer is a passage, not a statement."""


def conflict_reason(one: Item, other: Item) -> str | None:
    """Return what differs between two items of which at most one holds; None where both may. Events may both have been."""
    if "event" in (one.kind, other.kind) or max(len(one.text), len(other.text)) > COMPARED:
        return None
    for old, new in ((one.text, other.text), (other.text, one.text)):
        reason = replaced_value(old, new)
        if reason and change_probability(old, new, reason=reason) >= CONFIRMED:
            return reason
    return None


@lru_cache(maxsize=1024)
def replaced_value(old: str, new: str) -> str | None:
    """Return what a new statement certainly changes in an old one, as "A -> B" or "no longer so"; else None."""
    before, after = parse(old), parse(new)
    if before.asks or after.asks or after.hedged or is_code(new):
        return None
    if named := explicit_change(before, new):
        return named
    if all(text.rstrip("。.!！ ").endswith("了") for text in (old, new)):  # both happened
        return None
    *first, last = re.split(r"[.;。；]\s+|[；。](?=.)", new.strip())
    return _value_between(before, after) or (_value_between(before, parse(last)) if first else None)


def change_probability(old: str, new: str, *, reason: str | None, cosine: float = 0.0) -> float:
    """Return how likely a new statement changes what an old one says, 0.0 to 1.0.

    `reason` is what `replaced_value` says of them; `cosine` is 0 where it is not known.
    """
    before, after = parse(old), parse(new)
    if before.asks or after.asks:
        return 0.0
    return probability(features(old, new, before, after, reason=reason, cosine=cosine))


def _value_between(old: ParsedStatement, new: ParsedStatement) -> str | None:
    if len(old.tokens) < 2 or len(new.tokens) < 2 or old.past or new.past:
        return None
    was, now = list(old.tokens), as_state(new.tokens, old.tokens)
    if _is_event(was) or _is_event(now):
        return None
    slots = align(was, now)
    if old.denied != new.denied:
        return negated(was, slots, denied=new.denied)
    if not slots or new.adds or (new.rough and not old.rough):
        return None
    merged = Slot(slots[0].start, slots[-1].end, slots[0].new_start, slots[-1].new_end)
    if any(place <= merged.new_start for place in (*old.denials, *new.denials)):
        return None
    value, other = was[merged.start : merged.end], now[merged.new_start : merged.new_end]
    if same_value(value, other) or not _is_one_slot(was, now, slots, merged):
        return None
    return f"{surface_text(value)} -> {surface_text(other)}" if is_single_valued(was, now, merged) else None


def _is_event(tokens: Sequence[Token]) -> bool:
    """Decide whether a statement reports what happened once: another one like it corrects nothing."""
    for place, token in enumerate(tokens[:6]):
        if token.kind != "word":
            continue
        before = {earlier.form for earlier in tokens[max(0, place - 3) : place]}
        if token.form in PAST - {"had"} and token.form not in VERBS and not before & (COPULAS | {"have", "had"}):
            return True
        participle = token.form.endswith("ed") and len(token.form) > 4
        known = token.form in PARTICIPLES | CHANGE_VERBS | VERBS
        verb_follows = any(later.form in COPULAS or later.form in VERBS for later in tokens[place + 1 :])
        if participle and not known and 0 < place < 4 and not before & (COPULAS | {"get"}) and not verb_follows:
            return True
    return False


def negated(old: Sequence[Token], slots: Sequence[Slot], *, denied: bool) -> str | None:
    """Return that what was so is not, or the other way about, where all else is the same.

    What is denied altogether is denied in its particulars, so an old statement may end in more than is denied.
    """
    if not slots:
        return "no longer so" if denied else "so by now"
    [first, *rest] = slots
    if rest or not denied or first.new_start != first.new_end or first.end != len(old) or first.start < 2:
        return None
    begins = old[first.start]
    particular = begins.kind != "word" or begins.form in PREPOSITIONS | {"when", "while", "during", "each", "because"}
    joined = begins.form in ("and", "or", "but", "和", "跟", "与", "但", ":")
    return "no longer so" if particular and not joined and first.end - first.start <= first.start + 1 else None


def _is_one_slot(old: Sequence[Token], new: Sequence[Token], slots: Sequence[Slot], merged: Slot) -> bool:
    """Decide whether two statements are the same but for one stretch that may be a value, and share enough around it."""
    was, now = old[merged.start : merged.end], new[merged.new_start : merged.new_end]
    if not was or not now or merged.start == 0 or max(len(was), len(now)) > VALUE_TOKENS:
        return False
    shared = len(old) - sum(slot.end - slot.start for slot in slots)
    if shared < 2 or shared < SHARED * max(len(old), len(new)):
        return False
    if len(slots) == 1:
        return True
    # Several differences are one value only where nothing of weight stands between them, or all are of one type.
    between = [token for left, right in pairwise(slots) for token in old[left.end : right.start]]
    if {token.form for token in between} <= {"to", "and", "until", "到", "至"}:
        return all(token.kind in TYPED or token.form in PREPOSITIONS for token in (*was, *now) if token not in between)
    if all(token.kind in WHEN or token.form in PREPOSITIONS for token in (*was, *now)):
        return True
    if any(token.kind in TYPED or token.form in COPULAS or token.form in VERBS for token in (*was, *now)):
        return False
    if all(token.kind == "han" for token in (*was, *now)):
        return len(between) == 1 and len(was) <= 4 and old[merged.start - 1].form in "是叫姓为"
    return all(token.kind == "word" and len(token.form) <= 3 for token in between) and len(between) <= 2
