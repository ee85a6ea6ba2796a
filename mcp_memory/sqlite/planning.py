"""The one read before statements are planned: what says the same, what is near, what they name."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import apsw

from mcp_memory.domain.model import Filter, Item, ItemId, Statement, Vector, normal_hash
from mcp_memory.domain.planning import (
    NEIGHBOURS,
    TERM_STATES,
    TERMS,
    TOO_COMMON,
    EarlierVersion,
    PlanningContext,
    PlanningRequest,
    SpokenIn,
)
from mcp_memory.domain.steps import Neighbour
from mcp_memory.recall import bm25
from mcp_memory.sqlite.history import known_before
from mcp_memory.sqlite.index import search
from mcp_memory.sqlite.index.query_terms import DocumentFrequencies
from mcp_memory.sqlite.index.vector_search import VectorSearch
from mcp_memory.sqlite.index.vectors import Nearest
from mcp_memory.sqlite.rows import ITEM_COLUMNS, fetch, items, number_of, states

PRESENT = f"SELECT {ITEM_COLUMNS} FROM revisions AS r JOIN items AS i ON i.id = r.item_id WHERE r.until_time IS NULL"


@dataclass(frozen=True, slots=True)
class Gathering:
    """One request, answered from the snapshot of one connection."""

    connection: apsw.Connection
    request: PlanningRequest
    search: VectorSearch
    frequencies: DocumentFrequencies
    encoder_id: int | None  # None where the request's encoder does not serve

    def context(self) -> PlanningContext:
        statements = self.request.statements
        known, elsewhere = self._known([one for one in statements if one.source.kind == "words"])
        idf, rarest, total = self._idf()
        origins = self.request.origins
        return PlanningContext(
            known=known,
            elsewhere=elsewhere,
            neighbours=self._neighbours(),
            named=self._named([one for said in statements for one in (said.replaces, said.echo_of) if one is not None]),
            idf=idf,
            rarest=rarest,
            total=total,
            earlier=[EarlierVersion(*one) for one in known_before.versions_from(self.connection, origins)]
            if origins
            else [],
            scopes=self._scopes({one.scope for one in statements}),
        )

    def _known(self, statements: Sequence[Statement]) -> tuple[dict[SpokenIn, Item], dict[str, Item]]:
        spoken = [one.spoken for one in statements]
        digests = {text: normal_hash(text).hex() for text in dict.fromkeys(spoken)}
        rows = fetch(
            self.connection,
            f"SELECT {ITEM_COLUMNS}, lower(hex(r.normal_hash)) FROM revisions AS r JOIN items AS i ON i.id = r.item_id "
            "WHERE r.normal_hash IN (SELECT unhex(value) FROM json_each(?)) "
            "AND r.until_time IS NULL AND r.status = 'live' ORDER BY i.id DESC",
            (json.dumps(list(digests.values())),),
        )
        if not rows:
            return {}, {}
        found: dict[str, list[Item]] = {}
        for row, item in zip(rows, items(rows), strict=True):
            found.setdefault(row[-1], []).append(item)
        by_scope = {(item.scope, text): item for text, digest in digests.items() for item in found.get(digest, ())}
        known = {
            (scope, text): by_scope[scope, text]
            for one, text in zip(statements, spoken, strict=True)
            for scope in one.scopes
            if (scope, text) in by_scope
        }
        return known, {text: found[digest][-1] for text, digest in digests.items() if digest in found}

    def _neighbours(self) -> list[list[Neighbour]]:
        found: list[list[tuple[int, float]]] = [[] for _ in self.request.statements]
        by_scope: dict[str, list[int]] = {}
        for number, statement in enumerate(self.request.statements):
            compared = self.request.vectors[number] is not None or self.request.terms[number]
            if compared and statement.source.kind == "words" and statement.replaces is None:
                for scope in statement.scopes:
                    by_scope.setdefault(scope, []).append(number)
        for scope, numbers in by_scope.items():
            self._search(scope, numbers, found)
        known = states(self.connection, {number for near in found for number, _ in near})
        return [[Neighbour(known[number], cosine) for number, cosine in near if number in known] for near in found]

    def _search(self, scope: str, numbers: Sequence[int], found: list[list[tuple[int, float]]]) -> None:
        """Add the states of a scope near each statement by its vector, then those near it by its words alone."""
        where = Filter(scopes=(scope,))
        admits = partial(self.search.admits, self.connection, encoder_id=self.encoder_id, where=where)
        for number in numbers:
            near = self._nearest(self.request.vectors[number], where)
            if query := self._rarest(self.request.terms[number]):
                candidates = search.search_text(
                    self.connection, query, frequencies=self.frequencies, admits=admits, limit=NEIGHBOURS
                )
                near |= {one.revision_id: 0.0 for one in candidates if one.revision_id not in near}
            found[number] += near.items()

    def _nearest(self, vector: Vector | None, where: Filter) -> dict[int, float]:
        """Return the nearest states with their cosines, best first."""
        encoder = self.encoder_id
        if vector is None or encoder is None:
            return {}

        def nearest(count: int) -> Nearest:
            return self.search.nearest(self.connection, vector, encoder_id=encoder, where=where, limit=count)

        candidates = search.search_vectors(
            self.connection, vector, encoder_id=encoder, nearest=nearest, limit=NEIGHBOURS
        )
        return {one.revision_id: one.score for one in candidates}

    def _rarest(self, terms: Sequence[str]) -> str:
        """Return the rarest terms, up to TERMS, and TERM_STATES in all; none where no state holds any."""
        held = self.frequencies.counts(self.connection, terms)
        chosen: list[str] = []
        left = TERM_STATES
        for term in sorted((term for term in held if 0 < held[term] <= TOO_COMMON), key=lambda term: held[term]):
            left -= held[term]
            if chosen and (left < 0 or len(chosen) == TERMS):
                break
            chosen.append(term)
        return " ".join(chosen)

    def _named(self, ids: Sequence[ItemId]) -> dict[ItemId, Item]:
        if not ids:
            return {}
        numbers = json.dumps([number_of(one) for one in ids])
        rows = fetch(self.connection, f"{PRESENT} AND i.id IN (SELECT value FROM json_each(?))", (numbers,))
        return {item.id: item for item in items(rows)}

    def _idf(self) -> tuple[dict[str, float], float, int]:
        words = self.request.words
        total = self.frequencies.total(self.connection)
        holding = self.frequencies.counts(self.connection, words)
        rarest, *idf = bm25.idfs([0, *holding.values()], total=total)
        return dict(zip(holding, idf, strict=True)), rarest, total

    def _scopes(self, asked: set[str]) -> list[str]:
        if all(self.connection.execute(f"SELECT 1 {_LIVE} AND scope = ? LIMIT 1", (scope,)).get for scope in asked):
            return []
        return [name for (name,) in fetch(self.connection, _SCOPES)]


_LIVE = "FROM revisions WHERE until_time IS NULL AND status = 'live'"
# One look-up in the index a scope: to read every state takes 100 ms among 100,000.
_SCOPES = f"""
    WITH RECURSIVE known(scope) AS (
        SELECT min(scope) {_LIVE}
        UNION ALL SELECT (SELECT min(scope) {_LIVE} AND scope > known.scope) FROM known WHERE known.scope IS NOT NULL
    )
    SELECT scope FROM known WHERE scope IS NOT NULL
"""
