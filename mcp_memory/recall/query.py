"""A question, read once: its words, the times it names, and what the encoder makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from mcp_memory.domain.model import Vector
from mcp_memory.encoders import Encoder, Noise
from mcp_memory.encoders.pieces import content_tokens, reduce_states, token_words
from mcp_memory.language.dates.extraction import Moment, asks_when
from mcp_memory.language.dates.periods import Period
from mcp_memory.language.detection import language_of
from mcp_memory.language.tokenization import supports_language, words
from mcp_memory.recall.date_queries import read_dates
from mcp_memory.recall.query_expansion import content_query, expand, has_no_terms


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A question as an encoder has it."""

    encoder: str
    """Its identity."""
    vector: Vector
    tokens: Vector
    """Unit vectors of the content tokens, shape (tokens, PIECE_DIMENSIONS)."""
    words: Sequence[str]
    """The word that each content token is part of."""
    noise: Noise
    languages: tuple[str, ...]
    """Languages of the encoder; empty for any."""
    understood: bool
    """True if the question is in one of them, as far as its words show."""

    def unknown(self, texts: Sequence[str]) -> list[bool]:
        """Return which texts are in a language that the encoder does not know."""
        return [not (text.isascii() or supports_language(self.languages, text)) for text in texts]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed question, with everything that its words alone decide."""

    text: str
    words: frozenset[str]
    content: str
    """The question without words that only ask: what the index of words is searched for."""
    expansion: str
    """Words that an answer may hold instead, for where the content finds nothing; "" for none."""
    moments: Sequence[Moment]
    periods: Sequence[Period]
    """The times that the question asks for, where it asks for nothing else."""
    ambiguous_periods: Sequence[Period]
    """The same of a month at its end that may be a person's name: "about May"."""
    asks_when: bool
    has_terms: bool
    """True if it holds a word of which meaning can be made."""
    encoded: EncodedQuery | None = None

    def encode(self, encoder: Encoder | None) -> "Query":
        """Return the query with its vectors; without, where there is no encoder for it."""
        if encoder is None or not self.has_terms or not supports_language(languages := encoder.languages, self.text):
            return self
        reading = encoder.measure_query(self.text)
        places = [] if reading.states is None else content_tokens(self.text, reading.spans)
        states = np.zeros((0, encoder.dimensions), np.float32) if reading.states is None else reading.states[places]
        encoded = EncodedQuery(
            encoder=encoder.identity,
            vector=reading.vector,
            tokens=reduce_states(states),
            words=token_words(self.text, [reading.spans[place] for place in places]),
            noise=encoder.noise,
            languages=languages,
            understood=not languages or language_of(self.text) in (None, *languages),
        )
        return replace(self, encoded=encoded)


def parse_query(text: str, *, now: datetime) -> Query:
    """Read a question; relative dates count from `now`."""
    dates = read_dates(text, now=now)
    return Query(
        text=text,
        words=frozenset(words(text)),
        content=content_query(text),
        expansion=expand(text),
        moments=dates.moments,
        periods=dates.only,
        ambiguous_periods=dates.ambiguous,
        asks_when=asks_when(text),
        has_terms=not has_no_terms(text),
    )
