"""A tree with groups of leaves put between the leaves and their sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rag.doctree import CODE, DocTree

__all__ = ["grouped"]


def grouped(tree: DocTree, spans: Sequence[tuple[int, int]]) -> DocTree:
    """The same tree with a node of kind `group` for each range.

    Args:
        tree: without notes; its leaves stay as they are.
        spans: ranges that begin and end with leaves and cross neither each other nor a section; equal ones once.
    """
    spans = sorted(set(spans))
    if not spans:
        return tree
    leaf = np.zeros(len(tree), dtype=bool)
    leaf[tree.leaf_ids] = True
    rows = [
        (start, -end, 2 if is_leaf else 0, i)
        for i, (start, end, is_leaf) in enumerate(
            zip(tree.start.tolist(), tree.end.tolist(), leaf.tolist(), strict=True)
        )
    ]
    rows += [(start, -end, 1, len(tree) + k) for k, (start, end) in enumerate(spans)]
    rows.sort()
    old = np.array([row[3] for row in rows])
    fresh = old >= len(tree)
    source = np.where(fresh, 0, old)
    parent = np.full(len(rows), -1, dtype=np.int64)
    level = np.where(fresh, 0, tree.level[source]).astype(np.int16)
    stack = [0]
    for i in range(1, len(rows)):
        while -rows[stack[-1]][1] < -rows[i][1] or rows[stack[-1]][2] == 2:
            stack.pop()
        parent[i] = stack[-1]
        if fresh[i]:
            level[i] = level[stack[-1]]
        stack.append(i)
    number = {int(one): i for i, one in enumerate(old.tolist())}
    return replace(
        tree,
        start=np.array([row[0] for row in rows], dtype=np.int64),
        end=np.array([-row[1] for row in rows], dtype=np.int64),
        parent=parent,
        kind=np.where(fresh, CODE["group"], tree.kind[source]).astype(np.uint8),
        level=level,
        titles=np.where(fresh[:, None], 0, tree.titles[source]),
        tokens=np.where(fresh, -1, tree.tokens[source]).astype(np.int32),
        repeats={number[node]: kept for node, kept in tree.repeats.items()},
    )
