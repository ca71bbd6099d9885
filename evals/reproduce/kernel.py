"""The segment kernel: equal to brute force, and what 50,000 units with 50 intents cost.

Equality: random units (one in ten a vector of zeros), intents, widths and rows; squared length, similarity within, mean
pairwise cosine and relevance of segments, each computed once from the table and once from its definition, and the
largest difference. The division is compared with the best of all divisions, by looking at every one.

Cost: tables of relevance and cohesion and the dynamic programme over them, 384 dimensions, segments of at most 16
units. Peak memory is what is allocated beside the vectors. Seconds are CPU time, next to those of multiplying the
units by the intents and by their neighbours alone, which no method avoids.
"""

from __future__ import annotations

import itertools
import time
import tracemalloc
from argparse import Namespace
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.kernel import Kernel, directions
from chunkers.segment import partition
from evals.reproduce import as_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CASES", "UNITS", "best_of_all", "brute", "cost", "largest_gap", "reproduce", "short_of_best"]

CASES = 1_000
UNITS = (12_500, 25_000, 50_000)
INTENTS, WIDTH, DIM = 50, 16, 384
REPEATS = 5
CUT = 0.05


def brute(
    vectors: NDArray[np.float64], intents: NDArray[np.float64]
) -> tuple[float, float, float, NDArray[np.float64]]:
    """Squared norm, similarity within, mean pairwise cosine and cosines to intents of one segment, one by one."""
    total = vectors.sum(axis=0)
    within = sum(float(a @ b) for i, a in enumerate(vectors) for j, b in enumerate(vectors) if i != j)
    norm = float(np.sqrt(total @ total))
    cosines = intents @ total / norm if norm > 1e-9 else np.zeros(len(intents))
    return norm**2, within, within / max(len(vectors) * (len(vectors) - 1), 1), cosines


def largest_gap(rng: np.random.Generator, checks: int = 4) -> float:
    """Largest difference between table and definition in one random case, over some of its segments."""
    count, dim, width, asked = (int(rng.integers(1, high)) for high in (30, 9, 12, 6))
    vectors, intents = directions(rng.normal(size=(count, dim))), directions(rng.normal(size=(asked, dim)))
    vectors[rng.random(count) < 0.1] = 0.0
    kernel = Kernel(vectors, width, intents)
    base, weight = kernel.usual(), rng.random(asked) + 0.1
    low = int(rng.integers(0, count))
    high = int(rng.integers(low + 1, count + 1))
    tables = kernel.squares(low, high), kernel.within(low, high), kernel.cohesion(low, high)
    relevance = kernel.relevance(low, high, base, weight)
    worst = 0.0
    for _ in range(checks):
        i = int(rng.integers(low, high))
        length = int(rng.integers(1, min(width, count - i) + 1))
        *told, cosines = brute(vectors[i : i + length], intents)
        at = (i - low, length - 1)
        gaps = [abs(float(table[at]) - value) for table, value in zip(tables, told, strict=True)]
        if told[0] > 1e-9 or not vectors[i : i + length].any():
            gaps.append(abs(float(relevance[at]) - float(((cosines - base) * weight).max())))
        worst = max(worst, *gaps)
    return worst


def best_of_all(gain: NDArray[np.float64], cut: NDArray[np.float64], longest: NDArray[np.int64]) -> float:
    """The largest sum of gains less cuts, by looking at every division; a unit alone is always allowed."""
    count, best = len(longest), -np.inf
    for inner in itertools.product((False, True), repeat=count - 1):
        bounds = [0, *(k + 1 for k, one in enumerate(inner) if one), count]
        pairs = list(itertools.pairwise(bounds))
        if all(b - a <= max(1, longest[a]) for a, b in pairs):
            best = max(best, sum(gain[a, b - a - 1] for a, b in pairs) - sum(cut[a] for a, _ in pairs[1:]))
    return best


def short_of_best(rng: np.random.Generator) -> float:
    """By how much the programme's division of at most 10 units falls short of the best of all."""
    count = int(rng.integers(1, 11))
    gain, cut = rng.normal(size=(count, count)), rng.normal(size=count + 1)
    longest = np.minimum(rng.integers(1, count + 1, count), count - np.arange(count))
    return abs(best_of_all(gain, cut, longest) - partition(gain, cut, longest).value)


def cost(count: int, seed: int = 0) -> dict[str, float]:
    """CPU and wall seconds of tables and cuts for so many units, of the products alone, and peak megabytes."""
    rng = np.random.default_rng(seed)
    vectors, intents = directions(rng.normal(size=(count, DIM))), directions(rng.normal(size=(INTENTS, DIM)))

    def run() -> None:
        kernel = Kernel(vectors, WIDTH, intents)
        base, weight = kernel.usual(), np.ones(INTENTS)
        partition(
            lambda low, high: kernel.relevance(low, high, base, weight) + kernel.cohesion(low, high),
            np.full(count + 1, CUT),
            np.full(count, WIDTH),
        )

    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    began = time.process_time()
    intents @ vectors.T
    for at in range(0, count, 256):
        vectors[at : at + 256] @ vectors[max(0, at - WIDTH) : at + 256].T
    products = time.process_time() - began
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return {"cpu": cpu, "wall": wall, "products": products, "megabytes": peak}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Equality over random cases, then time and memory at three sizes."""
    cases = given.limit or CASES
    rng = np.random.default_rng(given.seed)
    gaps = [largest_gap(rng) for _ in range(cases)]
    short = [short_of_best(rng) for _ in range(cases)]
    result: dict[str, Any] = {"seed": given.seed, "n": cases, "largest_gap": max(gaps), "short_of_best": max(short)}
    result |= {"intents": INTENTS, "width": WIDTH, "dim": DIM, "repeats": REPEATS, "rows": []}
    lines = []
    for count in UNITS:
        tell(f"{count} units\n")
        made = [cost(count, given.seed) for _ in range(REPEATS)]
        row: dict[str, Any] = {"units": count}
        for key in made[0]:
            values = [one[key] for one in made]
            row[key] = [round(f(values), 3) for f in (median, min, max)]
        result["rows"].append(row)
        cells = [f"{row[key][0]:.2f} ({row[key][1]:.2f} to {row[key][2]:.2f})" for key in made[0]]
        lines.append([f"{count:,}", *cells])
    head = "units|CPU s (least to most)|wall s|CPU s of products|peak MB"
    told = f"{cases} cases: tables off by {max(gaps):.1e} at most, divisions short of the best by {max(short):.1e}\n"
    result["table"] = told + as_table(head, lines)
    return result
