"""What the index of words holds of a state, and how it gets there and away."""

import apsw

from mcp_memory.domain import spoken
from mcp_memory.text import grams


def indexed(text: str, speaker: str | None) -> tuple[str, str]:
    """The two columns: what is said with who says it, and the CJK characters and their pairs."""
    return spoken(text, speaker), " ".join(grams(text))


def insert_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Index a state's words."""
    connection.execute(
        "INSERT INTO text_index (rowid, words, grams) VALUES (?, ?, ?)", (revision_id, *indexed(text, speaker))
    )


def delete_words(connection: apsw.Connection, revision_id: int, text: str, speaker: str | None) -> None:
    """Take a state's words out of the index; they must be the ones that were put in."""
    connection.execute(
        "INSERT INTO text_index (text_index, rowid, words, grams) VALUES ('delete', ?, ?, ?)",
        (revision_id, *indexed(text, speaker)),
    )
