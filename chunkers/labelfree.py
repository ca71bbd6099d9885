"""How good the chunks of a document look without any question: four scores between 0 and 1, all linear in the text.

De Moura Junior et al., "Adaptive Chunking" (ekimetrics/adaptive-chunking, LREC 2026), four of its five scores; the
fifth needs a coreference model. Departures: a sentence is held against the rest of its chunk, not against a chunk
that holds it, or chunks of one sentence would score 1; a chunk against what stands around it without itself, for the
same reason; blocks longer than the largest size, which no chunker may keep whole, do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chunkers.scaffold import blocks_of
from chunkers.vectors import embedded
from rag.models.tokens import counter
from rag.sentences import sentence_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree
    from rag.models.embed import Embedder
    from rag.types import Document

__all__ = ["Material", "Scores", "material", "scores"]

AROUND = 6_000  # characters on either side of a chunk that make its surroundings, about 1,500 tokens
LONGEST = 4_000  # characters of a sentence that are embedded
WINDOW = 8_192  # sentences that are compared at once: bounds memory
SLACK = 5  # characters at a block's ends that may be cut off


class Scores(NamedTuple):
    """Each between 0 and 1, higher is better.

    Args:
        size: share of the document's tokens in chunks of an allowed size.
        cohesion: mean cosine of a sentence to the rest of its chunk; 0 for one that is alone.
        coherence: mean cosine of a chunk to what stands around it; 1 where nothing does.
        integrity: share of the blocks that no cut divides; 1 where there are none.
    """

    size: float
    cohesion: float
    coherence: float
    integrity: float

    @property
    def mean(self) -> float:
        """Of the four."""
        return round(sum(self) / len(self), 6)


class Material(NamedTuple):
    """What every chunker of a document is judged by.

    Args:
        at: int64 (n,), first code point of each sentence.
        sums: float64 (n + 1, d), sums of the sentences' vectors, each of length 1 or 0.
        blocks: int64 (m, 2), the blocks of at most the largest size.
    """

    at: NDArray[np.int64]
    sums: NDArray[np.float64]
    blocks: NDArray[np.int64]


def material(document: Document, embedder: Embedder, most: int, tokenizer: str) -> Material:
    """Sentences, their vectors, and the blocks of a document that is not empty."""
    text = document.text
    spans = [(a, b) for a, b in sentence_spans(text) if text[a:b].strip()]
    rows = embedded(embedder, [text[a : min(b, a + LONGEST)] for a, b in spans]) if spans else np.zeros((0, 1))
    sums = np.concatenate((np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)))
    blocks = blocks_of(document)
    counts = counter(tokenizer).counts(
        [text[a:b] for a, b in zip(blocks.start.tolist(), blocks.end.tolist(), strict=True)]
    )
    pairs = np.stack((blocks.start, blocks.end), axis=1)[np.array(counts, dtype=np.int64) <= most]
    return Material(np.array([a for a, _ in spans], dtype=np.int64), sums, pairs)


def scores(tree: DocTree, known: Material, least: int, most: int) -> Scores:
    """The four scores of one chunker's tree.

    Args:
        tree: of the document that `known` is made of; its leaves tile the text or overlap.
        known: see `material`.
        least: tokens of an allowed chunk, at least; a document with fewer is one chunk.
        most: at most.
    """
    leaves = tree.leaf_ids
    start, end, tokens = tree.start[leaves], tree.end[leaves], _tokens(tree, leaves)
    allowed = (tokens <= most) & ((tokens >= least) | (len(leaves) == 1))
    size = float(tokens[allowed].sum() / max(tokens.sum(), 1))
    low, high = np.searchsorted(known.at, start), np.searchsorted(known.at, end)
    own = known.sums[high] - known.sums[low]
    cohesion = _cohesion(known.sums, low, high)
    first = np.searchsorted(known.at, start - AROUND)
    last = np.searchsorted(known.at, end + AROUND)
    around = known.sums[last] - known.sums[first] - own
    lonely = (last - first) == (high - low)
    coherence = np.where(lonely, 1.0, _cosine(own, around))[high > low]
    whole = np.ones(len(known.blocks), dtype=bool)
    if len(known.blocks):
        cuts = np.sort(start[1:])
        begin = np.searchsorted(cuts, known.blocks[:, 0] + SLACK, side="right")
        whole = begin == np.searchsorted(cuts, known.blocks[:, 1] - SLACK)
        whole |= known.blocks[:, 1] - known.blocks[:, 0] <= 2 * SLACK
    return Scores(round(size, 6), cohesion, _mean(coherence), _mean(whole.astype(np.float64)))


def _cohesion(sums: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64]) -> float:
    """Mean cosine of a sentence to the rest of its chunk, `WINDOW` sentences at a time; 1 where there are none."""
    total, count = 0.0, int((high - low).sum())
    before = np.cumsum(high - low) - (high - low)
    for at in range(0, count, WINDOW):
        places = np.arange(at, min(at + WINDOW, count))
        chunk = np.searchsorted(before, places, side="right") - 1
        which = low[chunk] + places - before[chunk]
        each = sums[which + 1] - sums[which]
        total += float(_cosine(each, sums[high[chunk]] - sums[low[chunk]] - each).sum())
    return round(total / count, 6) if count else 1.0


def _tokens(tree: DocTree, leaves: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = tree.tokens[leaves].astype(np.int64)
    if np.any(counts < 0):
        text: Sequence[str] = [leaf.text for leaf in tree.leaves()]
        counts = np.array(counter(tree.tokenizer or "cl100k").counts(text), dtype=np.int64)
    return counts


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each pair of rows, 0 where one has no direction, never below 0."""
    lengths = np.sqrt(np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other))
    real = lengths > 1e-9
    dots = np.einsum("ij,ij->i", one, other)
    found: NDArray[np.float64] = np.clip(np.where(real, dots / np.where(real, lengths, 1.0), 0.0), 0.0, 1.0)
    return found


def _mean(values: NDArray[np.float64]) -> float:
    return round(float(values.mean()), 6) if len(values) else 1.0
