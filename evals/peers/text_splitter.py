"""semantic-text-splitter: the highest semantic level that fits, in Rust."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from evals.peers.anchor import Bpe, tree
from rag.doctree import DocTree
from rag.models.tokens import clean
from rag.optional import require
from rag.stage import Field, stage
from rag.types import Document

__all__ = ["TextSplitter"]

MODELS = {"cl100k": "gpt-4", "o200k": "gpt-4o"}  # whose vocabularies it carries


@stage
class TextSplitter:
    """Chunks of `TextSplitter`, or of `MarkdownSplitter`.

    Returns:
        A tree of one level.
    """

    size: int = Field(default=256, ge=8, description="tokens of a chunk")
    format: Literal["text", "markdown"] = Field(default="text", description="which levels it knows")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _splitter(self) -> Any:
        library = require("semantic_text_splitter", extra="peers", by="chunkers/text-splitter")
        kind = library.TextSplitter if self.format == "text" else library.MarkdownSplitter
        return kind.from_tiktoken_model(MODELS[self.tokenizer], self.size)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        pieces = self._splitter.chunk_indices(clean(document.text))
        return tree(document, [(piece, start) for start, piece in pieces], self.tokenizer)
