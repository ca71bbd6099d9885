"""Units of text that are mapped whole, and the gate that decides which of them are worth a look.

A unit is a subtree that fits the window and holds at most one titled section, so a chapter of a story is read as one
and a long one leaf by leaf; in a flat tree units are the leaves. One pass over the text finds the question's words;
everything else is arithmetic on arrays, linear in leaves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.doctree import DocTree
from rag.lexical import WORD, stem
from rag.trees.aim import Aim

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from rag.models.embed import Embedder

__all__ = ["Gate", "gated", "section_of"]

CHARACTERS = 4  # of a token, where a tree did not count
SHOWN = 2000  # characters of a unit that are embedded


class Gate(NamedTuple):
    """The units of a tree, in source order.

    Args:
        node: int64 (u,), index of each unit's node.
        score: float64 (u,), share of the question's weight met in the unit or, half, in the headings above it; 1
            where the question has no words of its own.
        passes: bool (u,), what the gate lets through.
    """

    node: NDArray[np.int64]
    score: NDArray[np.float64]
    passes: NDArray[np.bool_]


def gated(
    tree: DocTree,
    aim: Aim,
    *,
    window: int,
    least: float,
    question: str = "",
    embedder: Embedder | None = None,
    similar: float = 0.6,
    only: Collection[int] | None = None,
) -> Gate:
    """Score every unit and say which are worth a look.

    Args:
        tree: any tree.
        aim: the question as it was read.
        window: tokens of a unit of several leaves.
        least: score from which a unit passes.
        question: as asked; read where there is an embedder.
        embedder: a unit also passes when its vector is `similar` to the question's.
        similar: cosine.
        only: leaves that may be read; None is all. Without the others no unit is made of several leaves.
    """
    leaves = tree.leaf_ids
    if only is not None:
        allowed = np.zeros(len(tree), dtype=bool)
        allowed[list(only)] = True
        unit = leaves[allowed[leaves]]
        first = np.searchsorted(leaves, unit)
        last = first + 1
    else:
        unit = _units(tree, window)
        first = np.searchsorted(tree.start[leaves], tree.start[unit])
        last = np.searchsorted(tree.start[leaves], tree.end[unit])
    if not len(unit):
        return Gate(unit, np.zeros(0), np.zeros(0, dtype=bool))
    if not aim.words:
        score = np.ones(len(unit))
    else:
        own, above = _met(tree, aim)
        own = _any(own, first, last)
        above = _any(above, first, last)
        weights = np.array([weight for _, weight in aim.words])
        score = np.round((own + 0.5 * (above & ~own)) @ weights / weights.sum(), 9)
    passes = score >= least
    if embedder is not None and aim.words:
        text = tree.document.text
        shown = [text[tree.start[i] : min(tree.end[i], tree.start[i] + SHOWN)] for i in unit]
        near = embedder.embed(shown) @ embedder.embed([question], query=True)[0]
        passes |= np.round(near, 6) >= similar
        score = np.maximum(score, np.where(near >= similar, np.round(near.astype(np.float64), 6), 0.0))
    return Gate(unit, score, passes)


def section_of(tree: DocTree, node: int) -> int:
    """The lowest titled node that holds a node, itself included; the node where there is none."""
    at = node
    while at >= 0:
        if tree.titles[at, 1] > tree.titles[at, 0]:
            return at
        at = int(tree.parent[at])
    return node


def _units(tree: DocTree, window: int) -> NDArray[np.int64]:
    """Nodes that are mapped whole: the highest that fit the window and hold at most one titled section below them."""
    size = len(tree)
    leaves = tree.leaf_ids
    if size == 1:
        return leaves
    tokens = tree.tokens.astype(np.int64)
    known = bool(len(leaves)) and bool((tokens[leaves] >= 0).all())
    cost = tokens[leaves] if known else (tree.end[leaves] - tree.start[leaves]) // CHARACTERS
    total = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(cost)))
    starts = tree.start[leaves]
    weight = total[np.searchsorted(starts, tree.end)] - total[np.searchsorted(starts, tree.start)]
    titled = tree.titles[:, 1] > tree.titles[:, 0]
    below = _below(tree, titled)
    fits = (weight <= window) & (below + titled <= 1)
    fits[0] = False
    fits[leaves] = True
    covered = np.zeros(size, dtype=bool)
    parent = tree.parent
    for i in range(1, size):  # a node below a unit is part of it
        covered[i] = covered[parent[i]] or fits[parent[i]]
    return np.flatnonzero(fits & ~covered)


def _below(tree: DocTree, marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many marked nodes stand below each node; preorder makes them a run."""
    size = len(tree)
    found = np.zeros(size, dtype=np.int64)
    parent = tree.parent.tolist()
    own = marked.astype(np.int64).tolist()
    sums = [0] * size
    for i in range(size - 1, 0, -1):
        sums[parent[i]] += sums[i] + own[i]
    found[:] = sums
    return found


def _met(tree: DocTree, aim: Aim) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """bool (m, w) twice: words of the question in each leaf, and in the headings above it."""
    text, leaves = tree.document.text, tree.leaf_ids
    stems = [word for word, _ in aim.words]
    number = {word: i for i, word in enumerate(stems)}
    own = np.zeros((len(leaves), len(stems)), dtype=bool)
    above = np.zeros_like(own)
    lowered = text.lower()
    body = lowered if len(lowered) == len(text) else text
    heads = sorted({word[: max(3, len(word) - 1)] if word.isascii() else word[:1] for word in stems})
    finder = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, heads))})", re.IGNORECASE if body is text else 0)
    wide = re.compile("|".join(re.escape(w) for w in stems if len(w) == 1 and not w.isascii()) or r"(?!)")
    places: list[tuple[int, int]] = []
    for found in finder.finditer(body):
        word = WORD.match(body, found.start())
        if word is not None:
            which = number.get(stem(word[0].lower()))
            if which is not None:
                places.append((found.start(), which))
    places += [(m.start(), number[m[0]]) for m in wide.finditer(body)]
    if not places:
        return own, above
    at = np.array(places, dtype=np.int64)
    leaf = np.searchsorted(tree.start[leaves], at[:, 0], side="right") - 1
    own[leaf, at[:, 1]] = True
    titled = np.flatnonzero(tree.titles[:, 1] > tree.titles[:, 0])
    order = np.argsort(at[:, 0], kind="stable")
    at = at[order]
    begins = np.searchsorted(at[:, 0], tree.titles[titled, 0])
    ends = np.searchsorted(at[:, 0], tree.titles[titled, 1])
    starts = tree.start[leaves]
    for i in np.flatnonzero(ends > begins):
        node = titled[i]
        low, high = np.searchsorted(starts, (tree.start[node], tree.end[node]))
        above[low:high, at[begins[i] : ends[i], 1]] = True
    return own, above


def _any(table: NDArray[np.bool_], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool (u, w): whether a column is true in any row of each unit's run of rows."""
    sums = np.concatenate((np.zeros((1, table.shape[1]), dtype=np.int64), np.cumsum(table, axis=0, dtype=np.int64)))
    return np.asarray(sums[last] > sums[first])
