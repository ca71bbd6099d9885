"""Trees of documents held against the structure their loader saw: cuts, blocks and headings.

The reference is the blocks of each document: a block begins where a good cut may lie, and headings make the
gold outline. Scores are a document each and averaged with intervals; a document without what a score needs is
left out of that score, and `n` says how many were not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evals import stats
from evals.metrics import cuts
from evals.metrics.outline import Outline, distance, exact, outline
from rag.doctree import DocTree
from rag.sentences import sentence_spans
from rag.types import Block

__all__ = ["Structure", "gold_outline", "measure", "score_tree", "tree_outline"]

WHOLE = frozenset({"table", "code", "list", "text", "quote"})  # blocks one likes to see in one chunk


@dataclass(frozen=True)
class Structure:
    """What `measure` found.

    Args:
        scores: name -> value, low, high, n.
        sizes: of all chunks together, in tokens; of those that were counted.
    """

    scores: dict[str, dict[str, Any]]
    sizes: cuts.Sizes


def gold_outline(blocks: Iterable[Block]) -> Outline:
    """The outline of the headings among a loader's blocks; a heading's label is where its text begins."""
    return outline([(block.level, block.inner[0]) for block in blocks if block.kind == "heading"])


def tree_outline(tree: DocTree) -> Outline:
    """The outline of the titled sections of a tree; labels as in `gold_outline`."""
    titled = [i for i in range(len(tree)) if tree.titles[i, 1] > tree.titles[i, 0]]
    return outline([(int(tree.level[i]), int(tree.titles[i, 0])) for i in titled])


def score_tree(tree: DocTree, blocks: Sequence[Block], *, cap: int | None = None) -> dict[str, float]:
    """Scores of one document; those that do not apply are not there.

    Args:
        tree: as the chunker and growers made it.
        blocks: as the loader saw the document.
        cap: characters of the largest chunk; larger blocks cannot be whole and are not counted.

    Returns:
        `boundary_f1`, `pk` and `window_diff` in units of sentences, `integrity` of blocks, and for headings
        `ted` (edit distance) and `exact`.
    """
    found: dict[str, float] = {}
    leaves = [(leaf.start, leaf.end) for leaf in tree.leaves()]
    begins = [start for start, _ in sentence_spans(tree.document.text)]
    if len(begins) > 1 and len(blocks) > 1:
        said, gold = _borders([s for s, _ in leaves], begins), _borders([b.start for b in blocks], begins)
        found["boundary_f1"] = cuts.boundary_f1(said, gold)
        found["pk"] = cuts.pk(said, gold, len(begins))
        found["window_diff"] = cuts.window_diff(said, gold, len(begins))
    text = tree.document.text
    ranges = [(b.start, b.start + len(text[b.start : b.end].rstrip())) for b in blocks if b.kind in WHOLE]
    whole = cuts.integrity(leaves, [r for r in ranges if cap is None or r[1] - r[0] <= cap])
    if whole is not None:
        found["integrity"] = whole
    gold_tree = gold_outline(blocks)
    if gold_tree.below:
        mine = tree_outline(tree)
        found["ted"], found["exact"] = float(distance(mine, gold_tree)), exact(mine, gold_tree)
    return found


def _borders(offsets: Iterable[int], begins: Sequence[int]) -> list[int]:
    """How many sentences begin before each offset; the ends of the text are no borders."""
    places = {bisect_left(begins, offset) for offset in offsets}
    return sorted(p for p in places if 0 < p < len(begins))


def measure(pairs: Iterable[tuple[DocTree, Sequence[Block]]], *, cap: int | None = None, seed: int = 0) -> Structure:
    """Score many documents.

    Args:
        pairs: each document's tree, and its blocks as its loader saw them.
        cap: as for `score_tree`.
        seed: of the bootstrap.
    """
    columns: dict[str, list[float]] = {}
    tokens: list[int] = []
    for tree, blocks in pairs:
        for name, value in score_tree(tree, blocks, cap=cap).items():
            columns.setdefault(name, []).append(value)
        counted = tree.tokens[tree.leaf_ids]
        tokens += counted[counted >= 0].tolist()
    scores = {name: stats.interval(values, seed=seed)._asdict() for name, values in columns.items()}
    return Structure(scores, cuts.sizes(tokens))
