"""How many to keep, read off a curve of falling scores: one small function a rule.

Every rule takes float64 (n,), falling, finite, n >= 1, and says how many of the first to keep, in [1, n]. None looks
at anything but the differences or ratios of scores, so adding a constant (and, but for `ratio`, multiplying by a
positive one) changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Curve = NDArray[np.float64]

__all__ = ["RULES", "chord", "drop", "gap", "kneedle", "meteora", "ratio"]

ROUND = 9  # digits of a difference; further ones are rounding and would break ties by chance


def gap(scores: Curve, least: int = 1, most: int | None = None) -> int:
    """Before the largest fall between neighbours; the first of equal ones.

    Args:
        scores: the curve.
        least: the cut stands behind at least so many.
        most: and behind at most so many.
    """
    falls = np.round(-np.diff(scores), ROUND)[least - 1 : most]
    return len(scores) if not len(falls) or falls.max() <= 0 else least + int(np.argmax(falls))


def chord(scores: Curve) -> int:
    """At the point farthest below the line from the first score to the last.

    This is the idea of Satopaa et al., "Finding a Kneedle in a Haystack", 2011, without its smoothing and threshold.
    The point itself is kept. A straight line, and so two points or equal scores, has no such point: all are kept.
    """
    n = len(scores)
    if n < 3 or scores[0] <= scores[-1]:
        return n
    y = (scores - scores[-1]) / (scores[0] - scores[-1])
    below = np.round(1 - np.arange(n) / (n - 1) - y, ROUND)
    return n if below.max() <= 0 else int(np.argmax(below)) + 1


def drop(scores: Curve, least: int = 2, times: float = 3.0, within: int = 20) -> int:
    """Before the first fall that is larger than the median fall by `times` median absolute deviations.

    Args:
        scores: the curve.
        least: falls before this many are not looked at.
        times: how unusual a fall must be.
        within: only so many of the first scores are looked at, for the median too: a long tail of tiny falls would
            make every early one unusual. Without such a fall these are kept.
    """
    head = scores[:within]
    falls = -np.diff(head)
    if not len(falls):
        return len(head)
    middle = np.median(falls)
    spread = np.median(np.abs(falls - middle))
    steep = np.flatnonzero(np.round(falls - middle - times * spread, ROUND)[least - 1 :] > 0)
    return least + int(steep[0]) if len(steep) else len(head)


def ratio(scores: Curve, share: float = 0.5) -> int:
    """Those with at least a share of the best score, counted from 0, or from the last score where that is negative."""
    above = scores - min(0.0, float(scores[-1]))
    return max(1, int((above >= share * above[0]).sum()))


def kneedle(scores: Curve, sensitivity: float = 1.0) -> int:
    """The first knee of Satopaa et al. 2011, section 3: the reference to compare `chord` with.

    The curve is scaled to the unit square and turned into a concave rising one; of its height over the diagonal the
    first local maximum counts that is followed by a fall to `sensitivity` mean steps below it before the next. A curve
    without a knee is kept whole, equal scores too.
    """
    n = len(scores)
    if n < 3 or scores[0] <= scores[-1]:
        return n
    x = np.arange(n) / (n - 1)
    height = np.round((scores[0] - scores) / (scores[0] - scores[-1]) - x, ROUND)
    inner = np.flatnonzero((height[1:-1] >= height[:-2]) & (height[1:-1] >= height[2:])) + 1
    for i, top in enumerate(inner.tolist()):
        end = int(inner[i + 1]) if i + 1 < len(inner) else n
        if (height[top + 1 : end] < height[top] - sensitivity / (n - 1)).any():
            return top + 1
    return n


def meteora(scores: Curve) -> int:
    """Behind the first fall that is more than one standard deviation above the mean fall, itself included.

    The published elbow of METEORA (arXiv 2505.16014, section 3.2, and its code): where no fall is, at the largest
    second difference; fewer than three scores are all kept. On smooth curves it keeps one: for comparison only.
    """
    n = len(scores)
    if n < 3:
        return n
    falls = -np.diff(scores)
    spread = falls.std()
    if spread > 0:
        steep = np.flatnonzero((falls - falls.mean()) / spread > 1.0)
        if len(steep):
            return int(steep[0]) + 1
    return int(np.argmax(np.round(np.diff(falls), ROUND))) + 1


RULES: Mapping[str, Callable[..., int]] = {
    "gap": gap,
    "chord": chord,
    "drop": drop,
    "ratio": ratio,
    "kneedle": kneedle,
    "meteora": meteora,
}
