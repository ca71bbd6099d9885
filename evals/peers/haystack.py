"""Retrieval of haystack, over our leaves and with our embedder."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any, ClassVar

from pydantic import SkipValidation

from evals.peers.found import asked_for, hits, save_vectors
from rag.models.embed import Embedder, adapt_embedder
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import clean
from rag.optional import require
from rag.stage import Field, stage
from rag.store.corpus import Corpus, Part, Store
from rag.store.parts import bound_to, part_key, store_of
from rag.types import Hits, Query

__all__ = ["HaystackBM25", "HaystackEmbedding"]

BM25, EMBEDDING = "retrievers/haystack-bm25", "retrievers/haystack-embedding"


def _documents(store: Store, by: str, *, path: bool, vectors: Any = None) -> Any:
    """A store of haystack's with a document a leaf; haystack's reports home are switched off first."""
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    require("haystack", extra="peers", by=by)
    from haystack import Document as Source
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    documents = [
        Source(id=str(leaf), content=clean(text), embedding=None if vectors is None else vectors[leaf].tolist())
        for leaf, text in enumerate(store.corpus.texts(path=path))
    ]
    memory = InMemoryDocumentStore(embedding_similarity_function="cosine", shared=False, return_embedding=False)
    memory.write_documents(documents)
    return memory


@stage
class HaystackBM25:
    """haystack's `InMemoryBM25Retriever` with its defaults: BM25L over words, no stems and no stop words.

    Its store is filled at the first question. A leaf that shares no word with the question is no hit.

    Args:
        query: where scope or filters leave leaves out, all are asked for and those are skipped.

    Returns:
        At most k leaves, best first, ties in index order.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("path",)

    k: int = Field(default=100, ge=1, description="hits returned")
    path: bool = Field(default=True, description="index the title and the headings above a leaf with it")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing is kept but a mark that it was built."""
        part.save_json("leaves", len(corpus))

    def bind(self, store: Store, /) -> HaystackBM25:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _finder(self) -> Any:
        memory = _documents(store_of(self, BM25), BM25, path=self.path)
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever

        return InMemoryBM25Retriever(memory)

    def __call__(self, query: Query, /) -> Hits:
        """The k best leaves."""
        corpus = store_of(self, BM25).corpus
        if not len(corpus) or not query.text.strip():
            return Hits(query)
        given = self._finder.run(query=clean(query.text), top_k=asked_for(corpus, query, self.k))
        found = [(int(one.id), float(one.score)) for one in given["documents"]]
        return hits(corpus, query, found, self.k, BM25)


@stage
class HaystackEmbedding:
    """haystack's `InMemoryEmbeddingRetriever`, by cosine.

    Vectors are made when the index is built; haystack's own store is filled from them at the first question.

    Args:
        query: where scope or filters leave leaves out, all are asked for and those are skipped.

    Returns:
        At most k leaves, highest cosine first, ties in index order.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("embedder", "path")

    embedder: SkipValidation[Embedder] = Field(
        default_factory=OnnxEmbedder, description="an embedder, or llama-index's"
    )
    k: int = Field(default=100, ge=1, description="hits returned")
    path: bool = Field(default=True, description="embed the title and the headings above a leaf with it")

    def __post_init__(self) -> None:
        if not callable(getattr(type(self.embedder), "embed", None)):
            object.__setattr__(self, "embedder", adapt_embedder(self.embedder))

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Embed the leaves."""
        save_vectors(corpus, part, self.embedder, path=self.path)

    def bind(self, store: Store, /) -> HaystackEmbedding:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _finder(self) -> Any:
        store = store_of(self, EMBEDDING)
        memory = _documents(store, EMBEDDING, path=self.path, vectors=store.part(part_key(self)).load("vectors"))
        from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever

        return InMemoryEmbeddingRetriever(memory)

    def __call__(self, query: Query, /) -> Hits:
        """The k nearest leaves."""
        corpus = store_of(self, EMBEDDING).corpus
        if not len(corpus) or not query.text.strip():
            return Hits(query)
        asked = self.embedder.embed([query.text], query=True)[0].tolist()
        given = self._finder.run(query_embedding=asked, top_k=asked_for(corpus, query, self.k))
        found = [(int(one.id), float(one.score)) for one in given["documents"]]
        return hits(corpus, query, found, self.k, EMBEDDING)
