"""Where neighbouring units turn to something else, by vectors: how alike the two sides of each cut are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder

__all__ = ["turns", "vectors"]

WIDTH = 6  # units looked at on either side
LONGEST = 4_000  # characters of a unit that are embedded


def vectors(embedder: Embedder, text: str, spans: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """float64 (n, d), a vector for each range; zeros for blank ones and where a value is not finite."""
    rows = np.zeros((len(spans), embedder.dim))
    told = [i for i, (a, b) in enumerate(spans) if text[a:b].strip()]
    if told:
        rows[told] = embedder.embed([text[spans[i][0] : min(spans[i][1], spans[i][0] + LONGEST)] for i in told])
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return rows


def turns(rows: NDArray[np.float64], width: int = WIDTH) -> NDArray[np.float64]:
    """How alike the units before and behind each place are, at most `width` on either side.

    Hearst, "TextTiling", Computational Linguistics 23(1), 1997, with vectors for words.

    Args:
        rows: float64 (n, d), vectors of units.
        width: units on a side.

    Returns:
        float64 (n + 1,), cosine of the two sums, 1 at both ends, 0 where a side has no direction; rounded to 9 digits.
    """
    count = len(rows)
    found = np.ones(count + 1)
    if count < 2:
        return found
    sums = np.concatenate((np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)))
    at = np.arange(1, count)
    left = sums[at] - sums[np.maximum(at - width, 0)]
    right = sums[np.minimum(at + width, count)] - sums[at]
    dots = np.einsum("ij,ij->i", left, right)
    lengths = np.sqrt(np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right))
    found[1:-1] = np.where(lengths > 1e-12, dots / np.where(lengths > 1e-12, lengths, 1.0), 0.0)
    return np.round(found, 9)
