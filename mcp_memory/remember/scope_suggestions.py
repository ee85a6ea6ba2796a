"""Suggestions for scope names that nobody has used: a letter too few, another one's last part, a word in front."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from mcp_memory.domain.call_hints import Speech
from mcp_memory.domain.model import USER, Caller
from mcp_memory.privacy.sanitizing import line as one_line

ALIKE = 0.8  # difflib's ratio: a letter too few or two swapped, of five


def similar_scopes(asked: str, known: Sequence[str]) -> list[str]:
    """Return the known scopes that a new name may be a typing error for, the nearest first; none where it is known.

    >>> similar_scopes("shopp", ["shop", "maya/garden"]), similar_scopes("projct:garden", ["shop", "maya/garden"])
    (['shop'], ['maya/garden'])
    """
    if asked in known:
        return []
    forms = {name.rpartition("/")[2].casefold(): name for name in known} | {name.casefold(): name for name in known}
    wanted = dict.fromkeys([asked.casefold(), asked.casefold().rpartition(":")[2].strip()])
    near = [forms[form] for each in wanted if each for form in get_close_matches(each, forms, cutoff=ALIKE)]
    return list(dict.fromkeys(near))


def scope_typo_notes(named: Collection[str], known: Sequence[str], caller: Caller) -> tuple[str, ...]:
    """Return a note on each new scope of statements that closely resembles a known one."""
    return tuple(
        f"{one_line(name)} is a scope that nothing had before{_if_another(near, caller.speech)}"
        for name in sorted(set(named) - {USER, caller.project})
        if (near := similar_scopes(name, known))
    )


def unknown_scope_notes(asked: Sequence[str], known: Sequence[str], speech: Speech) -> tuple[str, ...]:
    """Return a note where the one scope asked for is empty and another's name is similar."""
    near = similar_scopes(asked[0], known) if len(asked) == 1 else []
    return (f"Nothing has the scope {one_line(asked[0])}{_if_another(near, speech)}",) if near else ()


def _if_another(near: Sequence[str], speech: Speech) -> str:
    return f"; if another is meant: {', '.join(speech.option('scope', one_line(name)) for name in near)}."
