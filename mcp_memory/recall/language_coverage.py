"""Languages of the memories that the encoder does not know, and the advice that they call for."""

from mcp_memory.domain.model import Filter
from mcp_memory.encoders import Encoder
from mcp_memory.language.detection import NAMES, unknown_share
from mcp_memory.store import Store

ADVICE = "mcp_memory.advice"
"""The logger a server warns through; commands are silent, since `stats` shows it."""
SAMPLE = 1000
"""The latest memories, whose languages are detected: 40 ms."""
LEAST = 20
"""Memories in unknown languages from which advice is given."""
SHARE = 0.3


def language_advice(store: Store, encoder: Encoder) -> str | None:
    """Return advice where more than SHARE of the memories, and at least LEAST, are in languages the encoder does not know."""
    if not encoder.languages:
        return None
    texts = [item.text for item in store.listing(where=Filter(), limit=SAMPLE) if item.kind != "tool"]
    share, languages = unknown_share(texts, encoder.languages)
    count = round(share * len(texts))
    if share <= SHARE or count < LEAST:
        return None
    found = ", ".join(NAMES.get(code, code) for code in languages[:3])
    known = ", ".join(NAMES.get(code, code) for code in encoder.languages)
    return (
        f"{count} of the latest {len(texts)} memories are in languages ({found}) that the encoder {encoder.identity} does not "
        f"know (it knows {known}): they are found by their words alone. To find them by meaning, name a directory with an "
        "encoder that knows them with --model, and run `mcp-memory reindex` with it."
    )
