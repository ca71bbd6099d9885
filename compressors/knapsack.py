"""The best closed part of a forest within a budget: a knapsack with precedence, exact, in O(pieces * budget).

A set of pieces is closed when it holds with each piece the one it stands under. Pieces in preorder are kept or
skipped, and to skip one is to skip all that stands under it (the left-right dynamic programme of Cho and Shaw, "A
Depth-First Dynamic Programming Algorithm for the Tree Knapsack Problem", INFORMS J. Computing 1997). What a piece
costs depends on whether the one before it is kept: a gap has to be shown. So there are three states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Choice", "Forest", "solve"]

FIRST, ADJACENT, GAPPED = 0, 1, 2
CELLS = 6_000_000  # pieces times budget that are held in memory; beyond it weights are rounded up


class Forest(NamedTuple):
    """Pieces in preorder.

    Args:
        value: what keeping each is worth, at least 0.
        weight: for each its tokens as first of its tree, right behind the piece before, and behind a gap.
        behind: position behind the last piece that stands under it.
        forced: whether it is kept whenever it is come to.
        root: whether it opens a tree; its own weight counts, and what follows is first in it.
    """

    value: Sequence[float]
    weight: Sequence[tuple[int, int, int]]
    behind: Sequence[int]
    forced: Sequence[bool]
    root: Sequence[bool]


class Choice:
    """The best sets for every budget up to one; `kept` reads one of them."""

    def __init__(self, forest: Forest, budget: int) -> None:
        self.forest = forest
        count = len(forest.value)
        self.grain = max(1, -(-count * (budget + 1) // CELLS))
        self.size = budget // self.grain
        weight = [tuple(-(-w // self.grain) for w in row) for row in forest.weight]
        self.weight = weight
        best = np.zeros((count + 1, 3, self.size + 1))
        take = np.zeros((count, 3, self.size + 1), dtype=bool)
        for i in range(count - 1, -1, -1):
            behind = forest.behind[i]
            for state in (FIRST, ADJACENT, GAPPED):
                cost = weight[i][state]
                keep = np.full(self.size + 1, -np.inf)
                if cost <= self.size:
                    then = FIRST if forest.root[i] else ADJACENT
                    keep[cost:] = forest.value[i] + best[i + 1, then, : self.size + 1 - cost]
                if forest.forced[i]:
                    take[i, state], best[i, state] = True, keep
                    continue
                skip = best[behind, FIRST if state == FIRST else GAPPED]
                take[i, state] = keep > skip
                best[i, state] = np.where(take[i, state], keep, skip)
        self.best, self.take = best, take

    def value(self, budget: int) -> float:
        """What the best set within a budget is worth."""
        return float(self.best[0, FIRST, max(budget, 0) // self.grain])

    def kept(self, budget: int) -> list[int]:
        """Positions of the best set within a budget, ascending; of equal sets the one that skips first."""
        left, state, i = min(budget // self.grain, self.size), FIRST, 0
        found: list[int] = []
        while i < len(self.take):
            if self.take[i, state, left]:
                found.append(i)
                left -= self.weight[i][state]
                state = FIRST if self.forest.root[i] else ADJACENT
                i += 1
            else:
                state = FIRST if state == FIRST else GAPPED
                i = self.forest.behind[i]
        return found


def solve(forest: Forest, budget: int) -> Choice:
    """The best closed sets for every budget from 0 to `budget` tokens."""
    return Choice(forest, max(budget, 0))
