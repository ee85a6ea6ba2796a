"""The storage of a vector: its binary form, one bit a dimension, and its int8 codes."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from mcp_memory.domain.ids import id_text
from mcp_memory.domain.model import Embedding, PendingEmbedding, SourceId, Vector, spoken
from mcp_memory.errors import Conflict
from mcp_memory.sqlite.rows import fetch

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]


class Nearest(NamedTuple):
    """States by Hamming distance, ties by number."""

    numbers: Numbers
    words: Words  # Binary vectors, shape (words, states)


def binary(vector: Vector) -> bytes:
    """Return one bit a dimension, 1 where positive; length dimensions / 8 rounded up."""
    return np.packbits(vector > 0).tobytes()


def words(blobs: Sequence[bytes | None], dimensions: int) -> Words:
    """Return binary vectors as 64-bit words, shape (words, len(blobs)); zeros for None."""
    count = (dimensions + 63) // 64
    empty = bytes(8 * count)
    packed = b"".join(empty if blob is None else blob.ljust(8 * count, b"\0") for blob in blobs)
    return np.ascontiguousarray(np.frombuffer(packed, np.uint64).reshape(len(blobs), count).T)


def estimate(words: Words, query: Vector) -> Vector:
    """Return the products of a query with binary vectors of 1 and -1, by a look-up table per byte; shape (states,)."""
    padded = np.zeros(64 * len(words), np.float32)
    padded[: len(query)] = query
    eights = padded.reshape(-1, 8)
    table = eights @ _SIGNS_OF_BYTE.T
    bytes_of_states = np.ascontiguousarray(words.T).view(np.uint8)
    return table[np.arange(len(eights)), bytes_of_states].sum(axis=1, dtype=np.float32)


_SIGNS_OF_BYTE = 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 1
"""The eight signs that each byte stands for, shape (256, 8)."""


def codes(vector: Vector) -> bytes:
    """Return int8 codes: the vector over its largest component, times 127.

    Scaling each vector by its own largest component keeps recall@10 at .996 of the exact scan;
    one scale for all components of all vectors loses 3 to 6 points.
    """
    return _quantised(vector)[0].tobytes()


def query_codes(query: Vector) -> list[tuple[bytes, float]]:
    """Split a query into two int8 vectors, rounded and remainder, each with a weight.

    The sum of weight times cosine over both is the product of the query with the other vector at unit length, to four
    decimals: with the rounded one alone, an error of .001 would change the order of near equals.
    """
    rounded, scale = _quantised(query)
    remainder, fine = _quantised((query - scale * rounded).astype(np.float32))
    return [
        (part.tobytes(), step * float(np.linalg.norm(part.astype(np.float32))))
        for part, step in ((rounded, scale), (remainder, fine))
    ]


def _quantised(vector: Vector) -> tuple[NDArray[np.int8], float]:
    """Return int8 codes and the size of one step."""
    scale = float(np.abs(vector).max()) / 127
    return np.rint(vector / (scale or 1)).astype(np.int8), scale


def decode(blobs: list[bytes]) -> Vector:
    """Return the unit vectors of int8 codes, shape (len(blobs), dimensions)."""
    if not blobs:
        return np.zeros((0, 0), np.float32)
    matrix: NDArray[np.float32] = np.frombuffer(b"".join(blobs), np.int8).reshape(len(blobs), -1).astype(np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return matrix / norms


def embeddings(connection: apsw.Connection, revision_ids: Sequence[int], *, encoder: str) -> dict[int, Embedding]:
    """Return embeddings of states by the serving `encoder`."""
    rows = fetch(
        connection,
        "SELECT revision_id, codes, late, pieces FROM vectors "
        "WHERE encoder_id = (SELECT id FROM encoders WHERE serving = 1 AND identity = ?) "
        "AND revision_id IN (SELECT value FROM json_each(?))",
        (encoder, json.dumps(list(revision_ids))),
    )
    own = decode([row[1] for row in rows])
    late = decode([row[2] or row[1] for row in rows])
    return {row[0]: Embedding(own[number], late[number] if row[2] else None, row[3]) for number, row in enumerate(rows)}


def insert(connection: apsw.Connection, encoder_id: int, embeddings: Mapping[int, Embedding]) -> None:
    """Store embeddings by revision id; missing states and duplicates are skipped."""
    connection.executemany(
        "INSERT OR IGNORE INTO vectors (encoder_id, revision_id, codes, late, pieces) "
        "SELECT ?, id, ?, ?, ? FROM revisions WHERE id = ?",
        (
            (
                encoder_id,
                codes(made.vector),
                None if made.late_chunk is None else codes(made.late_chunk),
                made.tokens,
                number,
            )
            for number, made in embeddings.items()
        ),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO binary_vectors (encoder_id, revision_id, bits) SELECT ?, id, ? FROM revisions WHERE id = ?",
        ((encoder_id, binary(made.vector), number) for number, made in embeddings.items()),
    )


_MISSING = """
    FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE r.status = 'live' AND NOT EXISTS (
        SELECT 1 FROM vectors AS v WHERE v.encoder_id = (SELECT id FROM encoders WHERE identity = ?)
        AND v.revision_id = r.id)
