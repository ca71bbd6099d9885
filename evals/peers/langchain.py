"""LangChain's token windows; its recursive splitter is `chunkers/recursive`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.peers.anchor import tree
from rag.doctree import DocTree
from rag.models.tokens import counter
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from evals.peers.anchor import Piece

__all__ = ["LangchainToken"]


@stage
class LangchainToken:
    """Windows of a fixed number of tokens, whatever the text says: `TokenTextSplitter` of langchain-text-splitters.

    Its windows are decoded back to text, which breaks characters of several tokens into replacement marks. Here its
    windowing runs on the numbers of the tokens, and each window is the slice from its first token to the next
    window's.

    Returns:
        A tree of one level; with an overlap the leaves overlap.
    """

    size: int = Field(default=256, ge=1, description="tokens of a window")
    overlap: int = Field(default=0, ge=0, description="tokens that neighbours share")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be < size, got {self.overlap} >= {self.size}")

    def __call__(self, document: Document, /) -> DocTree:
        """The windows of a document."""
        from langchain_text_splitters.base import Tokenizer, split_text_on_tokens

        text = document.text
        starts = [*counter(self.tokenizer).starts(text).tolist(), len(text)]
        pieces: list[Piece] = []

        def decode(tokens: list[int]) -> str:
            start, end = starts[tokens[0]] if tokens[0] else 0, starts[tokens[-1] + 1]
            pieces.append((text[start:end], start))
            return text[start:end]

        windows = Tokenizer(
            chunk_overlap=self.overlap,
            tokens_per_chunk=self.size,
            decode=decode,
            encode=lambda _: list(range(len(starts) - 1)),
        )
        split_text_on_tokens(text=text, tokenizer=windows)
        return tree(document, pieces, self.tokenizer, self.overlap)
