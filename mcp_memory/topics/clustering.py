"""Incremental clustering of items into topics, and the name and keywords of a topic."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log10, sqrt

import numpy as np

from mcp_memory.domain.model import Item, Vector
from mcp_memory.domain.topic_index import Assignment, Cluster, Description, Place, Terms, UnassignedItem
from mcp_memory.topics.keywords import MIN_IDF, keywords, terms_of

JOIN = 0.3
"""Affinity from which an item belongs to a topic, and two topics are one: chosen in a prototype on the paragraphs of
XQuAD's 48 articles, where it gave a purity of .88 and a pairwise F1 of .73; .25 gave .78 and .65, .35 gave .94 and .76 but
left short statements of one trip alone, .4 .96 and .70. Of what was built python -m bench.topics measures the same."""
WORD_WEIGHT = 1.0
"""Of shared words beside the nearness of vectors: .5 to 2 changed the mutual information by .01 in that prototype."""
WORDS_ALONE = 5.0
"""Of shared words where there are no two vectors to compare: so scaled JOIN suits XQuAD in Chinese too (F1 .60)."""
OWN_TAG = 0.2
"""What carrying a topic's tag adds to an item's affinity to it: between what is near anyway and what shares only a tag."""
FEW = 50
"""Items from which what all of a scope's items have in common tells nothing: without this, a conversation is one topic."""
TERMS = 16
TOPIC_TERMS = 64
"""The words a topic is compared by, those that weigh the most."""
SESSION_BONUS = 0.2
"""What a session shared with a topic's members adds to an item's affinity to it, where neither is held by more.

Bare statements of one trip ("My budget is 20,000.", "I am worried about the altitude.") have cosines of .18 on average,
statements of unrelated subjects of .05 (15 and 51 pairs, bundled encoder, 2026-11-21). From .2 to .25 six of the first,
stated in one session, form two topics of three, and six of the second none.
"""
NEIGHBOUR_WEIGHT = 0.5
"""Weight of the words of the turns around a turn, which is for words what late chunking is for vectors."""
_MARK = "\x1f"
"""Begins a term that is no word and counts only where nothing else holds a topic together."""


def term_counts(text: str, around: Iterable[str] = ()) -> dict[str, float]:
    """Count the terms of a text; those of neighbouring turns weigh less."""
    counts: dict[str, float] = dict(Counter(terms_of(text)))
    for other in around:
        for term in set(terms_of(other)):
            counts[term] = counts.get(term, 0) + NEIGHBOUR_WEIGHT
    return counts


def tfidf(counts: Mapping[str, float], rarity: Mapping[str, float]) -> dict[str, float]:
    """Return the TF-IDF of the TERMS heaviest terms as a unit vector; `rarity` is the inverse document frequency."""
    raw = {term: sqrt(count) * max(rarity.get(term, MIN_IDF), MIN_IDF) for term, count in counts.items()}
    best = sorted(raw, key=lambda term: (-raw[term], term))[:TERMS]
    length = sqrt(sum(raw[term] ** 2 for term in best))
    return {term: raw[term] / length for term in best}


def session_term(session: str) -> Terms:
    """Return a term for the session that an item was remembered in; none where it was alone."""
    return {f"{_MARK}{session}": 1.0} if session else {}


def subject_terms(session: str, parts: Iterable[str]) -> Terms:
    """Return terms, as good as words, for the undertaking that a statement and its session are part of."""
    return {f"\x1e{part} {session}": 1.0 for part in parts}


def is_incoherent(mean: Vector, measured: int) -> bool:
    """Return whether a topic with this centroid has fewer than three members, or members too unlike for one."""
    if measured < 3:
        return measured > 0
    return (measured * float(mean @ mean) - 1) / (measured - 1) < JOIN


def assign(
    newcomers: Sequence[UnassignedItem],
    clusters: Sequence[Cluster],
    shared: Mapping[str, Mapping[int, float]],
    *,
    floor: float = 0.0,
) -> Assignment:
    """Assign newcomers of one scope to topics, one after the other.

    Average linkage, incrementally: an item joins the topic to whose members it is nearest on average, from JOIN on, or
    begins one. `shared` has, for each term of a newcomer, the topics that hold it and the sum of its weights there;
    `floor` is the cosine of unrelated texts.
    """
    field = _Field(clusters, shared, floor=floor, newcomers=newcomers)
    places = [field.settle(place) for place in [field.place(newcomer) for newcomer in newcomers]]
    joined = {cluster for place in places for cluster in place.clusters}
    founded = {cluster: tag for cluster, tag in field.founded.items() if cluster in joined}
    return Assignment(places, founded, {cluster: field.mean_of(cluster) for cluster in joined})


