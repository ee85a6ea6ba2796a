"""Terms of a query, their document frequencies, and filters as SQL."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import takewhile
from operator import eq
from typing import Any

import apsw

from mcp_memory.domain.model import Filter, spoken
from mcp_memory.language.detection import likely_languages
from mcp_memory.language.function_words import function_words
from mcp_memory.language.scripts import HIRAGANA
from mcp_memory.language.stemming import stems
from mcp_memory.language.tokenization import content_words, grams
from mcp_memory.recall.bm25 import UNIGRAM_WEIGHT

QUERY_WORDS = 64  # Time grows with each; a question has fewer
HAPPENED = "coalesce(r.occurred_at, i.recorded_at + :zone_offset)"
COUNTED = 20_000  # Cached document frequencies: 3 MB


SHORTEST = 4  # Letters of a word whose forms are searched, and of the common prefix
COMPOUND = 5  # Letters of a word that may begin another: Zahnarzt, Zahnarzttermin
FORM_WEIGHT = 0.7  # Any of .4 to 1 finds the same (python -m bench.languages)
FORMS_READ = 200  # Terms of one prefix that are read
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")
# Hiragana join and bend the words of a Japanese question; what it is about is in its Kanji and Katakana.
_KANA = re.compile(f"[{HIRAGANA}ー]+")


def conditions(where: Filter) -> tuple[str, dict[str, Any]]:
    """Return the filter as SQL over a revision r and its item i, and its bindings."""
    parts = ["r.status = 'live'"]
    bound: dict[str, Any] = {"zone_offset": where.zone_offset}
    if where.as_of is None:
        parts.append("r.until_time IS NULL")
    else:
        parts.append("r.from_time <= :as_of AND (r.until_time IS NULL OR r.until_time > :as_of)")
        bound["as_of"] = where.as_of
    if where.scopes:
        parts.append("r.scope IN (SELECT value FROM json_each(:scopes))")
        bound["scopes"] = json.dumps(where.scopes)
    if where.kinds:
        parts.append("r.kind IN (SELECT value FROM json_each(:kinds))")
        bound["kinds"] = json.dumps(where.kinds)
    if where.pinned_only:
        parts.append("r.pinned = 1")
    if where.tags:
        parts.append(
            "EXISTS (SELECT 1 FROM json_each(r.tags) AS t WHERE t.value IN (SELECT value FROM json_each(:tags)))"
        )
        bound["tags"] = json.dumps(where.tags)
    if where.since is not None:
        parts.append(f"{HAPPENED} >= :since")
        bound["since"] = where.since
    if where.until is not None:
        parts.append(f"{HAPPENED} < :until")
        bound["until"] = where.until
    return " AND ".join(parts), bound


def prepare(connection: apsw.Connection) -> None:
    """Create the temporary table of document frequencies that searches read."""
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, text_index, row)")


def query_terms(query: str) -> dict[str, float]:
    """Return a query's terms with their weights: words without stop words, CJK bigrams, single CJK characters at less."""
    content = content_words(query)
    idle = function_words(query)
    words = list(dict.fromkeys(word for word in content if word not in idle) or dict.fromkeys(content))[:QUERY_WORDS]
    found = list(dict.fromkeys(grams(query)))[: 4 * QUERY_WORDS]
    telling = [gram for gram in found if not _KANA.fullmatch(gram)]
    if any(len(gram) > 1 for gram in telling):
        found = telling
    pairs = any(len(gram) > 1 for gram in found)
    return dict.fromkeys(words, 1.0) | {gram: UNIGRAM_WEIGHT if pairs and len(gram) == 1 else 1.0 for gram in found}


def searched_terms(connection: apsw.Connection, query: str, frequencies: "DocumentFrequencies") -> dict[str, float]:
    """Return the terms of a query, and those of the index that may be forms of its words.

    The index stems English alone, so of a word in another language every form is searched for; of an English one only
    where no state holds it, the words that it begins.
    """
    terms, languages = _read(query)
    inflected = "en" not in languages
    asked = [term for term in terms if _WORD.fullmatch(term) and (inflected or not frequencies.of(connection, term))]
    forms = {form for word in asked for form in _forms(connection, word, languages if inflected else ())}
    return terms | dict.fromkeys(sorted(forms - terms.keys()), FORM_WEIGHT)


