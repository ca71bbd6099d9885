"""What frameworks find, as our hits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rag.types import Hits, Query

if TYPE_CHECKING:
    from rag.models.embed import Embedder
    from rag.store.corpus import Corpus, Part

__all__ = ["asked_for", "hits", "save_vectors"]


def asked_for(corpus: Corpus, query: Query, k: int) -> int:
    """How many to ask a framework for: all where scope or filters leave some out, for it does not know them."""
    return len(corpus) if query.restricted else min(k, len(corpus))


def hits(corpus: Corpus, query: Query, found: Iterable[tuple[int, float]], k: int, name: str) -> Hits:
    """The k best leaves that the question may use, best first, ties in index order."""
    mask = corpus.mask(query)
    best = sorted((-score, leaf) for leaf, score in found if mask is None or mask[leaf])[:k]
    leaves = np.array([leaf for _, leaf in best], dtype=np.int64)
    return Hits(query, corpus.hits(leaves, np.array([-score for score, _ in best], dtype=np.float64), name))


def save_vectors(corpus: Corpus, part: Part, embedder: Embedder, *, path: bool) -> None:
    """Embed every leaf, new ones only where the part is rebuilt, and keep the vectors."""
    vectors = np.zeros((len(corpus), embedder.dim), dtype=np.float32)
    new = np.arange(len(corpus))
    if part.old is not None:
        kept = np.flatnonzero(corpus.reuse >= 0)
        vectors[kept] = part.old.load("vectors")[corpus.reuse[kept]]
        new = np.flatnonzero(corpus.reuse < 0)
    if len(new):
        vectors[new] = embedder.embed(list(corpus.texts(new, path=path)))
    part.save("vectors", vectors)
