"""Order hits by their score and by where they stand: beside what, in which document, under which headings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.lexical import terms
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.stretch import stretched

__all__ = ["ContextAware", "document_mass", "heading_match", "spread"]

NAME = "rerankers/context-aware"
DIGITS = 9  # of a score; further ones are rounding and would break ties by chance
PARTS = ("own", "near", "document", "heading")
SHARP = 0.2  # how much the best hit of a document outweighs the others, in shares of the range of scores


@stage
class ContextAware:
    """Add to a hit's score what its neighbours, its document and its headings say for it.

    A passage cut from a document may name its subject only beside or above itself. EBCAR (Yuan et al., "Embedding-Based
    Context-Aware Reranker", 2025, https://arxiv.org/abs/2510.13329) lets candidates of one document attend to
    each other, by their vectors, document and position, with a trained network. This is what can be had of it without
    training, from scores alone. With the scores stretched to [0, 1] over the hits,

        score = own + near * sum over other hits of its document of own * exp(-distance / reach)
                    + document * mass of its document + heading * match of its headings,

    where distance is in leaves, the mass is a soft maximum of the scores of a document's hits, stretched to [0, 1]
    over the documents, and the match is the share of the question's weighted words that stand in title and
    headings. A document that is not among the hits counts nothing, so in a search of one document `document` has no
    effect.

    Measured (`python -m evals.reproduce context`, nDCG@10 of leaves, paired, sets that had no part in fixing the
    constants): behind BM25 +2.5 (+1.8 to +3.2) points over 868 questions, behind BM25 fused with bge-small +1.6
    (+0.8 to +2.4); most on meetings (+3.4 (+2.2 to +4.6) behind the fusion) and on contracts when all are searched
    (+2.7 (+1.0 to +4.5)). On passages of conversations' pages and on single facts of encyclopaedia and science it
    adds nothing (no interval excludes zero). 100 candidates cost about a millisecond.

    A network like the paper's, a hundredth of its size, was trained on open sets (`evals/training/context.py`). On sets
    it never saw it is 6.1 points (4.2 to 7.9) behind this form, so no weights are shipped (`python -m evals.reproduce
    context-trained`).

    Args:
        hits: n >= 0, in any order; a score that is no number counts as the lowest, an infinite one as the outermost.

    Returns:
        min(n, k) of the same hits, best first, ties by document and place; `why` names the parts of the score. Scores
        that are all multiplied by a positive number, or moved, give the same.
    """

    near: float = Field(default=0.2, ge=0, description="weight of other hits close by in the document")
    reach: float = Field(default=2.0, gt=0, description="leaves over which that weight falls to a third")
    document: float = Field(default=0.2, ge=0, description="weight of how well the whole document does")
    heading: float = Field(default=0.4, ge=0, description="weight of the question's words in title and headings")
    k: int = Field(default=10, ge=1, description="hits kept")

    def __call__(self, hits: Hits, /) -> Hits:
        """Add up, order, cut."""
        if not hits.items:
            return hits
        keys = [(hit.key, hit.spans) for hit in hits.items]
        items = [hits.items[i] for i in sorted(range(len(hits)), key=keys.__getitem__)]  # sums in one order
        own = stretched(hit.score for hit in items)
        names: dict[str, int] = {}
        docs = np.array([names.setdefault(hit.doc, len(names)) for hit in items])
        parts = np.stack(
            (
                own,
                self.near * spread(own, docs, _places(items, docs), self.reach),
                self.document * document_mass(own, docs)[docs],
                self.heading * heading_match(hits.query.text, _above(items)),
            )
        )
        total = np.round(parts.sum(axis=0), DIGITS)
        order = np.argsort(-total, kind="stable").tolist()
        kept = tuple(_marked(items[i], float(total[i]), parts[:, i].tolist()) for i in order[: self.k])
        drops = [Drop(items[i], NAME, f"rank {r} > k={self.k}") for r, i in enumerate(order[self.k :], self.k + 1)]
        return replace(hits, items=kept, drops=(*hits.drops, *drops))


def _marked(hit: Hit, score: float, parts: Sequence[float]) -> Hit:
    why = ", ".join(f"{name} {value:.2f}" for name, value in zip(PARTS, parts, strict=True) if value)
    return Hit(hit.tree, hit.node, hit.spans, score, {**hit.scores, NAME: score}, why)


def spread(
    own: NDArray[np.float64], docs: NDArray[np.int64], places: NDArray[np.int64], reach: float
) -> NDArray[np.float64]:
    """For each hit the scores of the other hits of its document, each weighed by `exp(-distance / reach)`.

    Args:
        own: float64 (n,).
        docs: int64 (n,), whose hit each is.
        places: int64 (n,), in leaves.
        reach: in leaves.
    """
    weight = np.exp(-np.abs(places[:, None] - places[None, :]) / reach) * (docs[:, None] == docs[None, :])
    np.fill_diagonal(weight, 0.0)
    found: NDArray[np.float64] = np.einsum("ij,j->i", weight, own)
    return found


def document_mass(own: NDArray[np.float64], docs: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 (d,), the soft maximum of each document's scores, stretched to [0, 1]; 0 where all are equal."""
    mass = SHARP * np.log(np.bincount(docs, weights=np.exp(own / SHARP)))
    low, high = float(mass.min()), float(mass.max())
    return (mass - low) / (high - low) if high - low > 1e-12 else np.zeros(len(mass))


def heading_match(question: str, above: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """float64 (n,), in [0, 1]: the share of the question's words that stand above each hit.

    A word weighs the more the fewer hits have it above them (BM25's weight: Robertson and Zaragoza, 2009).

    Args:
        question: any text.
        above: the words of title and headings of each of n hits.
    """
    wanted = sorted(set(terms(question)))
    stands = np.array([[word in bag for word in wanted] for bag in above], dtype=np.float64).reshape(len(above), -1)
    many = stands.sum(axis=0)
    weight = np.log1p((len(above) - many + 0.5) / (many + 0.5))
    whole = float(weight.sum())
    match: NDArray[np.float64] = np.einsum("ij,j->i", stands, weight / whole) if whole else np.zeros(len(above))
    return match


def _places(items: Sequence[Hit], docs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The leaves before each hit's node in its document; hits of one document stand together."""
    nodes = np.array([hit.node for hit in items], dtype=np.int64)
    edges = [0, *(np.flatnonzero(np.diff(docs)) + 1).tolist(), len(items)]
    found = [np.searchsorted(items[low].tree.leaf_ids, nodes[low:high]) for low, high in itertools.pairwise(edges)]
    return np.concatenate(found)


def _above(items: Sequence[Hit]) -> list[frozenset[str]]:
    """The words of title and headings above each hit; a section's are put together once."""
    known: dict[tuple[str, int], frozenset[str]] = {}
    found = []
    for hit in items:
        tree, doc, node = hit.tree, hit.doc, hit.node
        way: list[int] = []
        while node >= 0 and (doc, node) not in known:
            way.append(node)
            node = int(tree.parent[node])
        bag = known[doc, node] if node >= 0 else _words(tree.document.title)
        for one in reversed(way):
            start, end = tree.titles[one].tolist()
            bag = bag | _words(tree.document.text[start:end]) if end > start else bag
            known[doc, one] = bag
        found.append(bag)
    return found


@lru_cache(maxsize=1 << 14)
def _words(title: str) -> frozenset[str]:
    return frozenset(terms(title))
