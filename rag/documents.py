"""A source text, its blocks, and ranges of it: what every offset refers to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Block", "Document", "Span"]


class Span(NamedTuple):
    """A half-open range of code points in one document."""

    doc: str
    start: int
    end: int


class Block(NamedTuple):
    """One structural element of a document, as its loader saw it.

    Args:
        start: first code point of the block in `Document.text`.
        end: one past its last code point; blocks are ordered and disjoint, gaps are blank.
        kind: one of `rag.doctree.KINDS`.
        level: heading level from 1, or nesting depth of a list item from 0.
        inner: range of the block's content without its marks (`## Title ##` -> `Title`).
        page: page number from 1 where the format has pages, else 0.
        box: (left, top, right, bottom) in points on that page, origin top left; else None.
    """

    start: int
    end: int
    kind: str
    level: int = 0
    inner: tuple[int, int] = (0, 0)
    page: int = 0
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One source text. Every offset of this framework refers to `text`.

    Args:
        id: unique in its corpus; a path for files, the given id for dataset records.
        text: the whole text, unchanged for text formats; what was extracted for others.
        title: for display and for the heading path; may be empty.
        media_type: `text/markdown`, `text/html`, `text/plain`, `application/pdf` and so on.
        blocks: structure found by the loader; empty when the chunker is to find it.
        metadata: JSON values; filters of a query look here.
    """

    id: str
    text: str
    title: str = ""
    media_type: str = "text/plain"
    blocks: Sequence[Block] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Without the text, which may be a book."""
        return f"Document({self.id!r}, {len(self.text):,} characters, {self.media_type})"

    @property
    def sha256(self) -> str:
        """Hex digest of the text in UTF-8 (lone surrogates kept)."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    def span(self, start: int, end: int) -> Span:
        """The range as a `Span`, checked to lie inside the text."""
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"document {self.id!r}: [{start}, {end}) is outside [0, {len(self.text)})")
        return Span(self.id, start, end)
