"""The reward of a cluster of neighbouring units: how much more alike they are than the document's units are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chunkers.kernel import Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clusters"]


class Clusters:
    """Rewards of all segments of some units of a stretch.

    A pair of units counts with the product of their tokens over `size`, so that the reward of a segment of `size`
    tokens is about its mean cosine above `usual`, however finely it is divided into units.

    Args:
        vectors: float64 (n, d), rows of length 1 or 0.
        tokens: int64 (n,), of each unit.
        width: most units of a segment.
        usual: mean cosine of two units of the document.
        size: tokens that weigh 1.
    """

    def __init__(
        self, vectors: NDArray[np.float64], tokens: NDArray[np.int64], width: int, *, usual: float, size: int
    ) -> None:
        self.usual = usual
        self.weight = tokens / size
        self.kernel = Kernel(vectors * self.weight[:, None], width)

    def __call__(self, low: int, high: int) -> NDArray[np.float64]:
        """float64 (high - low, width), of the segments that begin with units low to high - 1."""
        width = self.kernel.width
        weight = np.zeros(high - low + width - 1)
        here = self.weight[low : low + len(weight)]
        weight[: len(here)] = here
        runs = np.lib.stride_tricks.sliding_window_view(weight, width)
        pairs = np.cumsum(runs, axis=1) ** 2 - np.cumsum(runs**2, axis=1)
        rows: NDArray[np.float64] = self.kernel.within(low, high) - self.usual * pairs
        return rows
