"""Matters of a person of which what is told later may well end what was so: what they eat, whom they work for."""

import re

_WHO = re.compile(
    r"\W*(?P<who>i|we|the user|user|he|she|[A-Z][a-z]+|我们?|用户|他|她)(?:['’]m\b|\b|(?=[\u4e00-\u9fff]))",
    re.IGNORECASE,
)
_MATTERS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        r"\b(?:am|is|are|['’]m|['’]re|became|become|being|went)\b[^.,;]{0,20}\b(?:vegetarian|vegan|pescatarian)\b"
        r"|\beats?\b[^.,;]{0,20}\b(?:meat|fish|dairy)\b|吃素|素食|吃肉|吃荤",
        r"\bwork(?:s|ing)? (?:at|for) (?-i:[A-Z])|\bemployed (?:at|by|with)\b|\b(?:new )?job (?:at|with|as)\b"
        r"|\bjoin(?:ed|ing) (?-i:[A-Z])|\bstart(?:ed|ing)? (?:working )?at (?-i:[A-Z])|在[^，。]{1,12}(?:工作|上班|任职)|入职|跳槽",
    )
)


def of_one_matter(old: str, new: str) -> bool:
    """Whether two statements tell of the same person the same one of these matters.

    >>> of_one_matter("I am vegetarian.", "I eat meat again.")
    True
    >>> of_one_matter("I am vegetarian.", "Ben eats meat again.")
    False
    """
    who, other = _WHO.match(old), _WHO.match(new)
    if who is None or other is None or who["who"].casefold() != other["who"].casefold():
        return False
    return any(matter.search(old) and matter.search(new) for matter in _MATTERS)