@lru_cache(maxsize=32)
def _read(query: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the terms of a query and the languages it may be in; it is searched for and then scored."""
    return query_terms(query), likely_languages(query)


def _forms(connection: apsw.Connection, word: str, languages: Sequence[str]) -> list[str]:
    tokenize = tokenizer(connection)
    token = "".join(tokenize(word))
    word_stems = stems(token, languages)
    start = _common_beginning([token, *word_stems])[:COMPOUND] if languages else token
    if len(start) < SHORTEST:
        return []
    rows = connection.execute(
        "SELECT term FROM temp.terms WHERE term > ? AND term < ? LIMIT ?", (start, start + "\U0010ffff", FORMS_READ)
    ).fetchall()
    others = [str(other) for (other,) in rows]
    forms = [other for other in others if _begins(token, other) or any(map(eq, stems(other, languages), word_stems))]
    # What is searched for is stemmed once more, and must stay as it is in the index.
    return [form for form in forms if tokenize(form) == [form]]


def _common_beginning(words: Sequence[str]) -> str:
    return "".join(letters[0] for letters in takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False)))


def _begins(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    return len(shorter) >= COMPOUND and longer.startswith(shorter)


def match_expressions(terms: Iterable[str]) -> dict[str, str]:
    """Return the FTS5 expression of each term."""
    return {term: match_expression([term]) for term in terms}


def match_expression(terms: Iterable[str]) -> str:
    """Return the FTS5 expression for any of the terms, quoted, so that no user input is an operator."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


class DocumentFrequencies:
    """Document frequencies, cached for as long as the full-text index is unchanged. Thread-safe."""

    def __init__(self) -> None:
        self._kept: tuple[bytes, dict[str, int]] = b"", {}

    def of(self, connection: apsw.Connection, term: str) -> int:
        """Return how many states hold a term; where it is several tokens, the rarest of them."""
        averages, counts = self._kept
        now = _averages(connection)
        if now != averages:
            self._kept = now, (counts := {})
        if term not in counts:
            if len(counts) >= COUNTED:
                counts.clear()
            found = [
                connection.execute("SELECT doc FROM temp.terms WHERE term = ?", (token,)).get or 0
                for token in tokenizer(connection)(term)
            ]
            counts[term] = min(found, default=0)
        return counts[term]

    def counts(self, connection: apsw.Connection, terms: Iterable[str]) -> dict[str, int]:
        """Return the document frequency of each term."""
        return {term: self.of(connection, term) for term in terms}

    def total(self, connection: apsw.Connection) -> int:
        """Return how many states are indexed."""
        return (_varints(_averages(connection)) or [0])[0]

    def average_length(self, connection: apsw.Connection) -> float:
        """Return the average number of tokens of a state."""
        total, *tokens = _varints(_averages(connection)) or [0]
        return sum(tokens) / total if total else 0.0


def _averages(connection: apsw.Connection) -> bytes:
    """Return the FTS5 record of how many rows there are and how many tokens each column has in all, as varints."""
    return connection.execute("SELECT block FROM text_index_data WHERE id = 1").get or b""


def _varints(record: bytes) -> list[int]:
    numbers, number = list[int](), 0
    for byte in record:
        number = number << 7 | byte & 127
        if byte < 128:
            numbers.append(number)
            number = 0
    return numbers


def tokenizer(connection: apsw.Connection) -> Callable[[str], list[str]]:
    """Return the index's tokenizer: folded, stemmed tokens."""
    made = connection.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])

    def tokens(text: str) -> list[str]:
        found = made(text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False)
        return [str(token) for token in found]

    return tokens


def tokens_of(connection: apsw.Connection, texts: Iterable[str]) -> list[list[str]]:
    """Return the tokens of each text."""
    return list(map(tokenizer(connection), texts))


def indexed_tokens(connection: apsw.Connection, texts: Iterable[tuple[str, str | None]]) -> list[list[str]]:
    """Return the tokens that the index has of each text with its speaker."""
    return tokens_of(connection, [" ".join(indexed(text, speaker)) for text, speaker in texts])


def indexed(text: str, speaker: str | None) -> tuple[str, str]:
    """Return the two columns of the index: the text with its speaker, and CJK characters and bigrams."""
    return spoken(text, speaker) if speaker else text, "" if text.isascii() else " ".join(grams(text))
