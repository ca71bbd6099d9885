"""Cuts that stay where they were: after an edit, chunks whose text is the same are the same chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.doctree import CODE, DocTree
from rag.models.tokens import counter
from rag.sentences import sentence_spans
from rag.stage import Field, stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Steady", "unchanged"]

NAME = "trees/steady"
LINES = 4_000  # lines between the first and the last change that are compared one by one
FIXED = frozenset(CODE[kind] for kind in ("table", "code", "front_matter", "html"))  # not divided at sentences
Range = tuple[int, int]


class Leaf(NamedTuple):
    """A leaf to be: its range, its kind, its tokens."""

    start: int
    end: int
    kind: int
    tokens: int


@stage
class Steady:
    """Keep the chunks of the tree before wherever the text and the sections are the same.

    A chunker that weighs all cuts of a section together may move many of them for one new sentence. Here an updated
    document is cut anew where it changed and nowhere else, as adRAP does with clusters (arXiv 2410.01736): chunks
    outside the changed ranges stay, and what lies between them is one chunk, or is divided at sentences where that
    would be larger than the chunker's own. Sections are always those of the new text. A stretch of chunks that holds
    tables, code or repeated ranges and changed is left to the chunker.

    The price is that the tree depends on the way to it: an index that was updated is not the one that building at once
    gives, and after many edits sizes are less even than the chunker's. Put it first among the growers. How many chunks
    one edited sentence costs with it and without is measured in `evals/reproduce/tree_cost.py`.

    Args:
        tree: any tree; built for the first time it stays as it is.

    Returns:
        A tree with the sections of the new one. No leaf has more tokens than the largest of the two trees.
    """

    least: float = Field(
        default=0.25, ge=0, le=1, description="share of the largest chunk; smaller rests join a neighbour"
    )

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree as it is."""
        return tree

    def renew(self, tree: DocTree, old: DocTree, /) -> DocTree:
        """The tree with the cuts of the one before.

        Args:
            tree: the new tree, from the chunker.
            old: the tree of the same document before.
        """
        if tree.notes or not _tiles(tree) or not _tiles(old) or tree.tokenizer != old.tokenizer:
            return tree
        kept = _kept(tree, old)
        cap = max(_sizes(tree).max(initial=0), _sizes(old).max(initial=0))
        rows: dict[int, list[Leaf]] = {}
        for run in _runs(tree):
            found = self._cut(tree, run, kept, int(cap))
            if found is not None:
                rows[run[0]] = found
        return _rebuilt(tree, rows, {run[0]: len(run) for run in _runs(tree)})

    def _cut(self, tree: DocTree, run: Sequence[int], kept: Sequence[Leaf], cap: int) -> list[Leaf] | None:
        """The leaves of one stretch of siblings; None where the chunker's are to be taken."""
        titles = tree.titles[list(run)]
        if any(leaf in tree.repeats for leaf in run) or bool((titles[:, 1] > titles[:, 0]).any()):
            return None
        start, end = int(tree.start[run[0]]), int(tree.end[run[-1]])
        low = bisect_left(kept, start, key=lambda one: one.start)
        high = bisect_right(kept, end, key=lambda one: one.end)
        mine = list(kept[low:high])
        if not mine:
            return None
        gaps = list(_gaps(mine, start, end))
        if not gaps:
            return mine
        if any(int(tree.kind[leaf]) in FIXED for leaf in run):
            return None
        found = set(mine)
        for a, b in gaps:
            if _size(tree, a, b) < self.least * cap:
                near = [one for one in found if one.end == a or one.start == b]
                if near:
                    found.remove(min(near, key=lambda one: (one.tokens, one.start)))
        kind = int(tree.kind[run[0]])
        ordered = sorted(found)
        for a, b in _gaps(ordered, start, end):
            parts = _divided(tree, a, b, kind, cap)
            if parts is None:
                return None
            found.update(parts)
        return sorted(found)


def unchanged(old: str, new: str) -> Iterator[tuple[int, int, int]]:
    """Ranges that two texts share in order: (start in the old, start in the new, length), ascending, disjoint.

    Equal beginnings and ends are found by character; between them lines are compared (Ratcliff and Obershelp), and
    the beginnings and ends of what differs by character again. With more than `LINES` lines between the first change
    and the last, nothing between them is shared.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    if head:
        yield 0, 0, head
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    before, after = a.splitlines(keepends=True), b.splitlines(keepends=True)
    if a and b and max(len(before), len(after)) <= LINES:
        at_old, at_new = _starts(before, head), _starts(after, head)
        for i, j, n in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
            if n:
                yield at_old[i], at_new[j], at_old[i + n] - at_old[i]
    if tail:
        yield len(old) - tail, len(new) - tail, tail


def _common(one: str, other: str) -> int:
    """Length of the common beginning, in a few comparisons of slices."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _starts(lines: Sequence[str], first: int) -> list[int]:
    found = [first]
    for line in lines:
        found.append(found[-1] + len(line))
    return found


def _tiles(tree: DocTree) -> bool:
    """Whether the leaves tile the text without overlap."""
    leaves = tree.leaf_ids
    return bool(len(leaves)) and bool((tree.start[leaves][1:] == tree.end[leaves][:-1]).all())


