"""Published rules for where a topic ends: percentile of the drops in similarity, and Max-Min clustering.

Both give a mark for every unit, whether a chunk begins with it by the rule alone; caps, minima and structure are the
business of `chunkers.semantic`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["drops", "max_min"]


def drops(vectors: NDArray[np.float64], around: int) -> NDArray[np.float64]:
    """float64 (n,), how far each unit with its neighbours is from the unit before with its; 0 of the first.

    Kamradt, "5 Levels Of Text Splitting", 2023: the distance between windows of 2 `around` + 1 sentences, one further
    on each. Departure: a window's vector is the mean of its units' vectors, not that of the joined text, so that each
    sentence is embedded once.
    """
    count = len(vectors)
    sums = np.concatenate((np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0)))
    at = np.arange(count)
    window = sums[np.minimum(at + around + 1, count)] - sums[np.maximum(at - around, 0)]
    lengths = np.sqrt(np.einsum("ij,ij->i", window, window))
    window /= np.where(lengths > 1e-9, lengths, 1.0)[:, None]
    found = np.zeros(count)
    found[1:] = 1.0 - np.einsum("ij,ij->i", window[1:], window[:-1])
    return np.maximum(found.round(9), 0.0)


def max_min(
    vectors: NDArray[np.float64],
    longest: NDArray[np.int64],
    price: NDArray[np.float64],
    *,
    ease: float,
    least: float,
    first: float,
) -> NDArray[np.bool_]:
    """bool (n,), whether Max-Min semantic chunking begins a chunk with each unit.

    Kiss, Nagy and Szilagyi, "Max-Min semantic chunking of documents for RAG application", Discover Computing 2025. A
    unit joins while its nearest cosine to the chunk exceeds max(ease * m * sigmoid(s - 1), least), m the least cosine
    of two of the chunk's s units; the second joins where `first` times its cosine exceeds `least`. Departures: m is
    updated by units that join only; the price of a cut is added to the nearness, so that a cut inside a paragraph needs
    more than one between two; a chunk never has more than `longest` units, which bounds the time to O(n L d).

    Args:
        vectors: (n, d), rows of length 1 or 0.
        longest: (n,), most units of a chunk that begins there.
        price: (n + 1,), of a cut in front of each unit, scaled.
        ease: their c.
        least: their hard threshold.
        first: their factor for the second unit.
    """
    begins = np.zeros(len(vectors), dtype=bool)
    start, lowest = 0, 1.0
    begins[0:1] = True
    for at in range(1, len(vectors)):
        size = at - start
        cosines = vectors[start:at] @ vectors[at]
        if size == 1:
            joins = first * float(cosines[0]) + price[at] > least
        else:
            bar = max(ease * lowest / (1.0 + math.exp(1 - size)), least)
            joins = float(cosines.max()) + price[at] > bar
        if joins and size < longest[start]:
            lowest = min(lowest, float(cosines.min()))
        else:
            begins[at] = True
            start, lowest = at, 1.0
    return begins
