"""A tree with other inner nodes above the same leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rag.doctree import CODE, DocTree

__all__ = ["Made", "regrouped"]


@dataclass(frozen=True, slots=True)
class Made:
    """An inner node to insert: its kind, the range of its heading, its level."""

    kind: str = "group"
    title: tuple[int, int] = (0, 0)
    level: int = 0


def regrouped(tree: DocTree, below: Sequence[Sequence[int]], made: Sequence[Made]) -> DocTree:
    """The tree with these children: nodes that nobody names are left out, made ones put in.

    Args:
        tree: the tree as it was, with n nodes.
        below: for each of the n nodes and then for each made one, its children in source order: indices of nodes,
            or n + i for the i-th made one. Every leaf must be reached from node 0 once.
        made: the nodes to put in; each covers its children.

    Returns:
        A new tree in preorder, with the notes and repeats of the nodes that are still there.
    """
    size = len(tree)
    order: list[int] = []
    parent: list[int] = []
    waiting = [(0, -1)]
    while waiting:
        node, up = waiting.pop()
        here = len(order)
        order.append(node)
        parent.append(up)
        waiting += [(child, here) for child in reversed(below[node])]
    old = np.array(order, dtype=np.int64)
    above = np.array(parent, dtype=np.int64)
    is_old = old < size
    at = np.where(is_old, old, 0)
    start, end = tree.start[at], tree.end[at]
    kind, level, tokens = tree.kind[at].copy(), tree.level[at].copy(), tree.tokens[at].copy()
    titles = tree.titles[at].copy()
    for i in np.flatnonzero(~is_old)[::-1].tolist():  # children have higher numbers and are done
        one = made[order[i] - size]
        kind[i], level[i], tokens[i], titles[i] = CODE[one.kind], one.level, -1, one.title
    start, end = _covered(start.copy(), end.copy(), above, is_old)
    number = {node: i for i, node in enumerate(order) if node < size}
    return replace(
        tree,
        start=start,
        end=end,
        parent=above,
        kind=kind,
        level=level,
        titles=titles,
        tokens=tokens,
        repeats={number[i]: ranges for i, ranges in sorted(tree.repeats.items())},
        notes={name: _moved(by_node, number) for name, by_node in tree.notes.items()},
    )


def _covered(start: Any, end: Any, parent: Any, is_old: Any) -> tuple[Any, Any]:
    """Ranges of the made nodes: from their first child's beginning to the last end below them."""
    first, last, up, old = start.tolist(), end.tolist(), parent.tolist(), is_old.tolist()
    fresh = [not one for one in old]
    for i in range(len(up) - 1, 0, -1):
        above = up[i]
        if not old[above]:
            if fresh[above]:
                first[above], last[above], fresh[above] = first[i], last[i], False
            else:
                first[above], last[above] = min(first[above], first[i]), max(last[above], last[i])
    return np.array(first, dtype=np.int64), np.array(last, dtype=np.int64)


def _moved(by_node: Mapping[int, Any], number: Mapping[int, int]) -> dict[int, Any]:
    return {number[node]: value for node, value in sorted(by_node.items()) if node in number}
