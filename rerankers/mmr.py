"""Maximal marginal relevance: what is relevant and not yet said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError
from rag.models.embed import Embedder, adapt_embedder
from rag.stage import Field, stage
from rag.store.terms import ENGLISH, Analyzer
from rag.types import Drop, Hit, Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MMR", "choose", "lexical"]

NAME = "rerankers/mmr"


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

    def _similarity(self, texts: list[str]) -> NDArray[np.float64]:
        if self.embedder is None:
            return lexical([[t for t in self._analyzer.terms(text) if t not in ENGLISH] for text in texts])
        rows = self.embedder.embed(texts)
        return np.round(rows @ rows.T, 6).astype(np.float64)

    def __call__(self, hits: Hits, /) -> Hits:
        """The k hits chosen."""
        if not hits.items:
            return hits
        relevance = _unit([hit.score for hit in hits.items])
        similarity = np.maximum(self._similarity([hit.text for hit in hits.items]), 0.0)
        order, gains = choose(relevance, similarity, self.k, self.lam)
        kept = tuple(_marked(hits.items[i], gain) for i, gain in zip(order, gains, strict=True))
        rank = {i: place + 1 for place, i in enumerate(order)}
        drops = tuple(
            Drop(hit, NAME, _reason(similarity[i, order], self.k)) for i, hit in enumerate(hits.items) if i not in rank
        )
        return replace(hits, items=kept, drops=hits.drops + drops)


def _marked(hit: Hit, gain: float) -> Hit:
    return Hit(hit.tree, hit.node, hit.spans, gain, {**hit.scores, NAME: gain}, hit.why)


def _reason(similar: NDArray[np.float64], k: int) -> str:
    nearest = int(np.argmax(similar))
    return f"not among the {k} chosen; most like number {nearest + 1}, similarity {similar[nearest]:.2f}"


def _unit(scores: list[float]) -> NDArray[np.float64]:
    """Scores mapped to [0, 1]; all 1 where they are equal."""
    given = np.asarray(scores, dtype=np.float64)
    spread = float(given.max() - given.min())
    return (given - given.min()) / spread if spread > 0 else np.ones(len(given))


def choose(
    relevance: NDArray[np.float64], similarity: NDArray[np.float64], k: int, lam: float
) -> tuple[list[int], list[float]]:
    """The greedy choice of Carbonell and Goldstein 1998; ties go to the hit that came first.

    Args:
        relevance: (n,), higher is better.
        similarity: (n, n), of each pair.
        k: how many to choose.
        lam: share of relevance, in [0, 1].

    Returns:
        Indices in the order of choice, and the value of the formula at each.
    """
    nearest = np.zeros(len(relevance))  # similarity to the most similar hit chosen so far
    free = np.ones(len(relevance), dtype=bool)
    order: list[int] = []
    gains: list[float] = []
    for _ in range(min(k, len(relevance))):
        value = np.where(free, np.round(lam * relevance - (1 - lam) * nearest, 12), -np.inf)
        best = int(np.argmax(value))
        order.append(best)
        gains.append(float(value[best]))
        free[best] = False
        nearest = np.maximum(nearest, similarity[best])
    return order, gains


def lexical(bags: list[list[str]]) -> NDArray[np.float64]:
    """Cosine of tf-idf weights, (1 + log tf) * log(1 + n / df), of each pair of bags of terms.

    Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988. The weights know these bags
    alone. An empty bag is like nothing, itself included.

    Returns:
        float64 (n, n), in [0, 1].
    """
    counts = [Counter(bag) for bag in bags]
    found: Counter[str] = Counter(term for bag in counts for term in bag)
    column: dict[str, int] = {term: i for i, term in enumerate(sorted(found))}
    weights: Any = np.zeros((len(bags), max(len(column), 1)))
    for row, bag in enumerate(counts):
        for term, times in bag.items():
            weights[row, column[term]] = (1 + np.log(times)) * np.log1p(len(bags) / found[term])
    length = np.sqrt(np.einsum("ij,ij->i", weights, weights))
    weights /= np.where(length > 0, length, 1)[:, None]
    similarity: NDArray[np.float64] = np.clip(np.round(weights @ weights.T, 12), 0, 1)
    return similarity
