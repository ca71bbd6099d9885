"""Cuts that stay where they were: after an edit, chunks whose text is the same are the same chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.doctree import CODE, DocTree
from rag.models.tokens import counter
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.trees.shared import unchanged

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Steady"]

NAME = "trees/steady"
FIXED = frozenset(CODE[kind] for kind in ("table", "code", "front_matter", "html"))  # not divided at sentences
Range = tuple[int, int]


class Leaf(NamedTuple):
    """A leaf to be: its range, kind and tokens, what it repeats, and the leaf of the chunker's that it is, or -1."""

    start: int
    end: int
    kind: int
    tokens: int
    repeats: tuple[Range, ...] = ()
    like: int = -1


@stage
class Steady:
    """Keep the chunks of the tree before wherever the text and the sections are the same.

    A chunker that weighs all cuts of a section together may move many of them for one new sentence. Here an updated
    document is cut anew where it changed and nowhere else, as adRAP does with clusters (arXiv 2410.01736): chunks
    outside the changed ranges stay, and what lies between them is one chunk, or is divided at sentences where that
    would be larger than the chunker's own. Sections are always those of the new text. Where tables, code or
    repeated ranges changed the chunker's cuts are taken, from a border that both share to the next.

    The price is that the tree depends on the way to it: an index that was updated is not the one that building at once
    gives, and after many edits sizes are less even than the chunker's. Put it first among the growers.

    Over 36 sentences put in, taken out or changed in documents of 767 to 1,025 chunks, an update embeds 1.1 texts on
    the mean (95 %: 1.0 to 1.1) and 2 at most; with the chunker alone 17.1 (9.5 to 25.5) and 73 at most
    (`evals/reproduce/tree_cost.py`).

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
        return _rebuilt(tree, rows, {run[0]: len(run) for run in _runs(tree)}) if rows else tree

    def _cut(self, tree: DocTree, run: Sequence[int], kept: Sequence[Leaf], cap: int) -> list[Leaf] | None:
        """The leaves of one stretch of siblings; None where the chunker's are to be taken."""
        start, end = int(tree.start[run[0]]), int(tree.end[run[-1]])
        low = bisect_left(kept, start, key=lambda one: one.start)
        high = bisect_right(kept, end, key=lambda one: one.end)
        found = _synced(tree, run, list(kept[low:high]))
        if not found or all(one.like >= 0 for one in found):
            return None
        for a, b in _gaps(found, start, end):
            if _size(tree, a, b) < self.least * cap:
                near = [one for one in found if (one.end == a or one.start == b) and not _hard(tree, one)]
                if near:
                    found.remove(min(near, key=lambda one: (one.tokens, one.start)))
        for a, b in list(_gaps(found, start, end)):
            parts = _divided(tree, a, b, int(tree.kind[_at(tree, run, a)]), cap)
            if parts is None:
                return None
            found = sorted([*found, *parts])
        return found


def _synced(tree: DocTree, run: Sequence[int], kept: list[Leaf]) -> list[Leaf]:
    """The kept leaves, and the chunker's where tables, code or repeated ranges changed.

    There the chunker's leaves are taken from the last border that it shares with the kept ones up to the next.
    """
    rows = [_own(tree, leaf) for leaf in run]
    taken = [False] * len(rows)
    held = {one.start for one in kept} | {one.end for one in kept} | {rows[0].start, rows[-1].end}
    gaps = list(_gaps(kept, rows[0].start, rows[-1].end))
    at = 0
    for a, b in gaps:
        while rows[at].end <= a:
            at += 1
        last = at
        while rows[last].end < b:
            last += 1
        if not any(_hard(tree, one) for one in rows[at : last + 1]):
            continue
        first = at
        while rows[first].start not in held or rows[first].start > a:
            first -= 1
        while rows[last].end not in held or rows[last].end < b:
            last += 1
        taken[first : last + 1] = [True] * (last + 1 - first)
    own = [one for one, is_taken in zip(rows, taken, strict=True) if is_taken]
    covered = [(one.start, one.end) for one in own]
    starts = [a for a, _ in covered]

    def free(one: Leaf) -> bool:
        i = bisect_right(starts, one.start) - 1
        return (i < 0 or covered[i][1] <= one.start) and (i + 1 >= len(covered) or covered[i + 1][0] >= one.end)

    return sorted([*own, *(one for one in kept if free(one))])


