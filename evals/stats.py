"""Intervals and tests for means over questions, seeded and vectorised.

Percentile bootstrap: Efron and Tibshirani 1993, chapter 13. Paired randomisation by flipping signs with
p = (count + 1) / (resamples + 1): Phipson and Smyth 2010, https://arxiv.org/abs/1603.05766, so that p is
never 0. Step-down correction: Holm 1979. Nothing here seeds the process; a seed and the number of
questions decide every resample, so all metrics of a run see the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "Paired", "holm", "interval", "intervals", "minimum_detectable", "paired", "permutation_p"]

RESAMPLES = 10_000
CELLS = 500_000  # of one block of resamples, so that memory stays flat
Key = TypeVar("Key")


class Interval(NamedTuple):
    """A mean and its percentile interval; NaN where there is nothing to average."""

    value: float
    low: float
    high: float
    n: int


class Paired(NamedTuple):
    """The mean difference `b - a` over the same questions.

    Args:
        delta: mean of the differences.
        low: lower end of its bootstrap interval.
        high: upper end.
        p: two-sided, from the permutation test; not corrected.
        n: questions.
        detectable: smallest true difference this many questions would find (see `minimum_detectable`); infinite
            where that is unknown.
    """

    delta: float
    low: float
    high: float
    p: float
    n: int
    detectable: float


def _weights(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Blocks of rows (b, n): how often each question is drawn in each resample."""
    rng = np.random.default_rng([seed, n])
    rows = max(1, CELLS // n)
    for begin in range(0, resamples, rows):
        size = min(rows, resamples - begin)
        drawn = rng.integers(0, n, size=(size, n), dtype=np.int64)
        drawn += np.arange(size, dtype=np.int64)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """float64 (resamples, m), bootstrap means of each column of `values` (n, m)."""
    n = len(values)
    return np.concatenate([block @ values for block in _weights(n, resamples, seed)]) / n


def intervals(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95) -> list[Interval]:
    """Mean and percentile bootstrap interval of every column.

    Args:
        values: float (n, m), one row a question, no NaN.
        resamples: bootstrap samples.
        seed: of the resampling.
        level: share of the bootstrap means inside the interval.
    """
    table = np.asarray(values, dtype=np.float64)
    n, m = table.shape
    if n == 0:
        return [Interval(math.nan, math.nan, math.nan, 0)] * m
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(_means(table, resamples, seed), [tail, 100.0 - tail], axis=0)
    # The mean is summed exactly, so that it does not depend on the order a machine adds in.
    return [Interval(math.fsum(table[:, j].tolist()) / n, float(low[j]), float(high[j]), n) for j in range(m)]


def interval(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95) -> Interval:
    """Mean and percentile bootstrap interval of one metric, float (n,)."""
    return intervals(np.asarray(values, dtype=np.float64)[:, None], resamples=resamples, seed=seed, level=level)[0]


def permutation_p(differences: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of a mean difference of 0, by flipping the signs of paired differences.

    Args:
        differences: float (n,), one a question.
        resamples: random sign patterns.
        seed: of the patterns.

    Returns:
        (patterns at least as extreme as what was seen + 1) / (resamples + 1).
    """
    moved = np.asarray(differences, dtype=np.float64)
    moved = moved[moved != 0.0]  # flipping nothing changes nothing
    if not len(moved):
        return 1.0
    seen = abs(float(moved.sum()))
    slack = 1e-9 * float(np.abs(moved).sum())
    rng = np.random.default_rng([seed, len(moved)])
    rows, extreme = max(1, CELLS // len(moved)), 0
    for begin in range(0, resamples, rows):
        size = min(rows, resamples - begin)
        signs = rng.integers(0, 2, size=(size, len(moved)), dtype=np.int8).astype(np.float64) * 2.0 - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ moved) >= seen - slack))
    return (extreme + 1) / (resamples + 1)


def minimum_detectable(differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true mean difference that this many questions find with the given power.

    Normal approximation, two-sided: (z(1 - alpha/2) + z(power)) * sd / sqrt(n). Infinite below two questions, and
    where no difference varies: then nothing is known about how far two systems differ by chance.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or np.ptp(values) == 0.0:
        return math.inf
    normal = NormalDist()
    reach = normal.inv_cdf(1.0 - alpha / 2.0) + normal.inv_cdf(power)
    return reach * float(values.std(ddof=1)) / math.sqrt(len(values))


def paired(a: ArrayLike, b: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, alpha: float = 0.05) -> Paired:
    """Compare two systems on the same questions.

    Args:
        a: float (n,), the first system's score of each question.
        b: float (n,), the second's, in the same order.
        resamples: for the interval and for the test.
        seed: of both.
        alpha: two-sided level of the interval and of the detectable difference.

    Raises:
        ValueError: different lengths, or NaN.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"scores of different questions: {first.shape} against {second.shape}")
    moved = second - first
    if np.isnan(moved).any():
        raise ValueError("a score is NaN")
    around = interval(moved, resamples=resamples, seed=seed, level=1.0 - alpha)
    p = permutation_p(moved, resamples=resamples, seed=seed)
    return Paired(around.value, around.low, around.high, p, len(moved), minimum_detectable(moved, alpha=alpha))


def holm(ps: Mapping[Key, float]) -> dict[Key, float]:
    """p values adjusted by Holm's step-down rule over the whole family, in the given order of keys."""
    order = sorted(ps, key=lambda key: ps[key])
    adjusted: dict[Key, float] = {}
    highest = 0.0
    for rank, key in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * ps[key]))
        adjusted[key] = highest
    return {key: adjusted[key] for key in ps}


def percentiles(values: Sequence[float], at: Sequence[float] = (50.0, 95.0, 99.0)) -> list[float]:
    """Percentiles of measured values by linear interpolation; NaN where there are none."""
    if not len(values):
        return [math.nan] * len(at)
    return [float(v) for v in np.percentile(np.asarray(values, dtype=np.float64), at)]
