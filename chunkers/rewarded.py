"""The structural programme with rewards added to its cuts, and how nearly each cut not taken was worth taking.

A model that says where a text turns gives a reward for cutting there. It lowers the price of the cut in the programme
that structure alone would run, so caps, sections and even sizes stand whatever the model says; where it says
nothing the result is the structural one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chunkers.packing import lengths
from chunkers.scaffold import Scaffold, Units, remarked
from chunkers.segment import partition
from chunkers.structure import WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree

__all__ = ["Sizes", "divided", "finished", "losses", "rejoined", "robust"]


class Sizes(NamedTuple):
    """Tokens of a chunk.

    Args:
        size: wished for.
        cap: at most.
        least: at least, where a section has as many.
    """

    size: int
    cap: int
    least: int

    @classmethod
    def of(cls, size: int, max_size: int | None, min_size: int | None) -> Sizes:
        """The defaults of `chunkers/structure` where nothing is said.

        Raises:
            ValueError: they do not go together.
        """
        found = cls(size, size * 3 // 2 if max_size is None else max_size, size // 4 if min_size is None else min_size)
        if found.cap < size:
            raise ValueError(f"max_size must be >= size, got {max_size} < {size}")
        if found.least > size:
            raise ValueError(f"min_size must be <= size, got {min_size} > {size}")
        return found

    @property
    def prices(self) -> NDArray[np.float64]:
        """float64 (cap + 1,), price of a segment by its tokens."""
        return np.array(lengths(self.size, self.cap, self.least, WEIGHT))


def _gains(units: Units, sizes: Sizes) -> tuple[Callable[[int, int], NDArray[np.float64]], NDArray[np.int64]]:
    longest, prices = units.longest(sizes.cap), sizes.prices
    width = int(longest.max())

    def rows(low: int, high: int) -> NDArray[np.float64]:
        tokens = units.tokens(low, high, width)
        return np.where(tokens <= sizes.cap, -prices[np.clip(tokens, 0, sizes.cap)], -np.inf)

    return rows, longest


def divided(units: Units, sizes: Sizes, reward: NDArray[np.float64] | None = None) -> tuple[list[int], list[float]]:
    """The best chunks of one stretch.

    Args:
        units: of the stretch.
        sizes: of chunks.
        reward: float64 (n + 1,), taken off the price of each cut; None for structure alone.

    Returns:
        The units that chunks begin with, 0 first, and by how much each chunk's best beginning beat its second best.
    """
    if len(units) == 1:
        return [0], [np.inf]
    rows, longest = _gains(units, sizes)
    found = partition(rows, units.price if reward is None else units.price - reward, longest)
    return found.starts.tolist(), found.margin.tolist()


def losses(units: Units, sizes: Sizes) -> NDArray[np.float64]:
    """What the structural programme would lose by cutting at each place: 0 where it cuts, small where it nearly does.

    Args:
        units: n of them, of one stretch.
        sizes: of chunks.

    Returns:
        float64 (n + 1,), infinite at both ends, where there is nothing to decide.
    """
    count = len(units)
    found = np.full(count + 1, np.inf)
    if count < 2:
        return found
    rows, longest = _gains(units, sizes)
    gain = rows(0, count)
    gain[gain == -np.inf] = -1e6  # a unit that only fits alone has a price too
    reach = np.minimum(longest, count - np.arange(count)).tolist()
    price = units.price.copy()
    price[[0, count]] = 0.0
    before = np.full(count + 1, -np.inf)  # of the units before a place, its own cut not paid
    before[0] = 0.0
    for i in range(count):
        stop = i + 1 + reach[i]
        np.maximum(before[i + 1 : stop], gain[i, : reach[i]] + (before[i] - price[i]), out=before[i + 1 : stop])
    behind = np.zeros(count + 1)
    for i in range(count - 1, -1, -1):
        stop = i + 1 + reach[i]
        behind[i] = np.max(gain[i, : reach[i]] + behind[i + 1 : stop] - price[i + 1 : stop])
    inner = slice(1, count)
    found[inner] = before[count] - (before[inner] - price[inner] + behind[inner])
    floor: NDArray[np.float64] = np.maximum(found, 0.0)
    return floor


def rejoined(units: Units, sizes: Sizes, ends: Sequence[int]) -> list[int]:
    """The chunks that given cuts make: neighbours joined while they stay within the size, too long ones divided.

    Args:
        units: n of them, of one stretch.
        sizes: joined up to `size`, divided above `cap`.
        ends: ascending places strictly between 0 and n at which to cut.

    Returns:
        The units that chunks begin with, 0 first.
    """
    bounds = [0, *ends, len(units)]
    starts: list[int] = []
    for low, high in itertools.pairwise(bounds):
        held = int(units.left[low] + units.right[high])
        if starts and int(units.left[starts[-1]] + units.right[high]) <= sizes.size:
            continue
        starts.append(low)
        if held > sizes.cap and high - low > 1:
            cut = slice(low, high + 1)
            part = Units(units.at[cut], units.left[cut], units.right[cut], units.price[cut], units.kind[low:high])
            starts += [low + k for k in divided(part, sizes)[0][1:]]
    return starts


def finished(
    scaffold: Scaffold, sizes: Sizes, rewards: Sequence[NDArray[np.float64] | None], by: str, reasons: Sequence[str]
) -> DocTree:
    """The tree that the rewards of each stretch lead to, with how sure each cut is and what was given up."""
    chosen: list[list[int]] = []
    margins: dict[int, float] = {}
    for stretch, reward in zip(scaffold.stretches, rewards, strict=True):
        units = scaffold.units(stretch)
        starts, sure = divided(units, sizes, reward)
        chosen.append(starts)
        margins |= {int(units.at[k]): m for k, m in zip(starts, sure, strict=True) if np.isfinite(m)}
    return remarked(scaffold.tree(chosen), by, reasons, margins)


def robust(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in units of the median distance, times 1.4826; 0 where all are equal; NaN stays."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full_like(values, np.nan)
    middle = np.median(known)
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    if spread > 1e-9:
        found: NDArray[np.float64] = (values - middle) / spread
        return found
    return np.where(np.isfinite(values), 0.0, np.nan)
