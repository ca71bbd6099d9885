"""Maximal marginal relevance: what is relevant and not yet said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError
from rag.models.embed import Embedder, adapt_embedder
from rag.stage import Field, stage
from rag.store.terms import ENGLISH, Analyzer
from rag.types import Drop, Hit, Hits
from rerankers.stretch import stretched

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MMR", "choose", "lexical"]

NAME = "rerankers/mmr"
DIGITS = 9  # of a value of the formula; further ones are rounding and would break ties by chance


@stage
class MMR:
    """Choose hits one by one: the most relevant first, then those that differ most from the chosen.

    Carbonell and Goldstein, SIGIR 1998, https://doi.org/10.1145/290941.291025:
    the next hit maximises `lam * relevance - (1 - lam) * max(similarity to each chosen hit)`. Departures: relevance is
    the hit's score mapped to [0, 1] within the list, so that any retriever or ranker before it decides what is
    relevant; before the first choice the second term is 0. The maximum is taken over every chosen hit. Similarity is
    the cosine of the embedder's vectors, or of tf-idf weights over these hits alone where there is no embedder;
    negative cosines count as 0.

    Args:
        hits: n >= 0, best first.

    Returns:
        min(n, k) of the same hits in the order of choice; `score` is the value of the formula. The others are drops.
    """

    k: int = Field(default=10, ge=1, description="hits kept")
    lam: float = Field(default=0.7, ge=0, le=1, description="1: relevance alone; 0: difference alone")
    embedder: SkipValidation[Embedder | None] = Field(default=None, description="whose vectors to compare; else words")

    def __post_init__(self) -> None:
        """Check by name only: reading an embedder's properties would open its weights."""
        kind = type(self.embedder)
        if self.embedder is not None and not callable(getattr(kind, "embed", None)):
            if not callable(getattr(kind, "get_text_embedding_batch", None)):
                raise ConfigError(
                    f"{NAME}: embedder: must be an embedder such as {{use: embedders/onnx}} or a llama-index"
                    f" BaseEmbedding, got {kind.__name__}. Drop it to compare words."
                )
            object.__setattr__(self, "embedder", adapt_embedder(self.embedder))

    @cached_property
    def _analyzer(self) -> Analyzer:
        return Analyzer()

    def _rows(self, texts: list[str]) -> NDArray[np.float64]:
        if self.embedder is None:
            return lexical([[t for t in self._analyzer.terms(text) if t not in ENGLISH] for text in texts])
        return self.embedder.embed(texts).astype(np.float64)

    def __call__(self, hits: Hits, /) -> Hits:
        """The k hits chosen."""
        if not hits.items:
            return hits
        order, gains, similarity = choose(
            stretched(hit.score for hit in hits.items), self._rows([hit.text for hit in hits.items]), self.k, self.lam
        )
        kept = tuple(_marked(hits.items[i], gain) for i, gain in zip(order, gains, strict=True))
        left = sorted(set(range(len(hits))).difference(order))
        drops = tuple(Drop(hits.items[i], NAME, _reason(similarity[:, i], self.k)) for i in left)
        return replace(hits, items=kept, drops=hits.drops + drops)


def _marked(hit: Hit, gain: float) -> Hit:
    return Hit(hit.tree, hit.node, hit.spans, gain, {**hit.scores, NAME: gain}, hit.why)


def _reason(similar: NDArray[np.float64], k: int) -> str:
    nearest = int(np.argmax(similar))
    return f"not among the {k} chosen; most like number {nearest + 1}, similarity {similar[nearest]:.2f}"


def choose(
    relevance: NDArray[np.float64], rows: NDArray[np.float64], k: int, lam: float
) -> tuple[list[int], list[float], NDArray[np.float64]]:
    """The greedy choice of Carbonell and Goldstein 1998; ties go to the hit that came first.

    Args:
        relevance: (n,), higher is better.
        rows: (n, d), of length 1 or 0; a dot product below 0 counts as 0.
        k: how many to choose, at least 1.
        lam: share of relevance, in [0, 1].

    Returns:
        Indices in the order of choice, m = min(n, k); the value of the formula at each; and float64
        (m, n), the similarity of each chosen hit to every hit.
    """
    nearest = np.zeros(len(relevance))  # similarity to the most similar hit chosen so far
    free = np.ones(len(relevance), dtype=bool)
    order: list[int] = []
    gains: list[float] = []
    similarity: list[NDArray[np.float64]] = []
    for _ in range(min(k, len(relevance))):
        value = np.where(free, np.round(lam * relevance - (1 - lam) * nearest, DIGITS), -np.inf)
        best = int(np.argmax(value))
        # not BLAS: its threads cost more than this, and its last digits depend on where a row stands
        like = np.maximum(np.einsum("ij,j->i", rows, rows[best]), 0.0)
        order.append(best)
        gains.append(float(value[best]))
        similarity.append(like)
        free[best] = False
        nearest = np.maximum(nearest, like)
    return order, gains, np.array(similarity)


def lexical(bags: list[list[str]]) -> NDArray[np.float64]:
    """Rows of tf-idf weights, (1 + log tf) * log(1 + n / df), scaled to length 1.

    Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988. The weights know
    these bags alone. An empty bag is a row of zeros, like nothing.

    Returns:
        float64 (n, v), v being the distinct terms.
    """
    counts = [Counter(bag) for bag in bags]
    found = Counter(term for bag in counts for term in bag)
    column = {term: i for i, term in enumerate(sorted(found))}
    row = np.repeat(np.arange(len(bags)), [len(bag) for bag in counts])
    place = np.array([column[term] for bag in counts for term in bag], dtype=np.int64)
    times = np.array([n for bag in counts for n in bag.values()], dtype=np.float64)
    spread = np.array([found[term] for term in column], dtype=np.float64)
    weight = (1 + np.log(times)) * np.log1p(len(bags) / spread[place])
    length = np.sqrt(np.bincount(row, weights=weight**2, minlength=len(bags)))
    rows = np.zeros((len(bags), len(column)))
    rows[row, place] = weight / length[row]
    return rows
