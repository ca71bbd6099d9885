"""Search for the set of passages that is worth most within a budget: greedy, beam, Monte Carlo tree, then proof.

The worth of a set is a `Worth`: anything that gives the value of each set one passage larger. All searches are
deterministic, never leave the budget, and are anytime: they note the best set seen and only go on from there, so more
evaluations are never worse. Every search begins with the greedy sets and is never below them. Where the worth is
submodular, what is left of the evaluations goes into branch and bound, which ends with the best set of all where it
ends: always up to ten passages with the 2,000 evaluations of the default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rerankers.worth import Set, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Found", "search"]

DIGITS = 9
SLACK = 1e-8  # gains below it are rounding
PATIENCE = 3  # rounds of a tree search without a better set
WIDE = 8  # children a tree node opens


@dataclass
class Found:
    """What a search came to.

    Args:
        chosen: the best set, in the order in which greedy would take it up.
        value: its worth.
        greedy: the worth of the greedy set, for comparison.
        evaluations: sets whose worth was computed.
        proven: no other set within the budget is worth more, up to rounding.
    """

    chosen: Set = ()
    value: float = 0.0
    greedy: float = 0.0
    evaluations: int = 0
    proven: bool = False


@dataclass
class _Run:
    """The state of one search: what is known, and the best so far."""

    worth: Worth
    cost: NDArray[np.int64]
    budget: int
    limit: int
    prior: NDArray[np.float64] | None = None
    best: Set = ()
    value: float = 0.0
    evaluations: int = 0
    known: dict[Set, float] = field(default_factory=lambda: {(): 0.0})

    @property
    def spent(self) -> bool:
        return self.evaluations >= self.limit

    def room(self, chosen: Set) -> int:
        return self.budget - int(self.cost[list(chosen)].sum())

    def children(self, chosen: Set, among: NDArray[np.int64] | None = None) -> list[tuple[float, Set]]:
        """Sets one larger that fit, with their worth; a set is computed once, within the limit."""
        free = np.setdiff1d(np.flatnonzero(self.cost <= self.room(chosen)), chosen)
        if among is not None:
            free = np.intersect1d(free, among)
        if self.prior is not None:
            free = np.sort(free[np.lexsort((free, -self.prior[free]))][:WIDE])
        made = [tuple(sorted((*chosen, c))) for c in free.tolist()]
        new = [i for i, one in enumerate(made) if one not in self.known][: max(0, self.limit - self.evaluations)]
        if new:
            values = np.round(self.worth.grown(chosen, free[new]), DIGITS).tolist()
            self.evaluations += len(new)
            for i, value in zip(new, values, strict=True):
                self.known[made[i]] = value
                if value > self.value:
                    self.best, self.value = made[i], value
        return [(self.known[one], one) for one in made if one in self.known]


def search(
    worth: Worth,
    cost: NDArray[np.int64],
    budget: int,
    *,
    how: str = "beam",
    width: int = 4,
    evaluations: int = 2000,
    prior: NDArray[np.float64] | None = None,
) -> Found:
    """The best set found within the budget.

    Args:
        worth: of sets of n passages.
        cost: int64 (n,), tokens of each passage, at least 1 each.
        budget: tokens; no set costs more.
        how: `greedy`, `beam` or `mcts` (Monte Carlo tree search without roll-outs, over sets: the same passages in
            another order are one node).
        width: sets kept a round by `beam`.
        evaluations: sets whose worth may be computed after the greedy ones.
        prior: float64 (n,), for a worth that is dear to compute: a set is grown by the `WIDE` best free passages only.

    Returns:
        The best set; the empty one where nothing fits or nothing is worth its place.
    """
    run = _Run(worth, np.asarray(cost, dtype=np.int64), budget, limit=1 << 60, prior=prior)
    for ratio in (False, True):  # the better of both has the bound of Khuller, Moss and Naor 1999 on monotone worths
        _greedy(run, ratio=ratio)
    greedy = run.value
    run.limit = run.evaluations + evaluations
    if how == "beam":
        _beam(run, width)
    elif how == "mcts":
        _mcts(run)
    if how != "greedy":
        _swaps(run)
    proven = how != "greedy" and prior is None and worth.submodular and _proof(run)
    return Found(_ordered(run), run.value, greedy, run.evaluations, proven)


def _greedy(run: _Run, *, ratio: bool) -> None:
    """Add the passage of largest gain, or gain a token, while there is a gain; one passage alone competes by `best`."""
    chosen: Set = ()
    value = 0.0
    while True:
        better = []
        for grown, made in run.children(chosen):
            (added,) = set(made) - set(chosen)
            gain = (grown - value) / (int(run.cost[added]) if ratio else 1)
            better.append((-round(gain, DIGITS), added, grown, made))
        if not better or min(better)[0] >= 0:
            return
        _, _, value, chosen = min(better)


def _beam(run: _Run, width: int) -> None:
    """Keep the best `width` sets of each size; stop when none is better than its parent or the limit is reached."""
    level: list[Set] = [()]
    while level and not run.spent:
        found: dict[Set, float] = {}
        for chosen in level:
            found |= {made: value for value, made in run.children(chosen) if value > run.known[chosen]}
        level = sorted(found, key=lambda one: (-found[one], one))[:width]


def _mcts(run: _Run, explore: float = 1.4) -> None:
    """Upper confidence bounds over sets (Kocsis and Szepesvari 2006; CARROT, arXiv 2411.00744, section 4).

    Departures from CARROT: nodes are sets; a node opens its `WIDE` best children; values are scaled by the best seen,
    so that `explore` means the same for every worth; stopping where one stands is always allowed.
    """
    visits: dict[Set, int] = {(): 1}
    total: dict[Set, float] = {(): 0.0}
    tree: dict[Set, list[Set]] = {}
    idle = 0
    while not run.spent and idle < PATIENCE * WIDE:
        path: list[Set] = [()]
        while path[-1] in tree and tree[path[-1]]:
            parent = path[-1]
            scale = abs(run.value) or 1.0

            def bound(one: Set, parent: Set = parent, scale: float = scale) -> float:
                if one not in visits:
                    return math.inf
                seen = visits[one]
                return total[one] / seen / scale + explore * math.sqrt(math.log(visits[parent]) / seen)

            path.append(min(tree[parent], key=lambda one: (-bound(one), -run.known[one], one)))
        node = path[-1]
        before = run.value
        opened = sorted(run.children(node), key=lambda pair: (-pair[0], pair[1]))[:WIDE]
        tree[node] = [made for _, made in opened]
        gained = max((value for value, _ in opened), default=run.known[node])
        for one in path:
            visits[one] = visits.get(one, 0) + 1
            total[one] = total.get(one, 0.0) + gained
        idle = 0 if run.value > before else idle + 1


def _swaps(run: _Run) -> None:
    """Exchange, take out or add single passages while that is better."""
    improved = True
    while improved and not run.spent:
        improved = False
        start = run.best
        for out in start:
            if run.spent:
                return
            rest = tuple(c for c in start if c != out)
            if rest not in run.known:
                run.known[rest] = round(run.worth.value(rest), DIGITS)
                run.evaluations += 1
            if run.known[rest] > run.value:
                run.best, run.value = rest, run.known[rest]
            run.children(rest)
        run.children(run.best)
        improved = run.best != start


def _proof(run: _Run) -> bool:
    """Branch and bound: search what may still be better than the best set seen; whether all of it was.

    What a set can still gain is at most the fractional knapsack of what each free passage adds to it now, since it adds
    no more later (Khuller, Moss and Naor 1999 use the same bound for their greedy). Passages that add nothing are out
    for good.
    """
    waiting: list[tuple[float, Set, NDArray[np.int64]]] = [(np.inf, (), np.arange(len(run.cost)))]
    while waiting:
        if run.spent:
            return False
        bound, chosen, free = waiting.pop()
        if bound <= run.value + SLACK:
            continue
        value = run.known[chosen]
        found = [(grown - value, made) for grown, made in run.children(chosen, free) if grown - value > SLACK]
        if not found:
            continue
        added = np.array([next(iter(set(made) - set(chosen))) for _, made in found], dtype=np.int64)
        gain = np.array([one for one, _ in found])
        order = np.lexsort((added, -gain / run.cost[added]))
        added, gain = added[order], gain[order]
        bounds = value + _fractional(gain, run.cost[added], run.room(chosen))
        waiting += [  # the passage of most worth a token is looked at first
            (float(bounds[i]), found[int(order[i])][1], added[i + 1 :]) for i in range(len(order) - 1, -1, -1)
        ]
    return not run.spent


def _fractional(gain: NDArray[np.float64], cost: NDArray[np.int64], room: int) -> NDArray[np.float64]:
    """For each suffix of passages, by falling gain a token, what a knapsack holds that takes a part of the last one."""
    total = np.concatenate(([0], np.cumsum(cost)))
    worth = np.concatenate(([0.0], np.cumsum(gain)))
    limit = total[:-1] + room
    whole = np.searchsorted(total, limit, side="right") - 1  # passages up to here fit whole
    part = np.minimum(whole, len(gain) - 1)
    rest = np.where(whole < len(gain), gain[part] * (limit - total[part]) / cost[part], 0.0)
    held: NDArray[np.float64] = worth[whole] - worth[:-1] + rest
    return held


def _ordered(run: _Run) -> Set:
    """The best set in the order of largest gain."""
    left, order = set(run.best), []
    chosen: Set = ()
    while left:
        more = np.array(sorted(left), dtype=np.int64)
        values = np.round(run.worth.grown(chosen, more), DIGITS)
        pick = int(more[int(np.argmax(values))])
        order.append(pick)
        left.remove(pick)
        chosen = tuple(sorted((*chosen, pick)))
    return tuple(order)
