"""The features of a pair of statements from which the scorer tells a change from something that holds besides."""

import math
import re
from collections.abc import Iterator, Sequence

from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction import vocabulary as lists
from mcp_memory.remember.contradiction.alignment import Slot, align, content, key
from mcp_memory.remember.contradiction.parsing import ParsedStatement
from mcp_memory.remember.contradiction.slots import has_single_head
from mcp_memory.remember.contradiction.values import TYPED, WHEN, Token, root

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[\u3400-\u9fff]+|\d")


def cues(text: str) -> frozenset[str]:
    """Return the roots of all words, and single characters and pairs of them where the script is Chinese."""
    found: set[str] = set()
    for run in _WORD.findall(text.lower().replace("’", "'")):
        if run[0] > "\u3000":
            found |= {run[at : at + width] for width in (1, 2) for at in range(len(run) - width + 1)}
        elif run[0].isalpha():
            found.add(root(run.removesuffix("'s")))
    return frozenset(found)


def features(
    old: str, new: str, before: ParsedStatement, after: ParsedStatement, *, reason: str | None, cosine: float
) -> dict[str, float]:
    """Return the features of a pair by name; absent ones are 0. `cosine` is 0 where it is not known."""
    values = dict.fromkeys(_named(old, new, before, after), 1.0)
    one, other = content(before.tokens), content(after.tokens)
    shared = len(one & other)
    han = any(token.kind == "han" for token in before.tokens)
    values |= {
        "zh" if han else "en": 1.0,
        "overlap zh" if han else "overlap": shared / max(1, min(len(one), len(other))),
        "jaccard": shared / max(1, len(one | other)),
        "covers old": shared / max(1, len(one)),
        "log old": math.log1p(len(before.tokens)),
        "log new": math.log1p(len(after.tokens)),
    }
    if reason:
        values["rule value" if " -> " in reason else "rule negated"] = 1.0
    if cosine:
        values |= {"cosine": cosine, "cosine known": 1.0, "cosine over .7": max(0.0, cosine - 0.7)}
    return values


def _named(old: str, new: str, before: ParsedStatement, after: ParsedStatement) -> Iterator[str]:
    said, says = cues(old), cues(new)
    yield from (f"+{cue}" for cue in says - said)
    yield from (f"-{cue}" for cue in said - says)
    yield from _moods(before, after)
    yield from _subjects(before.tokens, after.tokens)
    yield from _values(before.tokens, after.tokens)
    yield from _shape(before, after)
    yield from _former_value(before.tokens, after.tokens)
    yield from _qualifiers(before.tokens, after.tokens)
    if is_code(new):
        yield "code"


_CODE = re.compile(r";$|\(\)|`| --?[a-zA-Z]|\bSELECT\b|\$ ")


def is_code(text: str) -> bool:
    """Decide whether a text is or quotes code, where another value is another command."""
    return _CODE.search(text) is not None


def _qualifiers(old: Sequence[Token], new: Sequence[Token]) -> Iterator[str]:
    """Find words that narrow the old subject in the new statement: "the beta release", 副组长, "the rent of my studio"."""
    subject, known = content(old[: _verb(old) or len(old)]), {key(token) for token in old}
    for place, token in enumerate(new[1:], start=1):
        pair = token.form + new[place + 1].form if token.kind == "han" and place + 1 < len(new) else ""
        if (pair or key(token)) not in subject:
            continue
        before = new[place - 1]
        if key(before) not in known and before.form not in STOP_WORDS and before.form not in "了的，是在被把将从由":
            yield "subject qualified zh" if pair else "subject qualified"
        after = new[place + 1 : place + 3]
        if len(after) == 2 and after[0].form in ("of", "for") and key(after[1]) not in known:
            yield "subject narrowed"


