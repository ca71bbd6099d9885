"""semchunk: split at the longest run of the strongest white space, recurse, merge."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from evals.peers.anchor import Bpe, encoding, tree
from rag.doctree import DocTree
from rag.models.tokens import clean
from rag.optional import require
from rag.stage import Field, stage
from rag.types import Document

__all__ = ["Semchunk"]


@stage
class Semchunk:
    """Chunks of `semchunk.chunkerify`, without its memory of counts.

    Returns:
        A tree of one level.
    """

    size: int = Field(default=256, ge=8, description="tokens of a chunk")
    tokenizer: Bpe = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _splitter(self) -> Any:
        library = require("semchunk.semchunk", extra="peers", by="chunkers/semchunk")
        return library.chunkerify(encoding(self.tokenizer), self.size, memoize=False)

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        text = clean(document.text)
        pieces, places = self._splitter(text, offsets=True) if text.strip() else ([], [])
        found = [(piece, start) for piece, (start, _) in zip(pieces, places, strict=True)]
        return tree(document, found, self.tokenizer)
