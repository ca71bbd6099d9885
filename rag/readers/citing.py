"""Evidence of an answer as a context: one hit a leaf, as many as a budget holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from rag.doctree import DocTree
from rag.readers.render import rendered
from rag.trees.rationale import Evidence
from rag.types import Hit

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer

__all__ = ["cited_hits", "fitting"]


def cited_hits(by_doc: Mapping[str, DocTree], evidence: Iterable[Evidence], stage: str) -> tuple[Hit, ...]:
    """One hit a leaf, holding its quotations, in the order of the documents and of their text.

    Args:
        by_doc: document id -> tree, in the order wanted.
        evidence: quotations, in any order; those that overlap are joined.
        stage: name under which the weights are kept.
    """
    found: dict[tuple[int, int], list[Evidence]] = {}
    order = {doc: i for i, doc in enumerate(by_doc)}
    for one in evidence:
        tree = by_doc[one.span.doc]
        leaf = int(np.searchsorted(tree.start[tree.leaf_ids], one.span.start, side="right")) - 1
        found.setdefault((order[one.span.doc], int(tree.leaf_ids[leaf])), []).append(one)
    hits = []
    trees = list(by_doc.values())
    for (doc, node), rows in sorted(found.items(), key=lambda pair: (pair[0][0], min(e.span for e in pair[1]))):
        spans: list[list[int]] = []
        for start, end in sorted({(e.span.start, e.span.end) for e in rows}):
            if spans and start < spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([start, end])
        best = max(e.weight for e in rows)
        hits.append(
            Hit(trees[doc], node, tuple((a, b) for a, b in spans), best, {stage: best}, "evidence of the answer")
        )
    return tuple(hits)


def fitting(context: Callable[[int], tuple[Hit, ...]], most: int, budget: int, tokenizer: Tokenizer) -> int:
    """How many pieces from the front a budget holds.

    Args:
        context: number of pieces -> the context they make.
        most: pieces there are.
        budget: tokens of the rendered context; never exceeded.
        tokenizer: counts them.
    """
    low, high = 0, most
    while low < high:  # a rendering grows with what it holds, up to a join; what is returned was counted itself
        middle = (low + high + 1) // 2
        if rendered(context(middle), tokenizer).tokens <= budget:
            low = middle
        else:
            high = middle - 1
    return low