def _former_value(old: Sequence[Token], new: Sequence[Token]) -> Iterator[str]:
    """Say between which words the new statement names what the old one said of its subject."""
    value = content(old[_verb(old) :]) - content(old[: _verb(old)])
    named = False
    for place, token in enumerate(new):
        pair = token.form + new[place + 1].form if token.kind == "han" and place + 1 < len(new) else ""
        if key(token) in value or (pair and pair in value):
            named = True
            end = place + 1 + bool(pair)
            yield f"former after {new[place - 1].form if place else 'nothing'}"
            yield f"former before {new[end].form if end < len(new) else 'nothing'}"
            if place > 1 and new[place - 1].kind == "han":
                yield f"former after {new[place - 2].form}{new[place - 1].form}"
    yield "former named" if named else "former unnamed"
    owners = {key(new[at - 1]) for at, token in enumerate(new) if at and token.form == "s"}
    if owners - {key(token) for token in old}:
        yield "other owner"


def _moods(before: ParsedStatement, after: ParsedStatement) -> Iterator[str]:
    for name in ("asks", "hedged", "past", "adds", "rough"):
        was, now = getattr(before, name), getattr(after, name)
        if was or now:
            yield f"{name} {was:d}{now:d}"
    if before.denials or after.denials:
        yield f"denied {before.denied:d}{after.denied:d}"
    if after.denials and after.denials[0] >= 0:
        refused, known = content(after.tokens[after.denials[0] :][:4]), content(before.tokens)
        share = len(refused & known) / max(1, len(refused))
        yield f"denies {'the old' if share == 1 else 'part of the old' if share else 'something else'}"
    if after.tokens:
        first = after.tokens[0]
        if before.tokens and key(first) == key(before.tokens[0]):
            yield "same first"
        elif first.form in lists.PREPOSITIONS or first.form in ("when", "if", "during", "between"):
            yield "opens with a condition"


def _subjects(old: Sequence[Token], new: Sequence[Token]) -> Iterator[str]:
    was, now = old[: _verb(old)], new[: _verb(new)]
    mine, theirs = content(was), content(now)
    everything, all_new = content(old), content(new)
    if mine:
        share = len(mine & all_new) / len(mine)
        yield f"old subject {'whole' if share == 1 else 'part' if share else 'missing'}"
    if theirs:
        share = len(theirs & everything) / len(theirs)
        yield f"new subject {'whole' if share == 1 else 'part' if share else 'missing'}"
    if mine and mine == theirs:
        yield "same subject"
    kin = [{key(t) for t in tokens if t.form in lists.KIN} for tokens in (old, new)]
    text = ["".join(token.form for token in tokens) for tokens in (old, new)]
    kin = [found | {word for word in lists.ZH_KIN if word in said} for found, said in zip(kin, text, strict=True)]
    if kin[1] - kin[0]:
        yield "new relative"
    if kin[0] - kin[1]:
        yield "relative gone"
    if was and (
        was[0].article in ("a", "an") or was[0].form in lists.SEVERAL or any(t.form in lists.SEVERAL for t in was)
    ):
        yield "one of several"
    if any(word in text[0] for word in lists.ZH_SEVERAL):
        yield "one of several zh"
    if has_single_head(was):
        yield "single head"
    capitals = [{token.form for token in tokens if token.capital} for tokens in (old, new)]
    yield f"names {min(len(capitals[0] - capitals[1]), 2)}{min(len(capitals[1] - capitals[0]), 2)}"
    for name, subject in (("old", was), ("new", now)):
        if subject:
            first = subject[0]
            yield f"{name} begins {first.form if first.form in _BEGINNINGS else first.article or ('name' if first.capital else 'other')}"


_BEGINNINGS = frozenset("i my we our user it he she they you".split())


def _verb(tokens: Sequence[Token]) -> int:
    """Return where the first verb stands, the subject before it; the first value where none is known, else 0."""
    for place, token in enumerate(tokens):
        known = token.form in lists.COPULAS or (token.form in lists.VERBS and not token.article)
        if place and (known or token.form in "是在用为叫由有归到"):
            return place
    return next((at for at, token in enumerate(tokens) if at and token.kind in TYPED), 0)


