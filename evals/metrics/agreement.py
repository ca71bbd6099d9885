"""Agreement of two judges beyond chance.

Cohen's kappa: Cohen, Educational and Psychological Measurement 20(1), 1960: (observed - expected) / (1 - expected),
with the agreement that the judges' own rates lead one to expect.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from evals.stats import RESAMPLES, Interval

__all__ = ["kappa", "kappa_interval"]


def kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Kappa of two judges' labels of the same items; NaN where both give one label to everything, or to nothing.

    Raises:
        ValueError: different numbers of labels.
    """
    if len(a) != len(b):
        raise ValueError(f"labels of different items: {len(a)} against {len(b)}")
    n = len(a)
    if not n:
        return math.nan
    seen = sum(x == y for x, y in zip(a, b, strict=True)) / n
    chance = sum((sum(x == label for x in a) / n) * (sum(y == label for y in b) / n) for label in set(a) | set(b))
    return (seen - chance) / (1.0 - chance) if chance < 1.0 else math.nan


def kappa_interval(
    a: Sequence[bool], b: Sequence[bool], *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Interval:
    """Kappa of two yes-or-no judges with a percentile bootstrap interval.

    Resamples in which kappa is undefined (everyone says the same) are left out; NaN ends when all are.
    """
    value, n = kappa(a, b), len(a)
    if not n:
        return Interval(math.nan, math.nan, math.nan, 0)
    pairs = 2 * np.asarray(a, dtype=np.int64) + np.asarray(b, dtype=np.int64)
    shares = np.bincount(pairs, minlength=4) / n  # resampling items is drawing counts of the four pairs
    drawn = np.random.default_rng([seed, n]).multinomial(n, shares, size=resamples) / n
    yes_a, yes_b = drawn[:, 2] + drawn[:, 3], drawn[:, 1] + drawn[:, 3]
    chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b)
    known = chance < 1.0 - 1e-12
    if not known.any():
        return Interval(value, math.nan, math.nan, n)
    kappas = (drawn[known, 0] + drawn[known, 3] - chance[known]) / (1.0 - chance[known])
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(kappas, [tail, 100.0 - tail])
    return Interval(value, float(low), float(high), n)
