"""VectorSearch: which states a filter admits and which are nearest; VectorScan answers in SQL, by sqlite-vec's functions."""

import importlib.util
import json
from pathlib import Path
from typing import Protocol

import apsw
import numpy as np

from mcp_memory.domain.model import Filter, Vector
from mcp_memory.errors import Unusable
from mcp_memory.sqlite.index import vectors
from mcp_memory.sqlite.index.query_terms import conditions
from mcp_memory.sqlite.index.vector_cache import VectorCache
from mcp_memory.sqlite.index.vectors import Mask, Nearest, Numbers
from mcp_memory.sqlite.rows import fetch

SCANS = 8  # Scans before loading all vectors, which costs ten to twenty scans


class VectorSearch(Protocol):
    """Exact nearest-neighbour search by binary vectors with the filter inside; implementations agree in results and order."""

    def nearest(
        self, connection: apsw.Connection, query: Vector, *, encoder_id: int, where: Filter, limit: int
    ) -> Nearest:
        """Return the `limit` states whose binary vectors differ least from the query's."""
        ...

    def admits(self, connection: apsw.Connection, numbers: Numbers, *, encoder_id: int | None, where: Filter) -> Mask:
        """Return which of these states the filter admits."""
        ...


class VectorScan:
    """Scans the file, for a short-lived process; after SCANS searches a VectorCache takes over."""

    def __init__(self) -> None:
        self._left = SCANS
        self._cache = VectorCache()

    def nearest(
        self, connection: apsw.Connection, query: Vector, *, encoder_id: int, where: Filter, limit: int
    ) -> Nearest:
        if not self._left:
            return self._cache.nearest(connection, query, encoder_id=encoder_id, where=where, limit=limit)
        self._left -= 1
        condition, bound = conditions(where)
        rows = fetch(
            connection,
            "SELECT r.id, b.bits FROM revisions AS r LEFT JOIN items AS i ON i.id = r.item_id "
            "JOIN binary_vectors AS b ON b.revision_id = r.id AND b.encoder_id = :encoder "
            f"WHERE {condition} ORDER BY vec_distance_hamming(vec_bit(b.bits), vec_bit(:bits)), r.id LIMIT :limit",
            {**bound, "encoder": encoder_id, "bits": vectors.binary(query), "limit": limit},
        )
        return Nearest(
            np.array([row[0] for row in rows], np.int64), vectors.words([row[1] for row in rows], len(query))
        )

    def admits(self, connection: apsw.Connection, numbers: Numbers, *, encoder_id: int | None, where: Filter) -> Mask:
        condition, bound = conditions(where)
        rows = fetch(
            connection,
            "SELECT r.id FROM json_each(:numbers) AS n CROSS JOIN revisions AS r ON r.id = n.value "
            f"LEFT JOIN items AS i ON i.id = r.item_id WHERE {condition}",
            {**bound, "numbers": json.dumps(numbers.tolist())},
        )
        return np.isin(numbers, np.array(rows, np.int64).reshape(-1))


def load_extension(connection: apsw.Connection) -> None:
    """Load sqlite-vec. Raises Unusable where the package is not installed."""
    connection.enable_load_extension(True)
    connection.load_extension(extension_path())
    connection.enable_load_extension(False)


def extension_path() -> str:
    """Return the path of sqlite-vec's library. Raises Unusable where the package is not installed."""
    # Found without importing the package: its import alone costs 64 ms.
    spec = importlib.util.find_spec("sqlite_vec")
    if spec is None or not spec.submodule_search_locations:
        raise Unusable("The sqlite-vec package is not installed; install mcp-memory again.")
    return str(Path(spec.submodule_search_locations[0]) / "vec0")