def merge_candidates(
    found: Sequence[tuple[Cluster, Terms]],
    clusters: Sequence[Cluster],
    shared: Mapping[str, Mapping[int, float]],
    *,
    floor: float = 0.0,
) -> list[tuple[int, int]]:
    """Return pairs of topics to merge: the id of the one that goes, and of the one it goes into.

    Each of `found` with the sums of its terms' weights is compared with all of `clusters` of its scope. Two with tags of
    their own stay apart; a tag's topic stays, else the larger one. None goes that another goes into.
    """
    field = _Field(clusters, shared, floor=floor, compared=[cluster for cluster, _ in found])
    by_id = {cluster.id: cluster for cluster in clusters} | {cluster.id: cluster for cluster, _ in found}
    goes: dict[int, int] = {}
    for cluster, terms in found:
        if not cluster.size or cluster.id in goes:
            continue
        means = {term: weight / cluster.size for term, weight in terms.items()}
        affinity = field.affinities(cluster.mean if cluster.measured else None, means)
        if cluster.tag is None and is_incoherent(cluster.mean, cluster.measured):
            affinity += field.session_bonus(means)
        for row, other in enumerate(clusters):
            apart = cluster.tag is not None and other.tag is not None
            if apart or other.id == cluster.id or other.id in goes:
                affinity[row] = -1.0
        best = int(affinity.argmax()) if len(affinity) else -1
        if best < 0 or affinity[best] < JOIN:
            continue
        other = by_id[clusters[best].id]
        small, large = sorted((cluster, other), key=lambda one: (one.tag is not None, one.size, -one.id))
        if small.id not in goes.values():
            goes[small.id] = large.id
    return list(goes.items())


def summarise(members: Sequence[Item], profiles: Sequence[UnassignedItem], rarity: Mapping[str, float]) -> Description:
    """Describe a topic by its members and their sums. `rarity` covers all their terms."""
    sums: Counter[str] = Counter()
    for profile in profiles:
        sums.update(profile.terms)
    known = [profile.vector for profile in profiles if profile.vector is not None]
    mean = np.mean(known, axis=0).astype(np.float32) if known else np.zeros(0, np.float32)
    chronological = sorted(members, key=lambda item: item.id)
    found = keywords([item.text for item in chronological], rarity)
    terms_of_members = [set(terms_of(item.text)) for item in members]
    several = [sum(set(terms_of(word)) <= terms for terms in terms_of_members) > 1 for word in found]
    return Description(
        keywords=found,
        leading=several.index(False) if False in several else len(several),
        importance=importance(members),
        terms=dict(sums.most_common(TOPIC_TERMS)),
        mean=mean,
        measured=len(known),
        changed_at=max((item.changed_at for item in members), default=0),
    )


def importance(members: Sequence[Item]) -> float:
    """Return the mean importance, 0 to 1, a pinned member counting as 1, nearer to 1 the more members there are.

    Ten members of the ordinary .5 make .75, a hundred .83.
    """
    if not members:
        return 0.0
    mean = sum(1.0 if item.pinned else item.importance for item in members) / len(members)
    return 1 - (1 - mean) / (1 + log10(len(members)))


