"""Names of scopes that are nearly the same: a letter too few, another one's last part, a word in front."""

from collections.abc import Sequence
from difflib import get_close_matches

ALIKE = 0.8
"""How alike two names must be for one to be asked about (difflib's ratio): a letter too few or two swapped, of five."""


def meant(asked: str, known: Sequence[str]) -> list[str]:
    """The known scopes that a name nobody has used may be a slip for, the nearest first; none where it is known.

    >>> meant("shopp", ["shop", "maya/garden"]), meant("projct:garden", ["shop", "maya/garden"])
    (['shop'], ['maya/garden'])
    """
    if asked in known:
        return []
    forms = {name.rpartition("/")[2].casefold(): name for name in known} | {name.casefold(): name for name in known}
    wanted = dict.fromkeys([asked.casefold(), asked.casefold().rpartition(":")[2].strip()])
    near = [forms[form] for each in wanted if each for form in get_close_matches(each, forms, cutoff=ALIKE)]
    return list(dict.fromkeys(near))
