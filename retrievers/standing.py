"""What each node of the trees is worth to a question: its own match, and its parent's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.store.terms import ENGLISH, Analyzer
from retrievers.hybrid import scaled
from retrievers.nodes import NodeIndex

if TYPE_CHECKING:
    from rag.types import Hit, Query

__all__ = ["Standing", "asked", "standing"]

LEAVES_BELOW = 0.5  # share of its best leaf in what a section is worth; the rest is its view's match


@dataclass(frozen=True, eq=False)
class Standing:
    """The nodes that match a question, by row of the index.

    Args:
        index: the nodes.
        match: row -> own match in [0, 1], of leaves and of inner nodes; what is not there has 0.
        hits: row -> the hit of the leaf ranking.
        own: share of a node's own match; the rest is its parent's standing.
    """

    index: NodeIndex
    match: Mapping[int, float]
    hits: Mapping[int, Hit]
    own: float
    _known: dict[int, float] = field(default_factory=dict)

    def score(self, row: int) -> float:
        """own * match + (1 - own) * score of the parent; a root has no parent and stands by its match.

        MoDora's and TreeIndex's descent looks at one level at a time; here a node keeps part of what led to it.
        """
        if row not in self._known:
            path = [row]
            while (up := int(self.index.parent[path[-1]])) >= 0 and up not in self._known:
                path.append(up)
            for one in reversed(path):
                up = int(self.index.parent[one])
                mine = self.match.get(one, 0.0)
                self._known[one] = mine if up < 0 else self.own * mine + (1 - self.own) * self._known[up]
        return self._known[row]

    def live(self) -> dict[int, list[int]]:
        """Parent -> children on a path to a node that matches, in source order; -1 holds the roots.

        A descent needs no others: all children off these paths share one score and lead nowhere.
        """
        rows = set(self.match)
        for row in self.match:
            up = int(self.index.parent[row])
            while up >= 0 and up not in rows:
                rows.add(up)
                up = int(self.index.parent[up])
        found: dict[int, list[int]] = {}
        for row in sorted(rows):
            found.setdefault(int(self.index.parent[row]), []).append(row)
        return found


def asked(text: str, analyzer: Analyzer) -> Counter[str]:
    """Terms of a question with their counts, stop words left out unless there are no others."""
    words = analyzer.words(text)
    telling = [one for one in words if one[0] not in ENGLISH]
    return Counter(term for _, terms in (telling or words) for term in terms)


def standing(
    index: NodeIndex, query: Query, terms: Counter[str], hits: Sequence[Hit], *, pool: int, own: float
) -> Standing:
    """Score leaves by the leaf ranking and inner nodes by their views and their best leaf.

    Scores of the leaf ranking are stretched to [0, 1] as in `retrievers/hybrid`; a view's BM25 is divided by the best
    view's. An inner node above a leaf of the ranking is worth at least half of that leaf's match.

    Args:
        index: the nodes.
        query: its scope and filters are honoured.
        terms: its index terms.
        hits: the leaf ranking, best first.
        pool: inner nodes looked at.
        own: see `Standing`.
    """
    corpus = index.corpus
    docs = None
    if query.restricted:
        import numpy as np

        docs = np.array([query.allows(d, m) for d, m in zip(corpus.doc_ids, corpus.metadata, strict=True)], dtype=bool)
    rows, scores = index.best(terms, pool, docs)
    best = float(scores[0]) if len(scores) else 1.0
    match = {int(row): (1 - LEAVES_BELOW) * float(score) / best for row, score in zip(rows, scores, strict=True)}
    by_row: dict[int, Hit] = {}
    below: dict[int, float] = {}
    for hit, points in zip(hits, scaled(hits, "minmax").tolist(), strict=True):
        row = index.row(hit.doc, hit.node)
        match[row] = max(points, match.get(row, 0.0))
        by_row[row] = hit
        for up in index.above(row):
            below[up] = max(below.get(up, 0.0), points)
    for row, points in below.items():
        match[row] = match.get(row, 0.0) + LEAVES_BELOW * points
    return Standing(index, match, by_row, own)
