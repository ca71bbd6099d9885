"""Splitters of chonkie; they say where a chunk begins, and that is checked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SkipValidation

from evals.peers.anchor import Bpe, encoding, tree
from rag.doctree import DocTree
from rag.models.embed import Embedder, adapt_embedder
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import clean
from rag.optional import require
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ChonkieRecursive", "ChonkieSemantic", "ChonkieSentence", "ChonkieToken"]


def _library(by: str) -> Any:
    return require("chonkie", extra="peers", by=by)


def _cut(splitter: Any, document: Document, tokenizer: str, overlap: int = 0) -> DocTree:
    text = clean(document.text)
    chunks = splitter.chunk(text) if text.strip() else []
    return tree(document, [(chunk.text, chunk.start_index) for chunk in chunks], tokenizer, overlap)


@stage
class ChonkieRecursive:
    """Paragraphs, sentences, clauses, words, tokens, in that order: chonkie's `RecursiveChunker`.

    Returns:
        A tree of one level.
    """

    size: int = Field(default=256, ge=8, description="tokens of a chunk")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _splitter(self) -> Any:
        return _library("chunkers/chonkie-recursive").RecursiveChunker(encoding(self.tokenizer), self.size)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        return _cut(self._splitter, document, self.tokenizer)


@stage
class ChonkieSentence:
    """Sentences merged up to a size: chonkie's `SentenceChunker`; a long sentence stays whole, over the size.

    Returns:
        A tree of one level.
    """

    size: int = Field(default=256, ge=8, description="tokens of a chunk")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _splitter(self) -> Any:
        return _library("chunkers/chonkie-sentence").SentenceChunker(encoding(self.tokenizer), self.size)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        return _cut(self._splitter, document, self.tokenizer)


@stage
class ChonkieToken:
    """Windows of a fixed number of tokens: chonkie's `TokenChunker`.

    Returns:
        A tree of one level; with an overlap the leaves overlap.
    """

    size: int = Field(default=256, ge=8, description="tokens of a window")
    overlap: int = Field(default=0, ge=0, description="tokens that neighbours share")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be < size, got {self.overlap} >= {self.size}")

    @cached_property
    def _splitter(self) -> Any:
        return _library("chunkers/chonkie-token").TokenChunker(encoding(self.tokenizer), self.size, self.overlap)

    def __call__(self, document: Document, /) -> DocTree:
        """The windows of a document."""
        return _cut(self._splitter, document, self.tokenizer, self.overlap)


@stage
class ChonkieSemantic:
    """Cuts where a sentence is unlike the ones before: chonkie's `SemanticChunker`, with an embedder of ours.

    Returns:
        A tree of one level.
    """

    embedder: SkipValidation[Embedder] = Field(
        default_factory=OnnxEmbedder, description="an embedder, or llama-index's"
    )
    size: int = Field(default=256, ge=8, description="tokens of a chunk, at most")
    threshold: float = Field(default=0.8, gt=0, lt=1, description="similarity below which there may be a cut")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _splitter(self) -> Any:
        library = _library("chunkers/chonkie-semantic")
        model = _bridge()(adapt_embedder(self.embedder), encoding(self.tokenizer))
        return library.SemanticChunker(embedding_model=model, threshold=self.threshold, chunk_size=self.size)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        return _cut(self._splitter, document, self.tokenizer)


@cache
def _bridge() -> Any:
    """Our embedders in chonkie's clothes; the class is made when chonkie is first needed."""
    from chonkie.embeddings import BaseEmbeddings

    class RagtreeEmbeddings(BaseEmbeddings):
        """Asks one of our embedders."""

        def __init__(self, embedder: Embedder, tokens: Any) -> None:
            super().__init__()
            self._embedder, self._tokens = embedder, tokens

        def embed(self, text: str) -> NDArray[np.float32]:
            row: NDArray[np.float32] = self._embedder.embed([text])[0]
            return row

        def embed_batch(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
            return list(self._embedder.embed(list(texts)))

        @property
        def dimension(self) -> int:
            return self._embedder.dim

        def get_tokenizer(self) -> Any:
            return self._tokens

    return RagtreeEmbeddings