def _own(tree: DocTree, leaf: int) -> Leaf:
    """A leaf of the chunker's."""
    ranges = tuple((int(a), int(b)) for a, b in tree.repeats.get(leaf, ()))
    return Leaf(int(tree.start[leaf]), int(tree.end[leaf]), int(tree.kind[leaf]), int(tree.tokens[leaf]), ranges, leaf)


def _hard(tree: DocTree, one: Leaf) -> bool:
    """Whether a leaf cannot be divided or joined at sentences."""
    titled = one.like >= 0 and tree.titles[one.like, 1] > tree.titles[one.like, 0]
    return one.kind in FIXED or bool(one.repeats) or bool(titled)


def _at(tree: DocTree, run: Sequence[int], place: int) -> int:
    """The chunker's leaf of a stretch that a place lies in."""
    starts = tree.start[list(run)]
    return run[int(np.searchsorted(starts, place, side="right")) - 1]


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
    blocks = list(unchanged(old.document.text, tree.document.text))
    begins = [a for a, _, _ in blocks]

    def placed(a: int, b: int) -> Range | None:
        i = bisect_right(begins, a) - 1
        if i < 0 or b > blocks[i][0] + blocks[i][2]:
            return None
        by = blocks[i][1] - blocks[i][0]
        return a + by, b + by

    found: list[Leaf] = []
    for a, b, length in blocks:
        at = bisect_left(old_start, a)
        while at < len(old_ids) and int(old.end[old_ids[at]]) <= a + length:
            one = old_ids[at]
            at += 1
            low, high = int(old.start[one]) - a + b, int(old.end[one]) - a + b
            own = _own(tree, ids[bisect_right(start, low) - 1])
            if (own.start, own.end) == (low, high):
                found.append(own)
                continue
            last = _own(tree, ids[bisect_right(start, high - 1) - 1])
            kind = int(old.kind[one])
            moved = tuple(placed(c, d) for c, d in old.repeats.get(one, ()))
            titled = tree.titles[[own.like, last.like], 1] > tree.titles[[own.like, last.like], 0]
            if (
                first[own.like] is first[last.like]
                and kind == own.kind == last.kind
                and moved == own.repeats == last.repeats
                and not titled.any()
            ):
                found.append(Leaf(low, high, kind, int(old.tokens[one]), own.repeats))
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
    order: list[tuple[int, Leaf | None]] = []
    skip = 0
    for node in range(len(tree)):
        if node < skip:
            continue
        if node in rows:
            order += [(node, one) if one.like < 0 else (one.like, None) for one in rows[node]]
            skip = node + lengths[node]
        else:
            order.append((node, None))
    at = np.array([node for node, _ in order], dtype=np.int64)
    number = {node: i for i, (node, one) in enumerate(order) if one is None}
    start, end, kind, tokens = tree.start[at], tree.end[at], tree.kind[at], tree.tokens[at]
    titles, level = tree.titles[at], tree.level[at]
    repeats = {number[leaf]: ranges for leaf, ranges in tree.repeats.items() if leaf in number}
    for i, (_, one) in enumerate(order):
        if one is not None:
            start[i], end[i], kind[i], tokens[i] = one[:4]
            titles[i] = 0
            if one.repeats:
                repeats[i] = one.repeats
    parent = np.array([number[int(up)] if up >= 0 else -1 for up in tree.parent[at]], dtype=np.int64)
    return replace(
        tree,
        start=start, end=end, parent=parent, kind=kind, level=level, titles=titles, tokens=tokens,
        repeats=dict(sorted(repeats.items())),
    )  # fmt: skip
