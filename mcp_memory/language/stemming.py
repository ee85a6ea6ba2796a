"""Stems of words, by the Snowball algorithm of their language."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from Stemmer import Stemmer  # pyright: ignore[reportUnknownVariableType]

_ALGORITHMS: Mapping[str, str] = {
    "ar": "arabic", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "fi": "finnish", "fr": "french", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip


def stems(word: str, languages: Iterable[str]) -> list[str]:
    """Return a lower-case word's stem in each language, in order; the word itself where no algorithm is known.

    >>> stems("katzen", ["de"]), stems("кошку", ["ru"]), stems("meeting", ["th"])
    (['katz'], ['кошк'], ['meeting'])
    """
    # A stemmer is made in 2 us and is not safe to share between threads.
    return [cast(Any, Stemmer)(_ALGORITHMS[code]).stemWord(word) if code in _ALGORITHMS else word for code in languages]
