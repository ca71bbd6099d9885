"""What is said about inner nodes, made from what their children say: sentences and key phrases, bottom up."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rag.doctree import KINDS, DocTree
from rag.lexical import terms
from rag.trees.keyphrases import keyphrases
from rag.trees.salient import Sentences, pick, sentences_of

__all__ = ["Leading", "Phrase", "budget_of", "heights", "key_phrases", "key_sentences", "leading"]

Range = tuple[int, int]
PER_LEAF = 3  # sentences that a leaf puts forward
LEAF = 2  # phrases that a leaf puts forward (MoDora's n0)
PLACES = 16  # ranges kept of a phrase
SILENT = frozenset({"code", "table", "front_matter", "html", "rule"})  # kinds without phrases


class Phrase(NamedTuple):
    """A key phrase of a node: its text, where it stands, and its weight."""

    text: str
    spans: tuple[Range, ...]
    weight: float


def heights(tree: DocTree) -> list[int]:
    """For each node the levels down to its deepest leaf; 1 for a leaf."""
    found = [1] * len(tree)
    for i in range(len(tree) - 1, 0, -1):
        up = int(tree.parent[i])
        found[up] = max(found[up], found[i] + 1)
    return found


def budget_of(depth: int, height: int, below: int, growth: float = 2.0) -> int:
    """Key phrases of an inner node: MoDora's `ceil((depth + height - 1) / depth + g log2 S + 1)`.

    Grows with what is below by a logarithm, and towards the root (SIGMOD 2026, https://arxiv.org/abs/2602.23061).

    Args:
        depth: 1 at the root.
        height: levels down to the deepest leaf.
        below: S, key phrases of all children together.
        growth: g.
    """
    return math.ceil((depth + height - 1) / depth + growth * math.log2(max(below, 1)) + 1)


@dataclass(frozen=True, eq=False)
class Leading:
    """The sentences that the leaves of a tree put forward.

    Args:
        table: all sentences of the document.
        first: for each node the index of its first sentence.
        last: for each node one past the index of its last.
        held: leaf -> its best `PER_LEAF` sentences, in order.
    """

    table: Sentences
    first: list[int]
    last: list[int]
    held: Mapping[int, list[int]]


def leading(tree: DocTree) -> Leading:
    """Score every sentence against its own leaf, all at once."""
    leaves = tree.leaf_ids
    ranges = _tiled(list(zip(tree.start[leaves].tolist(), tree.end[leaves].tolist(), strict=True)))
    table = sentences_of(tree.document.text, ranges)
    first, last = np.searchsorted(table.start, tree.start), np.searchsorted(table.start, tree.end)
    held: dict[int, list[int]] = {}
    if len(table):
        owner = np.searchsorted(tree.start[leaves], table.start, side="right") - 1
        scores = table.scores(np.arange(len(table)), first[leaves][owner], last[leaves][owner])
        order = np.lexsort((np.arange(len(table)), -np.round(scores, 9), owner))
        rank = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
        strong = np.sort(order[rank < PER_LEAF])
        for sentence, leaf in zip(strong.tolist(), leaves[owner[strong]].tolist(), strict=True):
            held.setdefault(leaf, []).append(sentence)
    return Leading(table, first.tolist(), last.tolist(), held)


def key_sentences(
    tree: DocTree, lead: Leading, wanted: Collection[int], tokens: int, tokenizer: str = "cl100k"
) -> dict[int, tuple[Range, ...]]:
    """The sentences that stand for each wanted node, chosen among those that stand for its children.

    Args:
        tree: any tree.
        lead: what its leaves put forward.
        wanted: inner nodes; those below them are chosen for on the way.
        tokens: of a node's sentences together at most.
        tokenizer: whose tokens count.

    Returns:
        Node -> ordered ranges inside it; no entry where it holds nothing but blanks.
    """
    table, below = lead.table, tree.child_ids
    number = {a: i for i, a in enumerate(table.start.tolist())}
    needed = [False] * len(tree)
    for node in range(len(tree)):
        needed[node] = node in wanted or (node > 0 and needed[int(tree.parent[node])])
    held = dict(lead.held)
    found: dict[int, tuple[Range, ...]] = {}
    known: dict[int, int] = {}
    for node in range(len(tree) - 1, -1, -1):
        candidates = sorted({i for child in below[node] for i in held.get(child, ())}) if needed[node] else []
        if not candidates:
            continue
        chosen = pick(
            tree.document.text,
            table,
            np.array(candidates),
            lead.first[node],
            lead.last[node],
            tokens=tokens,
            tokenizer=tokenizer,
            known=known,
        )
        held[node] = [number[a] for a, _ in chosen]
        if node in wanted and chosen:
            found[node] = chosen
    return found


def key_phrases(tree: DocTree, lead: Leading, growth: float = 2.0) -> dict[int, list[Phrase]]:
    """The key phrases of each inner node, merged from its children under `budget_of`.

    A leaf puts forward the phrases of its best sentences. A phrase of a node weighs the sum of its weights in the
    children times the share of the children that have it.

    Args:
        tree: any tree.
        lead: what its leaves put forward.
        growth: as for `budget_of`.
    """
    below, high = tree.child_ids, heights(tree)
    depth = [1] * len(tree)
    for i in range(1, len(tree)):
        depth[i] = depth[int(tree.parent[i])] + 1
    skip = {i for i in tree.leaf_ids.tolist() if KINDS[int(tree.kind[i])] in SILENT}
    held: dict[int, list[Phrase]] = {}
    for node in range(len(tree) - 1, -1, -1):
        if not below[node]:
            if node in lead.held and node not in skip:
                held[node] = _of_leaf(tree, lead, node)
            continue
        named: dict[tuple[str, ...], list[Phrase]] = {}
        for child in below[node]:
            for one in held.get(child, ()):
                named.setdefault(tuple(terms(one.text)) or (one.text,), []).append(one)
        count = budget_of(depth[node], high[node], sum(len(held.get(c, ())) for c in below[node]), growth)
        merged = [_merged(same, len(below[node])) for same in named.values()]
        merged.sort(key=lambda one: (-round(one.weight, 9), one.spans))
        held[node] = merged[:count]
    return {node: held[node] for node in range(len(tree)) if below[node] and held.get(node)}


def _of_leaf(tree: DocTree, lead: Leading, leaf: int) -> list[Phrase]:
    """The phrases that the best sentences of a leaf have, as ranges of the document."""
    text, start, end = tree.document.text, lead.table.start, lead.table.end
    spans = [(int(start[i]), int(end[i])) for i in lead.held[leaf]]
    joined = "\n".join(text[a:b] for a, b in spans)
    at, shift = 0, []
    for a, b in spans:
        shift.append((at, a - at))
        at += b - a + 1
    found = []
    for one in keyphrases(joined, 0, len(joined), k=LEAF):
        places = []
        for a, b in one.spans[:PLACES]:
            by = next(move for begin, move in reversed(shift) if begin <= a)
            places.append((a + by, b + by))
        found.append(Phrase(text[slice(*places[0])], tuple(places), one.weight))
    return found


def _merged(same: Sequence[Phrase], children: int) -> Phrase:
    spans = sorted({span for one in same for span in one.spans})[:PLACES]
    return Phrase(same[0].text, tuple(spans), sum(one.weight for one in same) * len(same) / children)


def _tiled(ranges: list[Range]) -> list[Range]:
    """The ranges without overlaps."""
    found: list[Range] = []
    reached = 0
    for start, end in ranges:
        found.append((max(start, reached), max(end, reached)))
        reached = max(reached, end)
    return found
