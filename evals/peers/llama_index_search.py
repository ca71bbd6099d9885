"""Retrieval of llama-index, over our leaves and with our embedder."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from pydantic import SkipValidation

from evals.peers.found import asked_for, hits, save_vectors
from rag.models.embed import Embedder, adapt_embedder, to_llama_index
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import clean
from rag.optional import require
from rag.stage import Field, stage
from rag.store.corpus import Corpus, Part, Store
from rag.store.parts import bound_to, part_key, store_of
from rag.types import Hits, Query

__all__ = ["LlamaIndexBM25", "LlamaIndexVector"]


@stage
class LlamaIndexVector:
    """llama-index's `VectorStoreIndex` in memory, asked through its retriever.

    Vectors are made when the index is built; llama-index's own store is filled from them at the first question.

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

    def bind(self, store: Store, /) -> LlamaIndexVector:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _index(self) -> Any:
        from llama_index.core import VectorStoreIndex
        from llama_index.core.schema import TextNode

        store = store_of(self, "retrievers/llama-index-vector")
        vectors = store.part(part_key(self)).load("vectors")
        texts = store.corpus.texts(path=self.path)
        nodes = [
            TextNode(id_=str(leaf), text=clean(text), embedding=vectors[leaf].tolist())
            for leaf, text in enumerate(texts)
        ]
        return VectorStoreIndex(nodes=nodes, embed_model=to_llama_index(self.embedder))

    def __call__(self, query: Query, /) -> Hits:
        """The k nearest leaves."""
        corpus = store_of(self, "retrievers/llama-index-vector").corpus
        if not len(corpus) or not query.text.strip():
            return Hits(query)
        finder = self._index.as_retriever(similarity_top_k=asked_for(corpus, query, self.k))
        found = [(int(one.node.node_id), float(one.score)) for one in finder.retrieve(clean(query.text))]
        return hits(corpus, query, found, self.k, "retrievers/llama-index-vector")


@stage
class LlamaIndexBM25:
    """llama-index's `BM25Retriever` with its defaults: bm25s, English stems and stop words, words of two letters.

    Its index is made at the first question. A leaf that shares no word with the question is no hit.

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

    def bind(self, store: Store, /) -> LlamaIndexBM25:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        """The retriever, and its tokenizer's library."""
        library = require("llama_index.retrievers.bm25", extra="peers", by="retrievers/llama-index-bm25")
        from llama_index.core.schema import TextNode

        corpus = store_of(self, "retrievers/llama-index-bm25").corpus
        nodes = [TextNode(id_=str(leaf), text=clean(text)) for leaf, text in enumerate(corpus.texts(path=self.path))]
        return library.BM25Retriever, library.BM25Retriever(nodes=nodes, similarity_top_k=len(nodes))

    def __call__(self, query: Query, /) -> Hits:
        """The k best leaves."""
        corpus = store_of(self, "retrievers/llama-index-bm25").corpus
        if not len(corpus) or not query.text.strip():
            return Hits(query)
        kind, whole = self._parts
        finder = kind(existing_bm25=whole.bm25, similarity_top_k=asked_for(corpus, query, self.k))
        finder.corpus = whole.corpus
        nodes = finder.retrieve(clean(query.text))
        found = [(int(one.node.node_id), float(one.score)) for one in nodes if one.score > 0]
        return hits(corpus, query, found, self.k, "retrievers/llama-index-bm25")