def _values(old: Sequence[Token], new: Sequence[Token]) -> Iterator[str]:
    """Compare the values of each kind, wherever they stand."""
    was, now = _by_kind(old), _by_kind(new)
    for kind in sorted(was.keys() | now.keys()):
        mine, theirs = was.get(kind, set()), now.get(kind, set())
        if mine and theirs:
            yield f"{kind} {'same' if mine == theirs else 'more' if mine < theirs else 'less' if mine > theirs else 'differs' if not mine & theirs else 'overlaps'}"
        else:
            yield f"{kind} {'gone' if mine else 'comes'}"
    for at, groups in enumerate((lists.STATES, lists.ZH_STATES)):
        said, says = (
            {token.form for token in tokens} if not at else "".join(token.form for token in tokens)
            for tokens in (old, new)
        )
        for group in groups:
            mine, theirs = ({state for state in group if state in text} for text in (said, says))
            if mine and theirs and mine != theirs:
                yield "other state" if not at else "other state zh"


def _by_kind(tokens: Sequence[Token]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for token in tokens:
        if token.kind in TYPED:
            kind = "number" if token.kind in ("number", "quantity") else "when" if token.kind in WHEN else token.kind
            found.setdefault(kind, set()).add(token.form.split()[0])
    return found


def _shape(before: ParsedStatement, after: ParsedStatement) -> Iterator[str]:
    old, new = before.tokens, after.tokens
    slots = align(old, new)
    yield f"slots {min(len(slots), 3)}"
    if not slots:
        return
    if all(slot.start == slot.end for slot in slots):
        yield "only more"
    if all(slot.new_start == slot.new_end for slot in slots):
        yield "only less"
    equal = len(old) - sum(slot.end - slot.start for slot in slots)
    share = equal / max(len(old), len(new), 1)
    yield f"aligned {int(share * 5)}"
    if slots[0].start == 0:
        yield "differs first"
    if slots[-1].end == len(old):
        yield "differs last"
    if len(slots) == 1:
        yield from _slot(old, new, slots[0])


def _slot(old: Sequence[Token], new: Sequence[Token], slot: Slot) -> Iterator[str]:
    """Describe the only stretch that differs: what stands before it, and the sort of its values."""
    was, now = old[slot.start : slot.end], new[slot.new_start : slot.new_end]
    lead = old[slot.start - 1].form if slot.start else "nothing"
    text = "".join(token.form for token in old[: slot.start])
    cue = next((cue for cue in lists.ZH_CUES if text.endswith(cue)), None)
    verb = _verb(old)
    stands = (
        "copula"
        if lead in lists.COPULAS
        else "preposition"
        if lead in lists.PREPOSITIONS
        else cue or ("verb" if lead in lists.VERBS else "other")
    )
    yield f"slot after {stands}"
    if not was or not now:
        return
    sort = [_sort(value) for value in (was, now)]
    yield f"slot {sort[0]} {sort[1]}" if sort[0] != sort[1] else f"slot same {sort[0]}"
    yield f"slot {'before' if slot.start < verb else 'after'} verb {sort[0]}"
    yield f"slot {stands} {sort[0]}"
    if was[0].article != now[0].article or {was[0].article, now[0].article} & {"a", "an"}:
        yield "slot indefinite"
    if verb and old[verb].form in lists.STATIVE and stands == "preposition":
        yield "slot after stative"
    if slot.end < len(old):
        yield "slot inside"
    if has_single_head(old[:verb]) and slot.start >= verb:
        yield f"slot of single head {stands}"


def _sort(value: Sequence[Token]) -> str:
    kinds = {token.kind for token in value if token.kind in TYPED}
    if len(kinds) > 1:
        return "mixed"
    if kinds:
        return "number" if kinds <= {"number", "quantity"} else next(iter(kinds))
    content_words = [token for token in value if token.form not in STOP_WORDS]
    if any(token.kind == "han" for token in value):
        return "han" if all(token.kind == "han" for token in value) else "latin"
    return "name" if content_words and all(token.capital for token in content_words) else "words"
