"""Splitters of llama-index."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import SkipValidation

from evals.peers.anchor import Bpe, encoding, tree
from rag.doctree import DocTree
from rag.models.embed import Embedder, adapt_embedder, to_llama_index
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import clean
from rag.stage import Field, stage
from rag.types import Document

__all__ = ["LlamaIndexMarkdown", "LlamaIndexSemantic", "LlamaIndexSentence"]


@stage
class LlamaIndexSentence:
    """Sentences merged up to a size: `SentenceSplitter`, llama-index's default.

    It strips chunks and joins them anew, and a chunk may be longer than the size; both are left as they are.

    Returns:
        A tree of one level; with an overlap the leaves overlap.
    """

    size: int = Field(default=256, ge=8, description="tokens of a chunk")
    overlap: int = Field(default=0, ge=0, description="tokens that neighbours share, at most")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be < size, got {self.overlap} >= {self.size}")

    @cached_property
    def _splitter(self) -> Any:
        from llama_index.core.node_parser import SentenceSplitter

        count = encoding(self.tokenizer).encode_ordinary
        return SentenceSplitter(chunk_size=self.size, chunk_overlap=self.overlap, tokenizer=count)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        pieces = self._splitter.split_text(clean(document.text))
        return tree(document, [(piece, -1) for piece in pieces], self.tokenizer, self.overlap)


@stage
class LlamaIndexMarkdown:
    """One chunk a Markdown section: `MarkdownNodeParser`; it has no cap.

    Returns:
        A tree of one level.
    """

    tokenizer: Bpe = Field(default="cl100k", description="counts the leaves")

    def __call__(self, document: Document, /) -> DocTree:
        """The sections of a document."""
        from llama_index.core.node_parser import MarkdownNodeParser
        from llama_index.core.schema import TextNode

        parser = MarkdownNodeParser(include_prev_next_rel=False)
        nodes = parser.get_nodes_from_node(TextNode(text=clean(document.text)))
        return tree(document, [(node.text, -1) for node in nodes], self.tokenizer)


@stage
class LlamaIndexSemantic:
    """Cuts where neighbouring sentences differ most: `SemanticSplitterNodeParser`; it has no cap.

    Args:
        document: any text; every sentence with its neighbours is embedded once.

    Returns:
        A tree of one level.
    """

    embedder: SkipValidation[Embedder] = Field(
        default_factory=OnnxEmbedder, description="an embedder, or llama-index's"
    )
    buffer: int = Field(default=1, ge=1, description="sentences looked at on each side")
    percentile: int = Field(default=95, ge=1, le=99, description="share of distances that are no cut")
    tokenizer: Bpe = Field(default="cl100k", description="counts the leaves")

    @cached_property
    def _splitter(self) -> Any:
        from llama_index.core.node_parser import SemanticSplitterNodeParser

        return SemanticSplitterNodeParser.from_defaults(
            embed_model=to_llama_index(adapt_embedder(self.embedder)),
            buffer_size=self.buffer,
            breakpoint_percentile_threshold=self.percentile,
        )

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        from llama_index.core.schema import Document as Source

        text = clean(document.text)
        nodes = self._splitter.build_semantic_nodes_from_documents([Source(text=text)]) if text.strip() else []
        return tree(document, [(node.text, -1) for node in nodes], self.tokenizer)
