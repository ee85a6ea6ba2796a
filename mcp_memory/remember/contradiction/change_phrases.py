"""Read changes that a statement spells out: "from A to B", "B instead of A", "not A but B", "B (was A)"."""

import re
from collections.abc import Iterator, Sequence

from mcp_memory.language.tokenization import STOP_WORDS
from mcp_memory.remember.contradiction import vocabulary as lists
from mcp_memory.remember.contradiction.alignment import content, index_of, key
from mcp_memory.remember.contradiction.parsing import ParsedStatement, parse
from mcp_memory.remember.contradiction.values import TYPED, WHEN, Token, root, surface_text

_PATTERNS = [
    re.compile(line.replace("PART", "[^,;()。，；（）]"), re.IGNORECASE)
    for line in lists.lines_of("change_phrases.txt")
]
_DWELLING = frozenset("live reside stay sit sleep park store keep".split())
"""Verbs after which a place stands that one may move from."""
_SPENT = {root(word) for word in lists.CHANGE_VERBS | lists.VERBS | lists.COPULAS | lists.PREPOSITIONS} | {
    root(word)
    for word in "host deploy manage lead do replaced swapped left joined started took over place stead handed".split()
}
_ZH_SPENT = frozenset("用使的是我们在了把将已叫为当做就都新")


def explicit_change(old: ParsedStatement, text: str) -> str | None:
    """Return "A -> B" where a statement says that B holds instead of A, A stands in the old one and nothing else differs."""
    if old.denied or old.past or len(old.tokens) < 2:
        return None
    for was, now, rest in _named_changes(text):
        at = index_of([key(token) for token in was], [key(token) for token in old.tokens])
        if at is None or not now:
            continue
        value = _without_frame(now, old.tokens)
        typed = [any(token.kind in TYPED - {"name"} for token in part) for part in (was, value)]
        if not value or {key(t) for t in value} <= {key(t) for t in was} or typed[0] != typed[1]:
            continue
        frame = _essence(now) - _essence(value) | _essence(rest)
        known = _essence(old.tokens)
        told = frame - _essence(was) - _essence(value)
        left = known - _essence(was)
        same_first = bool(rest or now) and key((*rest, *now)[0]) == key(old.tokens[0])
        if (
            told <= known
            and (told or same_first or not left)
            and (len(left - told) <= max(1, len(told)) or at + len(was) >= len(old.tokens))
        ):
            return f"{surface_text(was)} -> {surface_text(value)}"
    return None


def _named_changes(text: str) -> Iterator[tuple[Sequence[Token], Sequence[Token], Sequence[Token]]]:
    """Yield the former value, the clause of the new one and the rest of each change that a text spells out."""
    plain = re.sub(
        r"n[’']t\b|\bno longer\b",
        lambda found: " not" if found[0][0] == "n" and found[0] != "no longer" else "not",
        text.strip(),
    )
    plain = plain.replace("’", "'")
    for pattern in _PATTERNS:
        if found := pattern.search(plain):
            groups = found.groupdict()
            head = plain[: found.start()] if found.start() else ""
            rest = parse(f"{head} {groups.get('rest') or ''}").tokens
            was = [t for t in parse(groups["old"]).tokens if t.form not in ("it", ":")]
            while len(was) > 1 and was[0].form in lists.PREPOSITIONS | lists.COPULAS | lists.VERBS:
                was = was[1:]
            yield was, without_date(parse(groups["new"]).tokens), rest


def _essence(tokens: Sequence[Token]) -> frozenset[str]:
    """Return what a statement is about: its content without verbs of change, carriers and pronouns."""
    han = "".join(token.form for token in tokens if token.kind == "han" and token.form not in _ZH_SPENT)
    words = {
        form
        for form in content([t for t in tokens if t.kind != "han"])
        if form not in _SPENT and form not in STOP_WORDS
    }
    return frozenset(words | set(han))


def _without_frame(now: Sequence[Token], old: Sequence[Token]) -> Sequence[Token]:
    """Strip the subject and the verb that the clause of the new value repeats: "the port is 9090" is 9090."""
    cut = 0
    for place, token in enumerate(now):
        if place + 1 < len(now) and (
            token.form in lists.COPULAS or token.form in lists.VERBS or token.form in "是叫在用为"
        ):
            cut = place + 1
    while cut < len(now) - 1 and now[cut].form in lists.PREPOSITIONS:
        cut += 1
    end = next((at for at in range(cut + 1, len(now)) if now[at].form in ("for", "as", "in", "on", "at")), len(now))
    return now[cut:end]


def as_state(tokens: Sequence[Token], old: Sequence[Token]) -> list[Token]:
    """Write a change as what holds after it, in the words of an old statement that begins with the same subject.

    "The port changed to 9090" says that the port is 9090; after "the office is in Leeds" "the office moved to York"
    says that it is in York; "we moved the release to Thursday" says that the release is on Thursday.
    """
    told = list(tokens)
    for place, token in enumerate(told[:-1]):
        if token.form not in lists.CHANGE_VERBS or not place:
            continue
        to = next((at for at in range(place + 1, len(told) - 1) if told[at].form == "to"), None)
        if to is None:
            return told
        between = [t for t in told[place + 1 : to] if t.form not in ("over", "back", "up", "down")]
        if between and between[0].form == "from":
            if index_of([key(t) for t in between[1:]], [key(t) for t in old]) is None:
                return told
            between = []
        subject = told[:place]
        if between and subject[0].form in ("we", "i", "they", "he", "she", "user"):
            owned = [Token("my", "word", "my")] if between[0].form == "my" else []
            subject = owned + [t for t in between if t.form != "my"]
        elif between:
            return told
        value = list(without_date(told[to + 1 :]))
        return [*subject, *_cue(subject, token, old, value), *value]
    return told


def _cue(subject: Sequence[Token], verb: Token, old: Sequence[Token], value: Sequence[Token]) -> list[Token]:
    """Return what stands before the value in an old statement of the same subject; else a copula."""
    width = len(subject)
    same = [key(token) for token in subject] == [key(token) for token in old[:width]] and len(old) > width
    if subject and subject[0].kind == "han":
        rest = surface_text(old[width:]).replace(" ", "") if same else ""
        if value and same and value[0].kind == "han" and rest.startswith(surface_text(value[:2])):
            return []
        cue = next((cue for cue in lists.ZH_CUES if rest.startswith(cue)), "住在" if verb.form == "relocated" else "是")
        return [Token(character, "han", character) for character in cue]
    if same and old[width].form in lists.COPULAS:
        end = width + 1
        end += end < len(old) and old[end].form in lists.PARTICIPLES
        end += end < len(old) and old[end].form in lists.PREPOSITIONS
        return list(old[width:end])
    carried = same and verb.form in ("moved", "relocated") and old[width].form in _DWELLING
    if carried and len(old) > width + 2 and old[width + 1].form in lists.PREPOSITIONS:
        return list(old[width : width + 2])
    return [Token("is", "word", "is")]


def without_date(tokens: Sequence[Token]) -> Sequence[Token]:
    """Strip the day or the month at the end from which on something holds."""
    dated = len(tokens) > 2 and tokens[-1].kind in WHEN and tokens[-2].form in ("on", "in", "since")
    return tokens[:-2] if dated else tokens