def _sizes(tree: DocTree) -> NDArray[Any]:
    """Tokens of the leaves, or characters where none were counted."""
    leaves = tree.leaf_ids
    counted = tree.tokens[leaves]
    return counted if (counted >= 0).all() else tree.end[leaves] - tree.start[leaves]


def _size(tree: DocTree, start: int, end: int) -> int:
    counted = bool((tree.tokens[tree.leaf_ids] >= 0).all())
    return counter(tree.tokenizer).count(tree.document.text[start:end]) if counted and tree.tokenizer else end - start


def _kept(tree: DocTree, old: DocTree) -> list[Leaf]:
    """The old leaves whose text stands unchanged inside one stretch of siblings of the new tree, in new places."""
    first = {leaf: run for run in _runs(tree) for leaf in run}
    leaves = tree.leaf_ids
    start, ids = tree.start[leaves].tolist(), leaves.tolist()
    old_ids = old.leaf_ids.tolist()
    old_start = old.start[old.leaf_ids].tolist()
    found: list[Leaf] = []
    for a, b, length in unchanged(old.document.text, tree.document.text):
        at = bisect_left(old_start, a)
        while at < len(old_ids) and int(old.end[old_ids[at]]) <= a + length:
            one = old_ids[at]
            low, high = int(old.start[one]) - a + b, int(old.end[one]) - a + b
            here = ids[bisect_right(start, low) - 1]
            there = ids[bisect_right(start, high - 1) - 1]
            plain = one not in old.repeats and here not in tree.repeats and there not in tree.repeats
            same = int(tree.start[here]) == low and int(tree.end[here]) == high
            kind = int(old.kind[one])
            if same or (
                plain and first[here] is first[there] and kind == int(tree.kind[here]) == int(tree.kind[there])
            ):
                found.append(Leaf(low, high, int(tree.kind[here]) if same else kind, int(old.tokens[one])))
            at += 1
    return found


def _runs(tree: DocTree) -> list[list[int]]:
    """Stretches of leaves that are siblings with no section between them."""
    found: list[list[int]] = []
    for leaf in tree.leaf_ids.tolist():
        if found and found[-1][-1] == leaf - 1 and tree.parent[leaf] == tree.parent[leaf - 1]:
            found[-1].append(leaf)
        else:
            found.append([leaf])
    return found


def _gaps(leaves: Sequence[Leaf], start: int, end: int) -> Iterator[Range]:
    """What ordered leaves leave open of a range."""
    at = start
    for one in leaves:
        if one.start > at:
            yield at, one.start
        at = one.end
    if at < end:
        yield at, end


def _divided(tree: DocTree, start: int, end: int, kind: int, cap: int) -> list[Leaf] | None:
    """A range as leaves of at most `cap`, few and as even as its sentences allow; None where a sentence is larger."""
    whole = _size(tree, start, end)
    counted = bool((tree.tokens[tree.leaf_ids] >= 0).all())
    if whole <= cap:
        return [Leaf(start, end, kind, whole if counted else -1)]
    text = tree.document.text
    borders = sorted({start, end, *(b for _, b in sentence_spans(text, start, end) if start < b < end)})
    for parts in range(-(-whole // cap), len(borders)):
        wished = [start + (end - start) * k // parts for k in range(1, parts)]
        cuts = sorted({start, end, *(min(borders, key=lambda b, w=w: (abs(b - w), b)) for w in wished)})  # type: ignore[misc]
        sizes = [_size(tree, a, b) for a, b in pairwise(cuts)]
        if max(sizes) <= cap:
            return [Leaf(a, b, kind, n if counted else -1) for (a, b), n in zip(pairwise(cuts), sizes, strict=True)]
    return None


def _rebuilt(tree: DocTree, rows: dict[int, list[Leaf]], lengths: dict[int, int]) -> DocTree:
    """The tree with the leaves of some stretches replaced."""
    if all(
        [(int(tree.start[i]), int(tree.end[i])) for i in range(first, first + lengths[first])]
        == [one[:2] for one in run]
        for first, run in rows.items()
    ):
        return tree
    order: list[tuple[int, Leaf | None]] = []
    skip = 0
    for node in range(len(tree)):
        if node < skip:
            continue
        if node in rows:
            order += [(node, one) for one in rows[node]]
            skip = node + lengths[node]
        else:
            order.append((node, None))
    at = np.array([node for node, _ in order], dtype=np.int64)
    number = {node: i for i, (node, one) in enumerate(order) if one is None}
    start, end, kind, tokens = tree.start[at], tree.end[at], tree.kind[at], tree.tokens[at]
    for i, (_, one) in enumerate(order):
        if one is not None:
            start[i], end[i], kind[i], tokens[i] = one
    parent = np.array([number[int(up)] if up >= 0 else -1 for up in tree.parent[at]], dtype=np.int64)
    repeats = {number[leaf]: ranges for leaf, ranges in tree.repeats.items() if leaf in number}
    titles, level = tree.titles[at], tree.level[at]
    return replace(
        tree,
        start=start, end=end, parent=parent, kind=kind, level=level, titles=titles, tokens=tokens, repeats=repeats,
    )  # fmt: skip
