"""One grain per region: take a node whole, go into it, or leave it; exact, in O(nodes * budget).

The second of two tree programmes; the first, where ancestors must come along, is `compressors.knapsack`. Nodes stand in
preorder. With f[i][b] the best of nodes i and later within b tokens, and `behind` the first node that is not below i:

    a grain   f[i][b] = max(f[i + 1][b], value + f[behind][b - cost])       go on inside, or take it whole
    a door    f[i][b] = max(f[behind][b], value + f[i + 1][b - cost])       leave it, or pay to go in

A door is what must be shown before anything below it is, such as the heading over a hit, and is paid once. Doors alone
are the first programme without prices for gaps; both are left-right dynamic programmes (Cho and Shaw, "A Depth-First
Dynamic Programming Algorithm for the Tree Knapsack Problem", INFORMS J. Computing 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Grains", "Regions", "solve"]

CELLS = 12_000_000  # nodes times budget that are held in memory; beyond it costs are rounded up


class Regions(NamedTuple):
    """Nodes in preorder.

    Args:
        value: what taking each is worth, at least 0.
        cost: its tokens, at least 0.
        behind: position behind the last node below each; above its own.
        door: whether it is a door; else a grain.
    """

    value: Sequence[float]
    cost: Sequence[int]
    behind: Sequence[int]
    door: Sequence[bool]


class Grains:
    """The best choices for every budget up to one; `taken` reads one of them."""

    def __init__(self, regions: Regions, budget: int) -> None:
        self.regions = regions
        count = len(regions.value)
        self.step = max(1, -(-count * (budget + 1) // CELLS))
        self.size = budget // self.step
        self.cost = [-(-one // self.step) for one in regions.cost]
        best = np.zeros((count + 1, self.size + 1))
        take = np.zeros((count, self.size + 1), dtype=bool)
        for i in range(count - 1, -1, -1):
            inside, behind = best[i + 1], best[regions.behind[i]]
            free, then = (behind, inside) if regions.door[i] else (inside, behind)
            best[i] = free
            cost = self.cost[i]
            if cost <= self.size:
                found = regions.value[i] + then[: self.size + 1 - cost]
                take[i, cost:] = found > free[cost:]
                best[i, cost:] = np.where(take[i, cost:], found, free[cost:])
        self.best, self.take = best[0], take

    def value(self, budget: int) -> float:
        """What the best choice within a budget is worth."""
        return float(self.best[max(budget, 0) // self.step])

    def taken(self, budget: int) -> list[int]:
        """Positions of the doors and grains of the best choice within a budget, ascending.

        Of choices that are worth the same, the one of smaller grains, and of closed doors.
        """
        left, i = min(max(budget, 0) // self.step, self.size), 0
        found: list[int] = []
        while i < len(self.take):
            taken = bool(self.take[i, left])
            if taken:
                found.append(i)
                left -= self.cost[i]
            i = i + 1 if taken == self.regions.door[i] else self.regions.behind[i]
        return found


def solve(regions: Regions, budget: int) -> Grains:
    """The best choices for every budget from 0 to `budget` tokens."""
    return Grains(regions, max(budget, 0))