class _Field:
    def __init__(
        self,
        clusters: Sequence[Cluster],
        shared: Mapping[str, Mapping[int, float]],
        *,
        floor: float,
        newcomers: Sequence[UnassignedItem] = (),
        compared: Sequence[Cluster] = (),
    ) -> None:
        """Reserve room for the topics that newcomers may begin, in the dimensions of whatever is compared with them."""
        room = sum(1 + len(newcomer.tags) for newcomer in newcomers)
        vectors = [newcomer.vector for newcomer in newcomers if newcomer.vector is not None]
        # Vectors are made while topics wait, so those known of the same topics may differ in whether they have any.
        dimensions = max(map(len, [*vectors, *(cluster.mean for cluster in (*clusters, *compared))]), default=0)
        self.founded: dict[int, str | None] = {}
        self._ids = [cluster.id for cluster in clusters]
        self._rows = {identifier: row for row, identifier in enumerate(self._ids)}
        self._tags = {cluster.tag: cluster.id for cluster in clusters if cluster.tag is not None}
        self._sizes = np.zeros(len(clusters) + room, np.float32)
        self._measured = np.zeros(len(clusters) + room, np.float32)
        self._means = np.zeros((len(clusters) + room, dimensions), np.float32)
        for row, cluster in enumerate(clusters):
            self._sizes[row], self._measured[row] = cluster.size, cluster.measured
            if len(cluster.mean):
                self._means[row] = cluster.mean
        self._shared = {term: dict(holders) for term, holders in shared.items()}
        self._floor = max(floor, 0.0, self._common_cosine(newcomers))

    def _common_cosine(self, newcomers: Sequence[UnassignedItem]) -> float:
        """Estimate the average cosine of two items of the scope, lower where little is known: all turns of one conversation
        are somewhat alike, which makes them no topic.
        """
        vectors = [newcomer.vector for newcomer in newcomers if newcomer.vector is not None]
        count = float(self._measured.sum()) + len(vectors)
        if not count:
            return 0.0
        total = self._measured @ self._means
        if vectors:
            total = total + np.sum(vectors, axis=0)
        mean = total / count
        return min(0.9, float(mean @ mean) * count / (count + FEW))

    def place(self, newcomer: UnassignedItem) -> Place:
        affinity = self.affinities(newcomer.vector, newcomer.terms)
        tagged = [self._tags[tag] if tag in self._tags else self._found(tag) for tag in newcomer.tags]
        for cluster in tagged:
            affinity[self._rows[cluster]] += OWN_TAG
        best = int(affinity.argmax()) if len(affinity) else -1
        home = self._ids[best] if best >= 0 and affinity[best] >= JOIN else None
        if home is None:
            new = [cluster for cluster in tagged if self._sizes[self._rows[cluster]] == 0]
            # What begins a tag's topic resembles nothing else yet, and is at home there.
            home = new[0] if new else self._found(None)
        joined = tuple(dict.fromkeys([home, *tagged]))
        for cluster in joined:
            self._join(self._rows[cluster], cluster, newcomer)
        return Place(newcomer, joined)

    def settle(self, place: Place) -> Place:
        """Place a newcomer that resembles nothing enough, by the session it was remembered in."""
        newcomer, cluster = place.item, place.clusters[0]
        row = self._rows[cluster]
        if cluster >= 0 or newcomer.tags or newcomer.vector is None or self._sizes[row] != 1:
            return place
        affinity = self.affinities(newcomer.vector, newcomer.terms) + self.session_bonus(newcomer.terms)
        affinity[row] = -1.0
        best = int(affinity.argmax())
        if affinity[best] < JOIN:
            return place
        self._sizes[row] = self._measured[row] = 0
        self._means[row] = 0
        for holders in self._shared.values():
            holders.pop(cluster, None)
        self._join(best, self._ids[best], newcomer)
        return Place(newcomer, (self._ids[best],))

    def affinities(self, vector: Vector | None, terms: Terms) -> Vector:
        """Return the mean affinity to the members of each topic, and 0 for the reserved room."""
        common = self._common({term: weight for term, weight in terms.items() if not term.startswith(_MARK)})
        if vector is None:
            return WORDS_ALONE * common
        near = np.clip((self._means @ vector - self._floor) / (1 - self._floor), 0, None)
        return np.where(self._measured > 0, near + WORD_WEIGHT * common, WORDS_ALONE * common).astype(np.float32)

    def session_bonus(self, terms: Terms) -> Vector:
        """Return what a shared session adds to the affinity to each topic that nothing else holds together yet."""
        share = self._common({term: weight for term, weight in terms.items() if term.startswith(_MARK)})
        bonus: Vector = (SESSION_BONUS * np.minimum(share, 1)).astype(np.float32)
        for row in np.flatnonzero(bonus[: len(self._ids)]):
            tagged = self._ids[row] in self._tags.values()
            if tagged or not is_incoherent(self._means[row], int(self._measured[row])):
                bonus[row] = 0
        return bonus

    def _common(self, terms: Terms) -> Vector:
        common: Vector = np.zeros(len(self._sizes), np.float32)
        for term, weight in terms.items():
            for cluster, total in self._shared.get(term, {}).items():
                if cluster in self._rows:
                    common[self._rows[cluster]] += weight * total
        return (common / np.maximum(self._sizes, 1)).astype(np.float32)

    def mean_of(self, cluster: int) -> tuple[Vector, int]:
        row = self._rows[cluster]
        count = int(self._measured[row])
        return (self._means[row] if count else np.zeros(0, np.float32)), count

    def _found(self, tag: str | None) -> int:
        identifier = -len(self.founded) - 1
        self.founded[identifier] = tag
        self._rows[identifier] = len(self._ids)
        self._ids.append(identifier)
        if tag is not None:
            self._tags[tag] = identifier
        return identifier

    def _join(self, row: int, cluster: int, newcomer: UnassignedItem) -> None:
        self._sizes[row] += 1
        for term, weight in newcomer.terms.items():
            holders = self._shared.setdefault(term, {})
            holders[cluster] = holders.get(cluster, 0.0) + weight
        if newcomer.vector is not None:
            self._measured[row] += 1
            self._means[row] += (newcomer.vector - self._means[row]) / self._measured[row]
