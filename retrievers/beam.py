"""Down the trees, level by level, keeping the best few nodes of each level."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retrievers.standing import Standing

__all__ = ["descend"]

Choose = Callable[[Sequence[int]], Sequence[int]]


def descend(standing: Standing, roots: Sequence[int], width: int, choose: Choose | None = None) -> list[int]:
    """Leaves that a beam over the levels reaches.

    At each level the `width` best children of the level before are kept, by `Standing.score`. An inner node with text
    of its own whose match is in the top quartile of all matches gives its own leaves too, so a section that answers in
    its opening lines is not passed through. A descent alone loses whatever it turned away from once (one greedy path
    finds 1 % of the evidence on TreeBench where BM25 finds 46 %), so its caller adds the best leaves of the flat
    ranking.

    Args:
        standing: what nodes are worth.
        roots: rows to begin at.
        width: nodes kept a level.
        choose: rows of one level, best first -> those to keep; replaces the cut at `width`, never adds any.

    Returns:
        Rows of leaves, best first, ties in index order.
    """
    index, live = standing.index, standing.live()
    bar = float(np.quantile(list(standing.match.values()), 0.75)) if standing.match else 0.0
    leaves: set[int] = set()
    level = _best(standing, roots, width, choose)
    while level:
        following: list[int] = []
        for row in level:
            if int(index.spread[row]) == 1:
                leaves.add(row)
                continue
            kids = live.get(row, [])
            following += kids
            if standing.match.get(row, 0.0) >= bar:
                leaves.update(_own(standing, row, width))
        level = _best(standing, following, width, choose)
    return sorted(leaves, key=lambda row: (-round(standing.score(row), 9), row))


def _own(standing: Standing, row: int, limit: int) -> list[int]:
    """The first leaves directly below a node, before its first section."""
    found: list[int] = []
    for child in standing.index.children(row):
        if int(standing.index.spread[child]) > 1 or len(found) == limit:
            break
        found.append(child)
    return found


def _best(standing: Standing, rows: Sequence[int], width: int, choose: Choose | None) -> list[int]:
    ranked = sorted(set(rows), key=lambda row: (-round(standing.score(row), 9), row))
    if choose is None or len(ranked) <= 1:
        return ranked[:width]
    allowed = set(choose(ranked))
    return [row for row in ranked if row in allowed]
