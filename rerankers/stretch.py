"""Scores of any ranker as numbers from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["stretched"]


def stretched(scores: Iterable[float]) -> NDArray[np.float64]:
    """Moved and stretched to [0, 1], as min-max fusion does; all 1 where they are equal.

    A score that is not a number counts as the lowest that is one, an infinite one as the outermost.

    Args:
        scores: n of them.

    Returns:
        float64 (n,), each finite.
    """
    values = np.array(list(scores), dtype=np.float64)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    clear = np.clip(np.nan_to_num(values, nan=low, posinf=high, neginf=low), low, high)
    if high <= low:
        return np.ones_like(clear)
    wide = high / 2 - low / 2  # halves, since the whole range may be beyond the largest number
    return (clear / 2 - low / 2) / wide if wide > 0 else np.ones_like(clear)
