"""How well the cuts of a chunker agree with the borders of a text.

Pk: Beeferman, Berger and Lafferty, Machine Learning 34, 1999. WindowDiff: Pevzner and Hearst, Computational
Linguistics 28(1), 2002. Both slide a window of k units over the text and count the places where reference and
cuts disagree: on whether there is any border (Pk), or on how many there are (WindowDiff); 0 is best. k is half
the mean length of a reference segment.

A border is given as the number of units before it, so 0 and the number of units are no borders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sizes", "boundary_f1", "integrity", "pk", "sizes", "window", "window_diff"]

Range = tuple[int, int]


def boundary_f1(cuts: Iterable[int], gold: Iterable[int], *, slack: int = 0) -> float:
    """F1 of the cuts against the borders; each border is found by one cut at most, `slack` units away at most.

    1 when there is neither a cut nor a border.
    """
    said, wanted = sorted(set(cuts)), sorted(set(gold))
    if not said and not wanted:
        return 1.0
    found = i = j = 0
    while i < len(said) and j < len(wanted):  # taking the earliest that fits is best on a line
        if abs(said[i] - wanted[j]) <= slack:
            found, i, j = found + 1, i + 1, j + 1
        elif said[i] < wanted[j]:
            i += 1
        else:
            j += 1
    return 2 * found / (len(said) + len(wanted))


def window(gold: Iterable[int], units: int) -> int:
    """k: half the mean length of a segment of the reference, at least 1."""
    return max(1, round(units / (2 * (len(set(gold)) + 1))))


def _counts(borders: Iterable[int], units: int, k: int) -> NDArray[np.int64]:
    """int64 (units - k,), borders between the units i and i + k."""
    marks = np.zeros(units + 1, dtype=np.int64)
    marks[[b for b in set(borders) if 0 < b < units]] = 1
    upto = np.cumsum(marks)
    return upto[k:units] - upto[: units - k]


def pk(cuts: Iterable[int], gold: Iterable[int], units: int, k: int | None = None) -> float:
    """Pk: share of pairs of units k apart that only one side puts into one segment.

    Args:
        cuts: borders to judge.
        gold: borders of the reference.
        units: length of the text in units.
        k: width of the window; by default from `window`.
    """
    gold = set(gold)
    k = window(gold, units) if k is None else k
    if units <= k:
        return 0.0
    return float(np.mean((_counts(cuts, units, k) > 0) != (_counts(gold, units, k) > 0)))


def window_diff(cuts: Iterable[int], gold: Iterable[int], units: int, k: int | None = None) -> float:
    """WindowDiff: share of windows in which the two sides have different numbers of borders; as `pk` otherwise."""
    gold = set(gold)
    k = window(gold, units) if k is None else k
    if units <= k:
        return 0.0
    return float(np.mean(_counts(cuts, units, k) != _counts(gold, units, k)))


class Sizes(NamedTuple):
    """Chunks by size, in tokens."""

    chunks: int
    mean: float
    sd: float
    least: int
    p5: float
    p50: float
    p95: float
    most: int


def sizes(tokens: Sequence[int]) -> Sizes:
    """The distribution of chunk sizes; all 0 without a chunk."""
    if not len(tokens):
        return Sizes(0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0)
    values = np.asarray(tokens, dtype=np.int64)
    low, middle, high = np.percentile(values, [5, 50, 95]).tolist()
    mean, sd = float(values.mean()), float(values.std())
    return Sizes(len(values), mean, sd, int(values.min()), low, middle, high, int(values.max()))


def integrity(chunks: Sequence[Range], blocks: Sequence[Range]) -> float | None:
    """Share of blocks (tables, lists, code, paragraphs) that lie whole inside one chunk; None without blocks.

    A block larger than the cap cannot be whole: leave such blocks out to judge the chunker and not the cap.
    The measure of Adaptive Chunking (Ekimetrics, LREC 2026), by exact ranges instead of text matches.
    """
    if not blocks:
        return None
    begins: Any = np.asarray([start for start, _ in chunks], dtype=np.int64)
    ends: Any = np.asarray([end for _, end in chunks], dtype=np.int64)
    return float(np.mean([bool(np.any((begins <= start) & (ends >= end))) for start, end in blocks]))
