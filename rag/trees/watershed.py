"""Runs of neighbours, cut where the valleys between them are deepest: order kept, sizes bounded, always done.

A gap is a cut when it is the deepest valley among the `REACH` gaps on each side of it: local maxima as in content-
defined chunking (Bjørner, Blass and Gurevich, "Content-dependent chunking for differential compression, the local
maximum approach", 2010). Whether it is one depends on its neighbours alone, so that an edit moves the cuts around it
and no others; a percentile of all gaps, or a number of cuts to be made, would let a change in one place move cuts in
another.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["even", "levels", "runs"]

REACH = 3  # gaps on each side that a cut is deeper than; runs hold REACH + 1 items at least, but for the two ends
FEWEST = 2  # items of a run


def levels(items: int, most: int) -> int:
    """Levels needed so that no node has more than `most` children: the least n >= 1 with `most ** n >= items`."""
    found, room = 1, most
    while room < items:
        found, room = found + 1, room * most
    return found


def runs(valleys: Sequence[float], most: int, reach: int = REACH) -> list[int]:
    """Divide items into neighbouring runs of at most `most`.

    Args:
        valleys: depth of the gap behind each item but the last; n - 1 of n items, n >= 2.
        most: items of a run at most, >= 2.
        reach: gaps on each side that a cut is deeper than.

    Returns:
        Where each run begins, 0 first. Runs have two items or more but for the last; of equal valleys the first cuts.
    """
    size = len(valleys) + 1
    reach = min(reach, max(0, most // 2 - 1))
    cuts = [0]
    for at in range(FEWEST, size - FEWEST + 1):
        here = valleys[at - 1]
        left, right = valleys[max(0, at - 1 - reach) : at - 1], valleys[at : at + reach]
        if all(here > one for one in left) and all(here >= one for one in right) and at - cuts[-1] >= FEWEST:
            cuts.append(at)
    found: list[int] = []
    waiting = [(low, high) for low, high in zip(cuts, [*cuts[1:], size], strict=True)][::-1]
    while waiting:
        low, high = waiting.pop()
        if high - low <= most:
            found.append(low)
            continue
        least = min(FEWEST, (high - low) // 2)
        at = max(range(low + least, high - least + 1), key=lambda i: (valleys[i - 1], -i))
        waiting += [(at, high), (low, at)]
    return found


def even(items: int, most: int) -> list[int]:
    """As `runs`, as few of equal length as there can be."""
    parts = -(-items // most)
    return [items * k // parts for k in range(parts)]
