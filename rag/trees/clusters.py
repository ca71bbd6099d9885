"""Upper levels over any tree: neighbours in groups, so that no node has too many children."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.models.embed import Embedder
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.trees.cohesion import depths, signal
from rag.trees.graft import grafted
from rag.trees.regroup import Made, regrouped
from rag.trees.watershed import even, levels, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clusters"]

NAME = "trees/clusters"


@stage
class Clusters:
    """Put neighbouring children of a node with too many into groups, cut where their topics part.

    Sequential clustering takes the place of RAPTOR's UMAP and Gaussian mixtures (Sarthi et al., ICLR 2024,
    https://arxiv.org/abs/2401.18059), as in ragflow: runs of neighbours, divided where they have least in common.
    Order stays, nothing is sampled, and the work is that of one sort a level. Departures: cuts are
    TextTiling's valleys instead of a percentile, which bounds the fan-out; one signal serves all levels, the deepest
    valleys dividing the highest; and it does not depend on the rest of the document, so that an edit regroups
    its neighbours at most.

    Every node has at most `max_children` children and no leaf is deeper than `max_depth`. Where headings are nested
    deeper than that allows, the deepest sections give way: their content moves up, and what they were called is kept
    in the notes of the node that took it (`headings`). Where even one flat level of leaves is too many for both
    limits, the depth holds and the fan-out grows.

    Args:
        tree: any tree.

    Returns:
        The same leaves in the same order; `group` nodes without a heading above some of them.
    """

    max_children: int = Field(default=12, ge=2, description="children of a node at most")
    max_depth: int = Field(default=8, ge=1, description="nodes above a leaf at most")
    width: int = Field(default=2, ge=1, le=16, description="chunks compared on each side of a gap")
    steady: bool = Field(default=False, description="after an edit keep groups where they were; see trees/steady")
    embedder: SkipValidation[Embedder] | None = Field(
        default=None, description="compare chunks by their vectors; None by the words they share"
    )

    def renew(self, tree: DocTree, old: DocTree, /) -> DocTree:
        """As a call; with `steady` the groups of the tree before stay, as long as they keep both limits.

        Args:
            tree: the new tree.
            old: the tree of the same document before.
        """
        if not self.steady:
            return self(tree)
        most = max(self.max_children, _root(len(tree.leaf_ids), self.max_depth))
        kept = _kept(tree, most, self.max_depth)
        plain, below = _dissolved(tree, kept)
        found = grafted(plain, below, old, most, self.max_depth)
        return self(tree) if found is None else found

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with its fan-out and depth bounded."""
        most = max(self.max_children, _root(len(tree.leaf_ids), self.max_depth))
        kept = _kept(tree, most, self.max_depth)
        below = [list(children) for children in tree.child_ids]
        if not kept.all():
            tree, below = _dissolved(tree, kept)
        wide = [i for i, children in enumerate(below) if len(children) > most]
        if not wide:
            return tree if kept.all() else regrouped(tree, below, ())
        valleys = depths(signal(tree, self.width, self.embedder)).tolist()
        first = _first_leaf(tree)
        needs = _needs(tree.parent.tolist(), kept.tolist(), most)
        made: list[Made] = []
        deep = {0: 0}
        waiting = [0]
        while waiting:
            node = waiting.pop()
            children = below[node]
            room = self.max_depth - deep[node] - max((needs[child] for child in children), default=0)
            gaps = [valleys[first[child] - 1] for child in children[1:]]
            steps = _steps(gaps, most, room)
            made += _stacked(below, node, steps, len(tree) + len(made), int(tree.level[node]))
            for child in children:
                deep[child] = deep[node] + 1 + len(steps)
            waiting += [child for child in children if below[child]]
        return regrouped(tree, below, made)


def _steps(gaps: list[float], most: int, room: int) -> list[list[int]]:
    """Where the runs of each inserted level begin, lowest first; `room` levels below the node at most."""
    for local in (True, False):
        steps: list[list[int]] = []
        between, size = gaps, len(gaps) + 1
        while size > most:
            cuts = runs(between, most) if local else even(size, most)
            steps.append(cuts)
            between, size = [between[at - 1] for at in cuts[1:]], len(cuts)
        if len(steps) < room:
            break
    return steps


def _stacked(below: list[list[int]], node: int, steps: list[list[int]], number: int, level: int) -> list[Made]:
    """Put the groups of these levels between a node and its children; gives the nodes made."""
    made: list[Made] = []
    items = below[node]
    for cuts in steps:
        above: list[int] = []
        for low, high in zip(cuts, [*cuts[1:], len(items)], strict=True):
            above.append(number + len(made))
            made.append(Made(level=level))
            below.append(items[low:high])
        items = above
    below[node] = items
    return made


def _root(leaves: int, depth: int) -> int:
    """The least fan-out with which a tree of that depth holds so many leaves."""
    wide = max(1, int(leaves ** (1 / depth)))
    while wide**depth < leaves:
        wide += 1
    return wide


def _first_leaf(tree: DocTree) -> list[int]:
    """For each node how many leaves stand before it."""
    is_leaf = [False] * len(tree)
    for leaf in tree.leaf_ids.tolist():
        is_leaf[leaf] = True
    found, count = [], 0
    for one in is_leaf:
        found.append(count)
        count += one
    return found


def _kept(tree: DocTree, most: int, depth: int) -> NDArray[np.bool_]:
    """bool (n,), the nodes that may stay: the highest sections, as many levels as leave room for groups."""
    parent = tree.parent.tolist()
    at = [0] * len(tree)
    for i in range(1, len(tree)):
        at[i] = at[parent[i]] + 1
    height = np.array(at)
    inner = np.ones(len(tree), dtype=bool)
    inner[tree.leaf_ids] = False
    for limit in range(min(int(height[inner].max(initial=0)), depth), -1, -1):
        stays: NDArray[np.bool_] = ~inner | (height <= limit)
        if _needs(parent, stays.tolist(), most)[0] <= depth:
            return stays
    return stays


def _needs(parent: list[int], stays: list[bool], most: int) -> list[int]:
    """Levels below each node that stays, once all have as few groups as they can."""
    up = parent[:]
    for i in range(1, len(up)):
        if not stays[up[i]]:
            up[i] = up[up[i]]
    children, below = [0] * len(up), [0] * len(up)
    for i in range(len(up) - 1, -1, -1):
        below[i] += levels(children[i], most) if children[i] else 0
        if i and stays[i]:
            children[up[i]] += 1
            below[up[i]] = max(below[up[i]], below[i])
    return below


def _dissolved(tree: DocTree, kept: NDArray[np.bool_]) -> tuple[DocTree, list[list[int]]]:
    """Children once some nodes have given way, and the tree with notes of what these were called."""
    parent, text = tree.parent.tolist(), tree.document.text
    below: list[list[int]] = [[] for _ in parent]
    names: dict[int, list[Note]] = {}
    for i in range(1, len(parent)):
        if not kept[parent[i]]:
            parent[i] = parent[parent[i]]
        if kept[i]:
            below[parent[i]].append(i)
        elif tree.titles[i, 1] > tree.titles[i, 0]:
            a, b = map(int, tree.titles[i])
            names.setdefault(parent[i], []).append(Note(text[a:b], ((a, b),), NAME, True))
    return (noted(tree, "headings", names) if names else tree), below
