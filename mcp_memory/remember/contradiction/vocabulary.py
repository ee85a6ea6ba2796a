"""The word lists, units and closed sets of states that comparing statements goes by, read from vocabulary.json."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from mcp_memory.language.kinship import relations
from mcp_memory.language.number_words import WEEKDAYS

_DATA: Mapping[str, Any] = json.loads(files(__package__).joinpath("vocabulary.json").read_text("utf-8"))


def lines_of(name: str) -> list[str]:
    """Return the lines of a data file of this package without comments."""
    lines = files(__package__).joinpath(name).read_text("utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _rewrites(language: str) -> list[tuple[re.Pattern[str], str]]:
    rows = [line.split("\t") for line in lines_of("rewrites.tsv")]
    return [(re.compile(pattern, re.IGNORECASE), becomes) for code, pattern, becomes in rows if code == language]


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


def _sequence(name: str) -> tuple[str, ...]:
    return tuple(_DATA[name].split())


def _units(table: Mapping[str, str]) -> dict[str, tuple[str, float]]:
    units: dict[str, tuple[str, float]] = {}
    for dimension, entries in table.items():
        for entry in entries.split():
            names, _, factor = entry.rpartition("=")
            units |= {name: (dimension, float(factor)) for name in names.split(",")}
    return units


DAYS = {word: number + 1 for name, number in WEEKDAYS.items() for word in ([name, f"{name}s"] if len(name) > 5 else [])}
"""English names of the days of the week, from 1 for Monday; abbreviations mean too many other things."""

UNITS = _units(_DATA["units"])
"""By name, the dimension and how many of its base unit (second, month, metre, gram, litre, byte) one is."""
SCALES: Mapping[str, float] = _DATA["scales"]
SPELLED = dict(pair.split("=") for pair in _sequence("spelled"))
"""British spellings, each with the American one."""

FILLERS = _words("fillers")
"""Words that do not change what a statement says of what."""
ZH_FILLERS = _sequence("zh_fillers")
ROUGH = _sequence("rough")
"""Words before or after a value that is only approximate."""
OPENERS = tuple(tuple(opener.split()) for opener in str(_DATA["openers"]).split("|"))
"""Phrases that introduce a correction and are no part of it."""
NEGATIONS, ZH_NEGATIONS = _words("negations"), _words("zh_negations")
DISLIKE, LIKE, ENDED = _words("dislike"), _words("like"), _words("ended")
QUESTION_OPENERS, ZH_QUESTIONS = _words("question_openers"), _sequence("zh_questions")
HEDGES, ZH_HEDGES = _words("hedges"), _sequence("zh_hedges")
"""Words of what may be, is planned or is rumoured."""
PAST, ZH_PAST, ONCE = _words("past"), _sequence("zh_past"), _words("once")
"""Irregular past tenses, and words that date a single event."""
ADDS = _words("adds")
COPULAS, PAST_COPULAS = _words("copulas"), _words("past_copulas")
PREPOSITIONS, PARTICIPLES = _words("prepositions"), _words("participles")
VERBS = _words("verbs")
"""Frequent verbs of what holds until it changes, in the base form."""
STATIVE: Mapping[str, frozenset[str]] = {verb: frozenset(words.split()) for verb, words in _DATA["stative"].items()}
"""Verbs of a single place, employer or time, each with the prepositions that lead to it."""
COLOURS = _words("colours")
STATES: Sequence[frozenset[str]] = [frozenset(group.split()) for group in _DATA["states"]] + [COLOURS]
ZH_STATES: Sequence[tuple[str, ...]] = [tuple(group.split()) for group in _DATA["zh_states"]]
"""Sets of states of which only one holds at a time."""
SINGLE_HEADS, HEAD_ENDINGS, ZH_SINGLE_HEADS = _words("heads"), _sequence("head_endings"), _sequence("zh_heads")
"""Nouns of what something has one of at a time: its owner, price, colour, host."""
SINGLE_HOLDER_ROLES = _words("offices")
"""Offices that one person holds at a time."""
SEVERAL, ZH_SEVERAL = _words("several"), _sequence("zh_several")
"""Nouns of what somebody has several of."""
ZH_CUES, ZH_PLACES = _sequence("zh_cues"), _sequence("zh_places")
"""Chinese verbs and copulas right after which a value stands, and endings of places."""
KIN = frozenset(word for relation in relations() for word in relation.english)
ZH_KIN = tuple(word for relation in relations() for word in relation.chinese if len(word) > 1)
CHANGE_VERBS = _words("change_verbs")
REWRITES, ZH_REWRITES = _rewrites("en"), _rewrites("zh")
"""Contractions and phrases, each with what it is read as."""
