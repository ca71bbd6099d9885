"""Choose units under a budget: greedy by gain, by gain per token, the best single one, swaps, and a bound on the best.

Plain gain is the first key: gain per token prefers short units that say little. The best of the three sets is kept
(Khuller, Moss and Naor 1999; Lin and Bilmes 2010), then one sweep of swaps. A unit may need others (a clause its host):
it is chosen together with what is missing, at the cost of both.

The bound holds for the instance: for monotone submodular F and any S, no set within the budget is worth more than F(S)
plus the fractional knapsack over the gains F(i | S). It is taken after every step and the least is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compressors.objective import Objective, State

__all__ = ["Chosen", "Costs", "choose", "eager", "lazy"]

CLEAR = 0.05  # by how much gain per token must win: it fills the room with short units that say little
TRIED, SWAPS = 24, 8  # rejected units that are tried in exchange, and exchanges


@dataclass(frozen=True)
class Costs:
    """What units cost, in tokens.

    Args:
        unit: int64 (n,), each by itself, at least 1.
        head: int64 (h,), what opening a group costs once, such as a source's mark and headings.
        group: int64 (n,), the group of each unit, below h.
        cap: tokens of units of one section at most; None: no cap.
        section: int64 (n,), the section of each unit.
        needs: for each unit the units that must be chosen with it, closed: what those need is there too.
    """

    unit: NDArray[np.int64]
    head: NDArray[np.int64]
    group: NDArray[np.int64]
    section: NDArray[np.int64]
    cap: int | None = None
    needs: Sequence[tuple[int, ...]] = ()

    def bundle(self, unit: int, chosen: set[int]) -> list[int]:
        """A unit and what it needs that is not chosen yet, what is needed first."""
        return [other for other in (self.needs[unit] if self.needs else ()) if other not in chosen] + [unit]


class Chosen(NamedTuple):
    """A set of units.

    Args:
        order: units in the order they were chosen.
        gain: what each added when it was chosen.
        value: F of the set.
        bound: no set within the budget is worth more.
        way: "gain", "ratio" or "single".
        swaps: units exchanged at the end.
        capped: units left out by the cap of their section.
        after: what each of the n units would add to the set.
    """

    order: tuple[int, ...]
    gain: tuple[float, ...]
    value: float
    bound: float
    way: str
    swaps: int = 0
    capped: frozenset[int] = frozenset()
    after: tuple[float, ...] = ()

    @property
    def certificate(self) -> float:
        """Share of the bound that is reached, in [0, 1]; 1 where nothing can be chosen."""
        return 1.0 if self.bound <= 0 else min(1.0, self.value / self.bound)


class Filling:
    """A set that grows within a budget."""

    def __init__(self, objective: Objective, costs: Costs, budget: int) -> None:
        self.objective, self.costs, self.left = objective, costs, budget
        self.state = objective.start()
        self.order: list[int] = []
        self.gain: list[float] = []
        self.chosen: set[int] = set()
        self.open = np.zeros(len(costs.head), dtype=np.bool_)
        self.room: dict[int, int] = {}
        self.value = 0.0

    def price(self, unit: int) -> int:
        """Tokens that a unit and what it still needs would take."""
        if not self.costs.needs:
            group = self.costs.group[unit]
            return int(self.costs.unit[unit]) + (0 if self.open[group] else int(self.costs.head[group]))
        bundle = self.costs.bundle(unit, self.chosen)
        heads = {int(self.costs.group[one]) for one in bundle if not self.open[self.costs.group[one]]}
        return int(self.costs.unit[bundle].sum()) + sum(int(self.costs.head[group]) for group in heads)

    def capped(self, unit: int) -> bool:
        """Whether the section of a unit, or of one it needs, has no room for it."""
        if self.costs.cap is None:
            return False
        more: dict[int, int] = {}
        for one in self.costs.bundle(unit, self.chosen):
            section = int(self.costs.section[one])
            more[section] = more.get(section, 0) + int(self.costs.unit[one])
        return any(self.room.get(section, 0) + tokens > self.costs.cap for section, tokens in more.items())

    def fits(self, unit: int) -> bool:
        """Whether there is room for a unit and what it needs. Once false it stays false."""
        return self.price(unit) <= self.left and not self.capped(unit)

    def prices(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of many units, each without what it needs."""
        group = self.costs.group[units]
        return self.costs.unit[units] + np.where(self.open[group], 0, self.costs.head[group])

    def fitting(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some units that are not chosen and for which there is room, in order."""
        if self.costs.needs or self.costs.cap is not None:
            return np.array([u for u in units.tolist() if u not in self.chosen and self.fits(u)], dtype=np.int64)
        free = np.ones(len(self.costs.unit), dtype=np.bool_)
        free[self.order] = False
        return units[free[units] & (self.prices(units) <= self.left)]

    def worth(self, unit: int) -> float:
        """What a unit and what it needs would add."""
        bundle = self.costs.bundle(unit, self.chosen)
        if len(bundle) == 1:
            return float(self.objective.gains(self.state, np.array(bundle))[0])
        state, total = copied(self.state), 0.0
        for one in bundle:
            total += float(self.objective.gains(state, np.array([one]))[0])
            self.objective.add(state, one)
        return round(total, 9)

    def take(self, unit: int) -> None:
        """Choose a unit and what it needs."""
        self.left -= self.price(unit)
        for one in self.costs.bundle(unit, self.chosen):
            added = float(self.objective.gains(self.state, np.array([one]))[0])
            self.objective.add(self.state, one)
            self.order.append(one)
            self.gain.append(added)
            self.chosen.add(one)
            self.open[self.costs.group[one]] = True
            section = int(self.costs.section[one])
            self.room[section] = self.room.get(section, 0) + int(self.costs.unit[one])
            self.value += added

    def bound(self, budget: int) -> float:
        """F so far plus the fractional knapsack over what the others would add, at their cheapest."""
        gains = self.objective.gains(self.state)
        gains[list(self.chosen)] = 0.0
        cost = np.maximum(self.costs.unit, 1)
        best = np.argsort(-(gains / cost), kind="stable")
        full = np.cumsum(cost[best])
        whole = int(np.searchsorted(full, budget, side="right"))
        total = float(gains[best[:whole]].sum())
        if whole < len(best):
            spent = int(full[whole - 1]) if whole else 0
            total += float(gains[best[whole]]) * (budget - spent) / int(cost[best[whole]])
        return self.value + total


def copied(state: State) -> State:
    """A state that can change by itself."""
    return type(state)(state.terms.copy(), state.facets.copy(), state.like.copy(), state.spread.copy())


def lazy(objective: Objective, costs: Costs, budget: int, *, proof: bool = True) -> tuple[Filling, float]:
    """Greedy by gain with a heap of stale gains, which only shrink: the same set as `eager`."""
    filling = Filling(objective, costs, budget)
    bound = filling.bound(budget) if proof else float("inf")
    first = objective.gains(filling.state)
    heap = [(-_first(filling, unit, float(gain)), unit, 0) for unit, gain in enumerate(first.tolist())]
    heapq.heapify(heap)
    while heap:
        gain, unit, at = heapq.heappop(heap)
        if unit in filling.chosen or not filling.fits(unit):
            continue
        if at == len(filling.order):
            if gain >= 0:
                break
            filling.take(unit)
            if proof:
                bound = min(bound, filling.bound(budget))
        else:
            heapq.heappush(heap, (-filling.worth(unit), unit, len(filling.order)))
    return filling, bound


def _first(filling: Filling, unit: int, gain: float) -> float:
    return filling.worth(unit) if filling.costs.needs and filling.costs.needs[unit] else gain


def eager(objective: Objective, costs: Costs, budget: int, *, ratio: bool = False) -> Filling:
    """Greedy that values every unit at every step, by gain or by gain per token."""
    filling = Filling(objective, costs, budget)
    rest = np.arange(len(costs.unit))
    while len(rest := filling.fitting(rest)):
        worth = objective.gains(filling.state, rest)
        price = filling.prices(rest)
        for k, unit in enumerate(rest.tolist() if costs.needs else ()):
            if costs.needs[unit]:
                worth[k], price[k] = filling.worth(unit), filling.price(unit)
        key = np.round(worth / np.maximum(price, 1), 12) if ratio else worth
        best = int(np.argmax(key))  # of equals the first
        if worth[best] <= 0:
            break
        filling.take(int(rest[best]))
    return filling


def choose(objective: Objective, costs: Costs, budget: int, *, ratio: bool = True, swaps: bool = True) -> Chosen:
    """The best of the three sets, improved by swaps, with its bound."""
    if budget <= 0 or not len(costs.unit):
        return Chosen((), (), 0.0, 0.0, "gain")
    found, bound = lazy(objective, costs, budget)
    ways = [(found, "gain")]
    if ratio:
        ways.append((eager(objective, costs, budget, ratio=True), "ratio"))
        ways.append((_single(objective, costs, budget), "single"))
    best, way = max(ways, key=lambda one: round(one[0].value * (1 if one[1] == "gain" else 1 - CLEAR), 9))
    count = 0
    if swaps and not costs.needs and costs.cap is None:
        best, count = _swapped(objective, costs, budget, best)
    capped = frozenset(u for u in range(len(costs.unit)) if u not in best.chosen and best.capped(u))
    value = round(best.value, 6)
    after = tuple(objective.gains(best.state).tolist())
    return Chosen(tuple(best.order), tuple(best.gain), value, max(round(bound, 6), value), way, count, capped, after)


def _single(objective: Objective, costs: Costs, budget: int) -> Filling:
    """The unit that is worth most by itself."""
    filling = Filling(objective, costs, budget)
    order = np.argsort(-objective.gains(filling.state), kind="stable").tolist()
    for unit in order:
        if filling.fits(unit):
            filling.take(unit)
            break
    return filling


def _swapped(objective: Objective, costs: Costs, budget: int, filling: Filling) -> tuple[Filling, int]:
    """The best exchange of one chosen unit for one rejected, as long as F grows, at most `SWAPS` times."""
    for count in range(SWAPS):
        rest = np.setdiff1d(np.arange(len(costs.unit)), filling.order)
        if not len(rest) or not filling.order:
            return filling, count
        gains = objective.gains(filling.state, rest)
        tried = rest[np.argsort(-gains, kind="stable")[:TRIED]]
        best = (filling.value + 1e-9, -1, -1)
        group = costs.group[tried]
        inside = np.bincount(costs.group[filling.order], minlength=len(costs.head)).tolist()
        charged = costs.unit[tried] + np.where(filling.open[group], 0, costs.head[group])
        for out in filling.order:
            kept = [unit for unit in filling.order if unit != out]
            room, price, left = filling.left + int(costs.unit[out]), charged, int(costs.group[out])
            if inside[left] == 1:  # its group closes
                room += int(costs.head[left])
                price = charged + np.where(group == left, costs.head[left], 0)
            state = objective.reached(kept)
            value = objective.value(state) + np.where(price <= room, objective.gains(state, tried), -np.inf)
            k = int(np.argmax(value))
            if value[k] > best[0]:
                best = (float(value[k]), out, int(tried[k]))
        if best[1] < 0:
            return filling, count
        again = Filling(objective, costs, budget)
        for unit in [best[2] if unit == best[1] else unit for unit in filling.order]:
            again.take(unit)
        filling = again
    return filling, SWAPS
