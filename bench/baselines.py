"""The plain ways to search, on the same items as the product: FTS5's BM25, one vector, and the two fused by rank."""

from collections.abc import Sequence

import apsw
import numpy as np

from bench.loading import Part, RecordingEncoder
from mcp_memory.language.tokenization import grams
from mcp_memory.sqlite.index.query_terms import match_expression, query_terms

DEPTH = 200
"""Items a list holds."""
RRF_K = 60
"""As in Cormack, Clarke and Buettcher 2009."""
EVERYWHERE = "all"
"""The scope that means every store."""


class Baselines:
    """Searches over the items of a memory. Each gives ids of items, best first."""

    def __init__(self, parts: Sequence[Part], encoder: RecordingEncoder) -> None:
        """Indexes the items; vectors that the memory made already are not made again."""
        items = list({part.item: part for part in parts}.values())
        self._encoder = encoder
        self._ids = np.array([part.item for part in items])
        self._stores = np.array([part.store for part in items])
        self._vectors = encoder.vectors([part.text for part in items])
        self._words = apsw.Connection(":memory:")
        self._words.execute(
            "CREATE VIRTUAL TABLE t USING fts5 (words, grams, store UNINDEXED, id UNINDEXED, tokenize = 'porter')"
        )
        self._words.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?)",
            [(part.text, " ".join(grams(part.text)), part.store, part.item) for part in items],
        )

    def bm25(self, query: str, scope: str) -> list[str]:
        """FTS5's own bm25(): Porter stems and pairs of CJK characters, the question's stop words left out, OR."""
        rows = self._words.execute(
            "SELECT id FROM t WHERE t MATCH :expression AND (:scope = :everywhere OR store = :scope) "
            "ORDER BY rank LIMIT :depth",
            {
                "expression": match_expression(query_terms(query)) or '""',
                "scope": scope,
                "everywhere": EVERYWHERE,
                "depth": DEPTH,
            },
        )
        return [row[0] for row in rows]

    def vector(self, query: str, scope: str) -> list[str]:
        """The cosine of the question's vector with each item's."""
        cosines = self._vectors @ self._encoder.encode_query(query)
        if scope != EVERYWHERE:
            cosines = np.where(self._stores == scope, cosines, -2)
        best = np.argsort(-cosines, kind="stable")[:DEPTH]
        return [str(self._ids[place]) for place in best if cosines[place] > -2]

    def rrf(self, query: str, scope: str) -> list[str]:
        """Reciprocal rank fusion of the two."""
        return reciprocal_rank_fusion([self.bm25(query, scope), self.vector(query, scope)])


def reciprocal_rank_fusion(rankings: Sequence[Sequence[str]]) -> list[str]:
    """What stands in any of the rankings, by the sum of 1 / (60 + rank).

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    ['b', 'a', 'c']
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] = scores.get(name, 0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda name: -scores[name])
