"""The best way to divide a row of units into segments: one dynamic programme for every scored chunker.

The recurrence is the one of Koutsiaris, "Intent-Driven Dynamic Chunking", https://arxiv.org/abs/2602.14784, section 3,
with any gain of a segment and any price of a cut:

    F(0) = 0,    F(j) = max over i of F(i) + gain(i, j) - [i > 0] * cut(i)

over the segments that are allowed. Where nothing is worth anything the last unit alone is the segment: values begin at
minus infinity, so that no segment is taken unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BLOCK", "Gains", "Partition", "partition"]

BLOCK = 256  # rows of gains asked for at once
Gains: TypeAlias = "NDArray[np.float64] | Callable[[int, int], NDArray[np.float64]]"


class Partition(NamedTuple):
    """A row of units, divided.

    Args:
        starts: int64 (m,), ascending, the units that segments begin with; 0 is the first.
        margin: float64 (m,), by how much the best way to end a segment where it ends beat the second best; infinite
            where there was one way only.
        value: the sum of gains less cuts.
    """

    starts: NDArray[np.int64]
    margin: NDArray[np.float64]
    value: float


def partition(gain: Gains, cut: NDArray[np.float64], longest: NDArray[np.int64]) -> Partition:
    """The division with the largest sum of gains less the prices of its cuts, in O(n * L) time.

    Of equal sums the later start of the last segment wins, so the outcome depends on the input alone. A segment of one
    unit is always allowed.

    Args:
        gain: float (n, L), `gain[i, l - 1]` of the segment of l units that begins with unit i; or a function of
            (low, high) that gives rows low to high - 1, so that the table is never there as a whole. Entries beyond
            `longest` are not read; minus infinity forbids a segment.
        cut: float (n + 1,), price of beginning a segment at unit i; the first and the last are not read.
        longest: int (n,), most units of a segment that begins with unit i; at least 1 is allowed.

    Returns:
        The segments' starts, how sure each segment is, and the sum.
    """
    count = len(longest)
    if not count:
        return Partition(np.zeros(0, dtype=np.int64), np.zeros(0), 0.0)
    rows = gain if callable(gain) else lambda low, high: gain[low:high]
    best = np.full(count + 1, -np.inf)
    second = np.full(count + 1, -np.inf)
    back = np.zeros(count + 1, dtype=np.int64)
    best[0] = 0.0
    reach = np.minimum(np.maximum(longest, 1), count - np.arange(count)).tolist()
    price = cut.tolist()
    price[0] = 0.0
    for low in range(0, count, BLOCK):
        high = min(low + BLOCK, count)
        block = rows(low, high)
        for i in range(low, high):
            stop = i + 1 + reach[i]
            value = block[i - low, : reach[i]] + (best[i] - price[i])
            if best[i + 1] == -np.inf:  # the unit alone must do, whatever it is worth
                value[0] = max(value[0], np.finfo(np.float64).min)
            old = best[i + 1 : stop]
            wins = value >= old
            np.maximum(second[i + 1 : stop], np.minimum(old, value), out=second[i + 1 : stop])
            np.maximum(old, value, out=old)
            back[i + 1 : stop][wins] = i
    starts = []
    ends = []
    at = count
    while at > 0:
        ends.append(at)
        at = int(back[at])
        starts.append(at)
    stops = np.array(ends[::-1])
    return Partition(np.array(starts[::-1]), best[stops] - second[stops], float(best[count]))
