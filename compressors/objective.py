"""What a set of units is worth: a monotone submodular sum of relevance, coverage, facets, likeness and spread.

    F(S) = rel * sum of r                                  relevance
         + query * covered weight of the question's terms  each term once
         + facets * mean over facets of covered share      each saturates at 1
         + like * saturated likeness to all units          facility location, min(sum, alpha * total)
         + spread * sum over sections of sqrt(sum of r)    diminishing returns within a section

After Lin and Bilmes, "A Class of Submodular Functions for Document Summarization", ACL 2011, and arXiv 2607.00725
(sections on the objective). Relevance is divided by its largest value, so no other term can drown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Objective", "State"]

ALPHA = 0.3  # share of the total likeness at which a unit counts as represented


@dataclass(frozen=True)
class Objective:
    """The parts of F over n units.

    Args:
        r: float64 (n,), at least 0.
        terms: float64 (n, t), weight of each term of the question that a unit covers, else 0; columns sum to whatever.
        facets: float64 (n, f), share in [0, 1] of each facet that a unit covers.
        likeness: float64 (n, n) or (n, 0), how alike two units are, at least 0.
        section: int64 (n,), the section of each unit.
        weights: of relevance, query terms, facets, likeness, spread.
    """

    r: NDArray[np.float64]
    terms: NDArray[np.float64]
    facets: NDArray[np.float64]
    likeness: NDArray[np.float64]
    section: NDArray[np.int64]
    weights: tuple[float, float, float, float, float] = (1.0, 0.5, 0.5, 0.0, 0.0)
    _whole: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep what saturation is measured by."""
        object.__setattr__(self, "_whole", ALPHA * self.likeness.sum(axis=1))

    def start(self) -> State:
        """The empty set."""
        sections = int(self.section.max()) + 1 if len(self.section) else 0
        return State(
            np.zeros(self.terms.shape[1]),
            np.zeros(self.facets.shape[1]),
            np.zeros(len(self.likeness) if self.likeness.shape[1] else 0),
            np.zeros(sections),
        )

    def gains(self, state: State, units: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """F(S + i) - F(S) for each of some units i not in S, (k,), to 1e-9. O(k (t + f)), with likeness O(k n)."""
        rel, query, facets, like, spread = self.weights
        r = self.r[units]
        total: NDArray[np.float64] = rel * r
        if query and self.terms.shape[1]:
            total = total + query * np.maximum(self.terms[units] - state.terms, 0.0).sum(axis=1)
        if facets and self.facets.shape[1]:
            total = total + facets * np.maximum(self.facets[units] - state.facets, 0.0).mean(axis=1)
        if like and self.likeness.shape[1]:
            whole = max(float(self._whole.sum()), 1e-12)
            after = np.minimum(state.like + self.likeness[units], self._whole)
            total = total + like * (after.sum(axis=1) - np.minimum(state.like, self._whole).sum()) / whole
        if spread:
            before = state.spread[self.section[units]]
            total = total + spread * (np.sqrt(before + r) - np.sqrt(before))
        return np.round(total, 9)

    def add(self, state: State, unit: int) -> None:
        """Put a unit into the set."""
        np.maximum(state.terms, self.terms[unit], out=state.terms)
        np.maximum(state.facets, self.facets[unit], out=state.facets)
        if self.likeness.shape[1]:
            state.like += self.likeness[unit]
        state.spread[self.section[unit]] += self.r[unit]
        state.relevance += float(self.r[unit])

    def reached(self, units: Sequence[int]) -> State:
        """The set of some units."""
        state, rows = self.start(), list(units)
        if rows:
            state.terms = self.terms[rows].max(axis=0)
            state.facets = self.facets[rows].max(axis=0)
            state.like = self.likeness[rows].sum(axis=0)
            np.add.at(state.spread, self.section[rows], self.r[rows])
            state.relevance = float(self.r[rows].sum())
        return state

    def value(self, state: State) -> float:
        """F of a set, rounded to 1e-9."""
        rel, query, facets, like, spread = self.weights
        total = rel * state.relevance + query * float(state.terms.sum()) + spread * float(np.sqrt(state.spread).sum())
        if self.facets.shape[1]:
            total += facets * float(state.facets.mean())
        if like and self.likeness.shape[1]:
            total += like * float(np.minimum(state.like, self._whole).sum()) / max(float(self._whole.sum()), 1e-12)
        return round(total, 9)


@dataclass
class State:
    """What a set covers: terms (t,), facets (f,), likeness (n,), relevance by section."""

    terms: NDArray[np.float64]
    facets: NDArray[np.float64]
    like: NDArray[np.float64]
    spread: NDArray[np.float64]
    relevance: float = 0.0
