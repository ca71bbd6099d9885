"""All levels of the trees in one list, and a fill that never says a thing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retrievers.nodes import NodeIndex

__all__ = ["fill"]


def fill(
    index: NodeIndex,
    ranked: Sequence[int],
    k: int,
    *,
    budget: int | None = None,
    size: Callable[[int], int] | None = None,
) -> list[int]:
    """Take nodes best first while they fit; one that does not fit is skipped and the next one tried.

    RAPTOR's collapsed tree (Sarthi et al., ICLR 2024, https://arxiv.org/abs/2401.18059, section 3) with two changes.
    It stops at the first node over the budget; here smaller ones behind it still get in. It may take a summary and
    the leaves it sums up; here nothing that is taken lies inside another: a section of whose leaves half or more are
    held already is left out, one with fewer takes their place; a node inside a held one is left out.

    Args:
        index: the nodes.
        ranked: rows, best first.
        k: nodes at most.
        budget: tokens of all that is taken together; None for no limit.
        size: tokens of a row; needed with a budget.

    Returns:
        Rows in the order they were ranked, none above or below another.
    """
    held: dict[int, None] = {}
    used = 0
    for row in ranked:
        if row in held or any(up in held for up in index.above(row)):
            continue
        spread = int(index.spread[row])
        inside = [one for one in held if row < one < row + spread] if spread > 1 else []
        if inside and 2 * sum(_leaves(index, one) for one in inside) >= _leaves(index, row):
            continue
        if len(held) - len(inside) >= k:
            if len(held) >= k and not inside:
                break
            continue
        cost = size(row) if budget is not None and size is not None else 0
        freed = sum(size(one) for one in inside) if budget is not None and size is not None else 0
        if budget is not None and used + cost - freed > budget:
            continue
        for one in inside:
            del held[one]
        held[row] = None
        used += cost - freed
    order = {row: place for place, row in enumerate(ranked)}
    return sorted(held, key=order.__getitem__)


def _leaves(index: NodeIndex, row: int) -> int:
    """Leaves in a subtree."""
    spread = index.spread[row : row + int(index.spread[row])]
    return int((spread == 1).sum())
