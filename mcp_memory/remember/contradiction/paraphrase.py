"""Rewordings: a statement in other words of the same, in which an older one may tell the value that it changes."""

from collections.abc import Sequence
from dataclasses import replace

from mcp_memory.remember.contradiction.change_phrases import place_of
from mcp_memory.remember.contradiction.lexicon import (
    CHANGED,
    COPULAS,
    KIN,
    OFFICES,
    PARTICIPLES,
    PLACES_AND_TIMES,
    ROLES,
)
from mcp_memory.remember.contradiction.parsing import (
    WHEN,
    Reading,
    Token,
    surface,
)
from mcp_memory.remember.contradiction.slots import is_verb

_OURS = frozenset("my his her their your".split())
_SEVERAL = frozenset(
    "server cluster environment branch repo repository package bucket account key token contact code channel team country "
    "city job engine tool library endpoint topic shop client customer".split()
)
"""Of which there may well be a new one besides the others."""
_PASSIVE = {
    "kept": "keep",
    "stored": "store",
    "hosted": "host",
    "held": "hold",
    "deployed": "deploy",
    "served": "serve",
}
"""What may be told of a thing or of those who do it: "backups are kept for", "we keep backups for"."""
_AGO = frozenset("week month year summer winter spring autumn fall".split())
_LASTING = frozenset("the we our".split())
"""What begins the event since which something is so."""


def reworded(old: Reading, new: Reading) -> tuple[Reading, Reading] | None:
    """Both statements in words that they may have in common; None where there are no others."""
    if min(len(old.tokens), len(new.tokens)) < 3 or new.tokens[0].kind == "han":
        return None
    was = _plainly(old.tokens)
    now = _plainly(_changed_by_owner(_without_when(_without_new(new.tokens))))
    now = _passive(now, was)
    if tuple(was) == old.tokens and tuple(now) == new.tokens:
        return None
    if any(place >= 0 for place in (*old.denials, *new.denials)):
        return None
    return replace(old, tokens=tuple(was)), replace(new, tokens=tuple(now))


def unsaid(new: Reading) -> tuple[Reading, str] | None:
    """A statement without what it denies at its end, and that: "it leaves at 9:15, not at 7:40"; None where it does not."""
    if len(new.denials) != 1 or not 3 <= new.denials[0] < len(new.tokens):
        return None
    at = new.denials[0]
    told, denied = new.tokens[:at], new.tokens[at:]
    if denied[0].form in PLACES_AND_TIMES and len(denied) > 1:
        denied = denied[1:]
    if len(denied) > 4 or any(is_verb(token) for token in denied):
        return None
    return replace(new, tokens=told, denials=()), surface(denied)


def _plainly(tokens: Sequence[Token]) -> Sequence[Token]:
    """ "The rate limit of the API is" as "the API rate limit is", "there are six on the team" as "the team has six"."""
    return _uncalled(_owned(_there_are(tokens)))


def _uncalled(tokens: Sequence[Token]) -> Sequence[Token]:
    """ "My boss is called Helen" as "my boss is Helen"."""
    at = next((at for at, token in enumerate(tokens) if token.form in ("called", "named")), 0)
    if at < 2 or tokens[at - 1].form not in COPULAS or tokens[at - 2].form not in OFFICES | KIN:
        return tokens
    return [*tokens[:at], *tokens[at + 1 :]]


def _owned(tokens: Sequence[Token]) -> Sequence[Token]:
    verb = next((at for at, token in enumerate(tokens) if token.form in COPULAS | CHANGED), 0)
    of = next((at for at, token in enumerate(tokens[:verb]) if token.form == "of"), 0)
    if not of or verb - of not in (2, 3) or of > 3 or tokens[0].article != "the" or tokens[0].kind != "word":
        return tokens
    thing, owner = tokens[:of], tokens[of + 1 : verb]
    if any(token.form in PLACES_AND_TIMES for token in (*thing, *owner)) or thing[-1].form in KIN:
        return tokens
    return [*owner, *thing, *tokens[verb:]]


def _there_are(tokens: Sequence[Token]) -> Sequence[Token]:
    forms = [token.form for token in tokens]
    if forms[:1] != ["there"] or len(forms) < 6 or forms[1] not in COPULAS or tokens[2].kind != "number":
        return tokens
    at = next((place for place, form in enumerate(forms) if form in ("on", "in")), 0)
    if not at or len(forms) - at > 3 or at > 5:
        return tokens
    return [*tokens[at + 1 :], Token("have", "word", "has"), *tokens[2:at]]


def _changed_by_owner(tokens: Sequence[Token]) -> Sequence[Token]:
    """ "I changed my phone number to 555-9876" as "my phone number is 555-9876"."""
    forms = [token.form for token in tokens]
    if forms[1:2] not in (["changed"], ["updated"], ["switched"]) or _OWNERS.get(forms[0]) != forms[2]:
        return tokens
    to = forms.index("to") if "to" in forms else 0
    if not 3 < to < len(forms) - 1 or to > 6 or any(form in PLACES_AND_TIMES for form in forms[3:to]):
        return tokens
    return [*tokens[2:to], Token("is", "word", "is"), *tokens[to + 1 :]]


_OWNERS = {"i": "my", "he": "his", "she": "her", "they": "their"}


def _without_new(tokens: Sequence[Token]) -> Sequence[Token]:
    """ "Our new landlord is" as "our landlord is": of whom or what there is one at a time."""
    verb = next((at for at, token in enumerate(tokens) if token.form in COPULAS), 0)
    at = next((place for place, token in enumerate(tokens[:verb]) if token.form == "new"), verb)
    owned = at == 1 and tokens[0].form in _OURS
    if not (owned or (at == 0 and tokens[0].article != "a")) or at + 1 >= verb:
        return tokens
    head = next((p for p, t in enumerate(tokens[:verb]) if t.form in PLACES_AND_TIMES), verb)
    if tokens[head - 1].form not in (OFFICES | ROLES | KIN) - _SEVERAL:
        return tokens
    if verb + 1 < len(tokens) and tokens[verb + 1].form in PLACES_AND_TIMES | PARTICIPLES:
        return tokens
    return [*tokens[:at], *tokens[at + 1 :]]


def _without_when(tokens: Sequence[Token]) -> Sequence[Token]:
    """A statement without the time at its end from which on it is so: "since the merger", "last month" of a change."""
    forms = [token.form for token in tokens]
    since = next((at for at, form in enumerate(forms) if form == "since" and at >= 3), 0)
    if since and (tokens[since + 1 :] and (tokens[since + 1].article == "the" or forms[since + 1] in _LASTING)):
        return tokens[:since]
    if not CHANGED.intersection(forms) or len(forms) < 5 or tokens[-3].kind in WHEN:
        return tokens
    if forms[-2] == "last" and forms[-1] in _AGO:
        return tokens[:-2]
    return tokens


def _passive(tokens: Sequence[Token], like: Sequence[Token]) -> Sequence[Token]:
    """ "We keep backups for a year" in the words of "backups are kept for a week"."""
    forms, other = [token.form for token in tokens], [token.form for token in like]
    copula = next((at for at, form in enumerate(other) if at and form in COPULAS), 0)
    if not copula or copula + 2 >= len(other) or forms[:1] not in (["we"], ["they"]):
        return tokens
    if forms[1:2] != [_PASSIVE.get(other[copula + 1], "")] or place_of(other[:copula], forms) != 2:
        return tokens
    rest = tokens[2 + copula :]
    if not rest or rest[0].form not in PLACES_AND_TIMES or any(is_verb(token) for token in rest):
        return tokens
    return [*like[: copula + 2], *rest]
