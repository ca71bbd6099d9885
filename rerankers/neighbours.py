"""Order hits by their score, by what found them, and by how their neighbours in the document do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.stretch import stretched

__all__ = ["Neighbours"]

NAME = "rerankers/neighbours"


@stage
class Neighbours:
    """Add to a hit's score its earlier score and the better of its neighbours' scores.

    A reranker judges a passage alone. Two things it does not see: how the search that found the passage ranked it
    (a cross-encoder trained on web passages is worse than its own input on contracts), and that evidence runs on: where
    the leaf before or behind is good, this one is likelier to be. Both scores are stretched to [0, 1] over the hits,

        total = score + prior * earlier score,
        value = total + near * best total beside it + section * best other total of its section,

    where a neighbour that is no hit counts 0. The form is that of interpolated reranking (Wang et al., "BERT-based
    Dense Retrievers Require Interpolation with BM25", ICTIR 2021, https://doi.org/10.1145/3471158.3472233) with a
    smoothing over the outline that is not in it.

    Args:
        hits: n >= 0, in any order; `scores` of a hit tells what earlier stages gave, in their order.

    Returns:
        min(n, k) of the same hits, best first, ties by document and place; `score` is the value.
    """

    prior: float = Field(default=1.0, ge=0, description="weight of the score before the last stage's")
    earlier: str = Field(default="", description="stage that gave the earlier score; empty: the one before the last")
    near: float = Field(default=0.2, ge=0, description="weight of the better neighbour, before or behind")
    section: float = Field(default=0.0, ge=0, description="weight of the best other hit of the same section")
    k: int = Field(default=10, ge=1, description="hits kept")

    def __call__(self, hits: Hits, /) -> Hits:
        """Add up, order, cut."""
        if not hits.items:
            return hits
        total = stretched(hit.score for hit in hits)
        if self.prior:
            before = [self._before(hit) for hit in hits]
            if any(value is not None for value in before):
                total = total + self.prior * stretched(math.nan if value is None else value for value in before)
        value = total + self.near * _beside(hits, total) + self.section * _around(hits, total)
        ranked = [
            replace(hit, score=score, scores={**hit.scores, NAME: score})
            for hit, score in zip(hits.items, np.round(value, 9).tolist(), strict=True)
        ]
        ranked.sort(key=lambda hit: (-hit.score, hit.key, hit.spans))
        drops = tuple(Drop(hit, NAME, f"rank {r} > k={self.k}") for r, hit in enumerate(ranked, 1) if r > self.k)
        return replace(hits, items=tuple(ranked[: self.k]), drops=hits.drops + drops)

    def _before(self, hit: Hit) -> float | None:
        """The earlier score of a hit; None where there is none."""
        if self.earlier:
            return hit.scores.get(self.earlier)
        given = list(hit.scores.values())
        return given[-2] if len(given) > 1 else None


def _beside(hits: Hits, total: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each hit the better total of those that touch it in the source; 0 where none does."""
    ends = {(hit.doc, hit.view.end): i for i, hit in enumerate(hits)}
    starts = {(hit.doc, hit.view.start): i for i, hit in enumerate(hits)}
    found = np.zeros(len(hits))
    for i, hit in enumerate(hits):
        near = (ends.get((hit.doc, hit.view.start)), starts.get((hit.doc, hit.view.end)))
        found[i] = max((float(total[j]) for j in near if j is not None and j != i), default=0.0)
    return found


def _around(hits: Hits, total: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each hit the best total of the other hits under the same parent; 0 where there is none."""
    groups: dict[tuple[str, int], list[int]] = {}
    for i, hit in enumerate(hits):
        groups.setdefault((hit.doc, int(hit.tree.parent[hit.node])), []).append(i)
    found = np.zeros(len(hits))
    for group in groups.values():
        for i in group:
            found[i] = max((float(total[j]) for j in group if j != i), default=0.0)
    return found
