"""Sets of passages within a budget: is it kept, how near to the best set does each search come, is it anytime?

Random worths of two kinds, as `rerankers/worth.py` sums them: monotone submodular ones (facets covered, nothing
taken off), for which greedy by gain and by gain a token, the better of the two, is never below 1 - 1/sqrt(e) of the
best set (Leskovec et al., KDD 2007; the bound after Lin and Bilmes, NAACL 2010), and ones with prices for distractors
and repetitions, for which there is no bound. Up to ten passages, so that every set can be tried. Beam and tree search
end with branch and bound and come to the best set in every case; greedy alone is up to 15.4 points below. With more
passages the proof may not end within the evaluations: `larger` counts where it does for beam search (all of 120 with
14 passages, 101 with 30), and holds what was found against the set that a search without a limit proves to be best.
"""

from __future__ import annotations

import itertools
import math
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evals.reproduce import as_table
from evals.stats import interval
from rerankers.setsearch import search
from rerankers.worth import Coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BOUND", "anytime", "made", "nearness", "over_budget", "reproduce"]

How = Literal["greedy", "beam", "mcts"]
HOW: tuple[How, ...] = ("greedy", "beam", "mcts")
BOUND = 1 - 1 / math.sqrt(math.e)
CASES = {"greedy": 96_000, "beam": 3_000, "mcts": 1_000}  # 10^5 in all
SMALL = 120  # worths of each kind that are held against every set
LARGER = (14, 20, 30)  # passages
LIMITS = (0, 1, 3, 7, 20, 50, 100, 1000)


def made(seed: int, *, monotone: bool, most: int = 10, least: int = 1) -> tuple[Coverage, NDArray[np.int64], int]:
    """A random worth, the price of each passage, and a budget."""
    rng = np.random.default_rng([seed, monotone])
    n, t = int(rng.integers(least, most + 1)), int(rng.integers(1, 8))
    cover = rng.random((t, n)) * (rng.random((t, n)) < 0.5)
    own = rng.random(n) * 0.2 if monotone else rng.normal(0, 0.2, n)
    alike = rng.random((n, n)) * 0.2
    worth = Coverage(rng.random(t), cover, own, None if monotone else (alike + alike.T) / 2)
    return worth, rng.integers(1, 50, n), int(rng.integers(0, 120))


def over_budget(cases: int, how: How, seed: int = 0) -> int:
    """In how many random cases a search costs more than its budget."""
    bad = 0
    for i in range(cases // 20):
        worth, price, _ = made(seed * 1_000_003 + i, monotone=i % 2 == 0, most=6)
        for budget in np.random.default_rng([seed, i]).integers(0, 150, 20).tolist():
            found = search(worth, price, budget, how=how, evaluations=40)
            bad += int(price[list(found.chosen)].sum()) > budget
    return bad


def nearness(count: int, *, monotone: bool, seed: int = 0) -> dict[str, list[float]]:
    """Each search's worth as a share of the best set's, over random worths; those whose best is nothing count 1."""
    shares: dict[str, list[float]] = {how: [] for how in HOW}
    for i in range(count):
        worth, price, budget = made(seed * 1_000_003 + i, monotone=monotone)
        n = len(price)
        sets = (s for r in range(n + 1) for s in itertools.combinations(range(n), r))
        best = max(worth.value(s) for s in sets if price[list(s)].sum() <= budget)
        for how in HOW:
            value = search(worth, price, budget, how=how).value
            shares[how].append(value / best if best > 1e-9 else 1.0)
    return shares


def larger(count: int, size: int, seed: int = 0) -> dict[str, Any]:
    """Beam search over `size` passages: how often it proves its set the best, and its share of the proven best."""
    shares, proven, evaluations = [], 0, []
    for i in range(count):
        worth, price, budget = made(seed * 1_000_003 + i, monotone=i % 2 == 0, most=size, least=size)
        found = search(worth, price, budget)
        full = found if found.proven else search(worth, price, budget, evaluations=1 << 40)
        shares.append(100 * found.value / full.value if full.value > 1e-9 else 100.0)
        proven += found.proven
        evaluations.append(found.evaluations)
    mean = [round(v, 3) for v in interval(shares, seed=seed)[:3]]
    told: dict[str, Any] = {"n": count, "proven": proven, "mean": mean, "least": round(min(shares), 3)}
    return told | {"evaluations": round(float(np.mean(evaluations)), 1)}


def anytime(count: int, how: How, seed: int = 0) -> int:
    """In how many random worths more evaluations gave less."""
    worse = 0
    for i in range(count):
        worth, price, budget = made(seed * 1_000_003 + i, monotone=False)
        values = [search(worth, price, budget, how=how, evaluations=limit).value for limit in LIMITS]
        worse += values != sorted(values)
    return worse


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Budgets kept, nearness to the best set, values over evaluations."""
    share = 1.0 if given.limit is None else given.limit / SMALL
    result: dict[str, Any] = {"seed": given.seed, "bound": round(BOUND, 4), "over_budget": {}, "worse": {}, "share": {}}
    for how in HOW:
        tell(f"budgets, {how}\n")
        cases = int(CASES[how] * share) // 20 * 20
        result["over_budget"][how] = {"cases": cases, "over": over_budget(cases, how, given.seed)}
    for how in HOW[1:]:
        tell(f"more evaluations, {how}\n")
        count = int(SMALL * share)
        result["worse"][how] = {"n": count, "worse": anytime(count, how, given.seed)}
    lines = []
    for kind in ("monotone", "priced"):
        tell(f"{kind}\n")
        shares = nearness(int(SMALL * share), monotone=kind == "monotone", seed=given.seed)
        result["share"][kind] = {}
        for name, values in shares.items():
            points = [100 * v for v in values]
            mean = [round(v, 3) for v in interval(points, seed=given.seed)[:3]]
            within = 100 * float(np.mean(np.array(points) >= 99))
            told = {"n": len(points), "mean": mean, "least": round(min(points), 3), "within_1": round(within, 2)}
            result["share"][kind][name] = told
            lines.append([f"{kind}, {name}", f"{mean[0]:.2f}", f"{told['least']:.2f}", f"{within:.1f}"])
    result["larger"] = {}
    for size in LARGER:
        tell(f"{size} passages\n")
        proof = larger(max(1, int(SMALL * share)), size, given.seed)
        result["larger"][str(size)] = proof
        row = [f"{proof['mean'][0]:.2f}", f"{proof['least']:.2f}", f"{proof['proven']} of {proof['n']} proven"]
        lines.append([f"{size} passages, beam", *row])
    cases = sum(one["cases"] for one in result["over_budget"].values())
    over = sum(one["over"] for one in result["over_budget"].values())
    worse = sum(one["worse"] for one in result["worse"].values())
    head = f"over budget {over} of {cases:,}; more evaluations worse {worse} times\n"
    result["table"] = head + as_table("points of the best set|mean|least|within 1 point", lines)
    return result
