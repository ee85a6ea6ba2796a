"""Statistics of a store: its content, its growth and its use."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    path: str
    bytes: int
    sources: int
    items: int
    replaced: int
    forgotten: int
    taken_back: int
    """Items whose coming into being was undone; they are not among the forgotten."""
    operations: int
    pending: int
    encoder: str | None
    scopes: Mapping[str, int]
    kinds: Mapping[str, int]
    schema: int
    topics: int
    ungathered: int
    """Changed items and topics that wait until the topics are brought up to date."""
    digests: int
    stale_digests: int
    languages: Mapping[str, int]
    """Live items but for tool calls by language (detection.language_of); `unknown` where the words do not tell."""
    growth: Mapping[str, int]
    """Items recorded on each of the last GROWTH_DAYS days on which any were, by date in UTC, the latest first."""
    per_day: float
    """Items recorded a day, over the last GROWTH_DAYS days or since the first."""
    source_bytes: int
    digested_bytes: int
    """Those of the sources that the kept digests stand for."""
    digest_bytes: int
    compression: float | None
    """Bytes of source to a byte of digest; None where no digest is kept."""
    duplicates_avoided: int
    """Number of repetitions that made no second item."""
    replacements: int
    recalled: int
    """Live items that recall ever handed out, as far as use counts were written."""
    never_recalled: float
    """The share of live items it never did, 0 to 1."""
    unindexed: int
    """States missing from the index of words."""
    sizes: Mapping[str, int]
    """Bytes of the file by what they hold: truth, words, vectors, topics, other, free; and of the log beside it."""
    tool_history: Mapping[str, int]
    """Tool calls kept whole, patterns they became, and calls that are hidden in these and can come back."""
    encryption: str | None = None
    used: int = 0
    """Bytes in use: of the file without its free pages."""
    max_size: int | None = None
    """Bytes that may be; None for no limit."""
    advice: str | None = None
    """What to do where the encoder does not know the languages of what is remembered."""
