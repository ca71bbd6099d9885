"""How near a tree of headings comes to the gold outline, and how many gold nodes a context holds.

Ordered tree edit distance with unit costs: Zhang and Shasha, SIAM Journal on Computing 18(6), 1989. As the score
of outlines it follows StructBench (LingoEDU, arXiv 2512.14244), whose DLA is the share of documents with
distance 0 (`exact`). Departure: labels are given by the caller and no chain of only children is collapsed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from evals.metrics.spans import kept

__all__ = ["Outline", "distance", "exact", "node_recall", "outline"]


Flat = tuple[list[Hashable], list[int], list[int]]


class Outline(NamedTuple):
    """A heading with those below it."""

    label: Hashable
    below: tuple[Outline, ...] = ()


def outline(headings: Sequence[tuple[int, Hashable]]) -> Outline:
    """The tree of `(level, label)` headings in the order of the text, below a root without a label.

    A heading belongs to the last one before it with a smaller level; levels may be skipped.
    """
    stack: list[tuple[int, Hashable, list[Outline]]] = [(-1, None, [])]
    for level, label in [*headings, (-1, None)]:
        while len(stack) > 1 and stack[-1][0] >= level:
            _, done, below = stack.pop()
            stack[-1][2].append(Outline(done, tuple(below)))
        stack.append((level, label, []))
    return Outline(None, tuple(stack[0][2]))


def _postorder(tree: Outline) -> Flat:
    """Labels in postorder, the leftmost leaf below each node, and the key roots."""
    labels: list[Hashable] = []
    first: list[int] = []

    todo: list[tuple[Outline, int]] = [(tree, -1)]  # -1: not entered; else its leftmost leaf
    while todo:
        node, begun = todo.pop()
        if begun >= 0:
            labels.append(node.label)
            first.append(begun)
            continue
        todo.append((node, len(labels)))
        todo += [(child, -1) for child in reversed(node.below)]
    last = {leaf: i for i, leaf in enumerate(first)}
    return labels, first, sorted(last.values())


def distance(found: Outline, gold: Outline) -> int:
    """Fewest nodes to insert, delete or rename to turn one outline into the other."""
    one, other = _postorder(found), _postorder(gold)
    tree = [[0] * len(other[0]) for _ in one[0]]
    for i in one[2]:
        for j in other[2]:
            _forest(i, j, one, other, tree)
    return tree[-1][-1]


def _forest(i: int, j: int, one: Flat, other: Flat, tree: list[list[int]]) -> None:
    """Distances of the forests below two key roots; fills in those of whole trees."""
    (a, l1, _), (b, l2, _) = one, other
    m, n = i - l1[i] + 2, j - l2[j] + 2
    part = [[x + y if not x or not y else 0 for y in range(n)] for x in range(m)]
    for x in range(1, m):
        for y in range(1, n):
            p, q = l1[i] + x - 1, l2[j] + y - 1
            least = min(part[x - 1][y] + 1, part[x][y - 1] + 1)
            if l1[p] == l1[i] and l2[q] == l2[j]:
                tree[p][q] = part[x][y] = min(least, part[x - 1][y - 1] + (a[p] != b[q]))
            else:
                part[x][y] = min(least, part[l1[p] - l1[i]][l2[q] - l2[j]] + tree[p][q])


def exact(found: Outline, gold: Outline) -> float:
    """1 when the outlines are equal."""
    return float(found == gold)


def node_recall(found: Sequence[Sequence[Any]], nodes: Sequence[Sequence[Any]], least: float = 1.0) -> float:
    """Share of gold nodes of which at least the share `least` of the characters is in the context.

    Args:
        found: `(doc, start, end)` of the context of a budget.
        nodes: ranges of the nodes that are needed; at least one.
        least: 1 asks for whole nodes; 0 for any shared character.
    """
    shares = [kept(found, [node]) for node in nodes]
    return sum(have > 0 and have >= least * size for have, size in shares) / len(shares) if shares else 0.0