"""
"""Live states without a vector of an encoder, past ones included for `as_of`."""


def pending(connection: apsw.Connection, identity: str, *, limit: int) -> tuple[int, list[PendingEmbedding]]:
    """See store.Embeddings. The count is a difference of two: 40 ms among 1,000,000."""
    count = count_pending(connection, identity)
    if not count or not limit:
        return count, []
    rows = fetch(
        connection,
        f"SELECT r.id, r.text, i.speaker, i.source_id, i.position {_MISSING} "
        "ORDER BY i.source_id DESC, i.position, r.id LIMIT ?",
        (identity, limit),
    )
    return count, [
        PendingEmbedding(number, spoken(text, speaker), SourceId(id_text(source)), position)
        for number, text, speaker, source, position in rows
    ]


def count_pending(connection: apsw.Connection, identity: str) -> int:
    """Count live states, past ones included, without a vector of the encoder."""
    return connection.execute(
        "SELECT (SELECT count(*) FROM text_index_docsize) - (SELECT count(*) FROM vectors "
        "WHERE encoder_id = (SELECT id FROM encoders WHERE identity = ?))",
        (identity,),
    ).get


def copy(connection: apsw.Connection, old: int, new: int) -> None:
    """Copy the embedding of a state to a new one of the same text."""
    connection.execute(
        "INSERT INTO vectors (encoder_id, revision_id, codes, late, pieces) "
        "SELECT encoder_id, ?, codes, late, pieces FROM vectors WHERE revision_id = ?",
        (new, old),
    )
    connection.execute(
        "INSERT INTO binary_vectors (encoder_id, revision_id, bits) SELECT encoder_id, ?, bits FROM binary_vectors WHERE revision_id = ?",
        (new, old),
    )


def drop_unserved(connection: apsw.Connection, *, limit: int) -> bool:
    """Delete up to `limit` vectors of unused encoders, then the encoders; return whether more are left."""
    others = "encoder_id IN (SELECT id FROM encoders WHERE serving = 0)"
    connection.execute(
        f"DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors WHERE {others} LIMIT ?)", (limit,)
    )
    dropped = connection.changes()
    connection.execute(
        "DELETE FROM binary_vectors WHERE (revision_id, encoder_id) IN "
        f"(SELECT revision_id, encoder_id FROM binary_vectors WHERE {others} LIMIT ?)",
        (limit,),
    )
    if dropped + connection.changes():
        return True
    connection.execute("DELETE FROM encoders WHERE serving = 0")
    return False


def add_embeddings(connection: apsw.Connection, identity: str, embeddings: Mapping[int, Embedding]) -> None:
    """Store vectors of existing states that have none of this encoder."""
    encoder = connection.execute("SELECT id FROM encoders WHERE identity = ?", (identity,)).get
    if encoder is None:
        raise Conflict(f"The vectors of the encoder {identity} were dropped in the meantime: another one serves now.")
    insert(connection, encoder, embeddings)
