"""LangChain's recursive splitter, with exact offsets and exact token caps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from chunkers.measure import ruler
from chunkers.oversize import within
from rag.doctree import DocTree, flat
from rag.errors import StageError
from rag.loaders.lines import code_points
from rag.models.tokens import counter
from rag.stage import Field, stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.models.tokens import Tokenizer
    from rag.types import Document

__all__ = ["RecursiveChunker"]


@stage
class RecursiveChunker:
    """Split at the first separator that is in the text, merge pieces up to the size, recurse into longer ones.

    This is `RecursiveCharacterTextSplitter` of langchain-text-splitters, which keeps no offsets: it strips chunks
    and finds them again by search, which takes the first of two equal passages. Here its pieces carry their place
    through splitting and merging, so nothing is searched. Two departures: white space that it would drop stays at
    the end of the chunk before (or, where that one is full, at the start of its own), so that leaves
    tile the text; and a chunk that has too many tokens after merging, because counts of pieces do not add up, is
    split again.

    Args:
        document: any text; its blocks are not read.

    Returns:
        A tree of one level. With an overlap the leaves overlap, and `notes["overlap"][0]` says by how much at most.
    """

    size: int = Field(default=256, ge=8, description="most tokens of a chunk")
    overlap: int = Field(default=0, ge=0, description="tokens that neighbours share, at most")
    separators: tuple[str, ...] = Field(default=("\n\n", "\n", " ", ""), description="tried in this order")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be < size, got {self.overlap} >= {self.size}")

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        text = document.text
        count = counter(self.tokenizer)
        pieces = self._pieces(text, count)
        spans = _tile(text, pieces, count, self.size)
        tokens = count.counts([text[a:b] for a, b in spans])
        if max(tokens, default=0) > self.size:  # counts of pieces do not add up
            spans, tokens = within(ruler(text, code_points(text), count), spans, tokens, self.size)
        tree = flat(document, spans, tokens=tokens, tokenizer=self.tokenizer)
        return replace(tree, notes={"overlap": {0: self.overlap}}) if self.overlap else tree

    def _pieces(self, text: str, count: Tokenizer) -> list[tuple[int, int]]:
        """Ranges of the chunks, white space kept, in order; they cover the text."""
        if not text:
            return []
        known: dict[str, int] = {}

        def length(piece: str) -> int:
            if (found := known.get(piece)) is None:
                found = known[str(piece)] = count.count(piece)
            return found

        splitter = _placing()(
            separators=list(self.separators),
            chunk_size=self.size,
            chunk_overlap=self.overlap,
            length_function=length,
            keep_separator=True,
            strip_whitespace=False,
        )
        return splitter.place(text)  # type: ignore[no-any-return]


def _tile(text: str, pieces: Sequence[tuple[int, int]], count: Tokenizer, size: int) -> list[tuple[int, int]]:
    """Move white space at the start of a piece to the piece before, where it has room."""
    spans: list[tuple[int, int]] = []
    for start, end in pieces:
        inner = start + len(text[start:end]) - len(text[start:end].lstrip())
        begin = start
        if spans and inner > start and count.count(text[spans[-1][0] : max(inner, spans[-1][1])]) <= size:
            spans[-1] = spans[-1][0], max(inner, spans[-1][1])
            begin = inner
        if spans and end <= spans[-1][1]:
            continue  # with an overlap: said already
        if spans and begin <= spans[-1][0]:
            spans.pop()  # with an overlap: all of it is said again
        if begin < end:
            spans.append((begin, end))
    return spans


class _Placed(str):
    """A piece of the text that knows where it begins."""

    __slots__ = ("group", "start")
    group: _Group
    start: int


class _Group:
    """Pieces that were merged in one call; they stand one behind the other in the text."""

    __slots__ = ("at", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.at = -1  # where its first piece begins in the text, once known


@cache
def _placing() -> type[Any]:
    """LangChain's splitter, made to keep the places of its pieces; imported on first use."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Placing(RecursiveCharacterTextSplitter):
        """Splits and merges as its parent does, on pieces that know where they begin."""

        def _merge_splits(self, splits: Any, separator: str) -> list[str]:
            placed: list[_Placed] = []
            at = 0
            group = _Group(0)
            for split in splits:
                piece = _Placed(split)
                piece.start, piece.group = at, group
                placed.append(piece)
                at += len(split)
            group.size = at
            return super()._merge_splits(placed, separator)

        def _join_docs(self, docs: list[str], separator: str) -> str | None:
            joined = super()._join_docs(docs, separator)
            if joined is None:
                return None
            piece, first = _Placed(joined), docs[0]
            assert isinstance(first, _Placed)
            piece.start, piece.group = first.start, first.group
            return piece

        def place(self, text: str) -> list[tuple[int, int]]:
            """Ranges of the chunks, in order."""
            spans: list[tuple[int, int]] = []
            at = 0  # everything before is accounted for
            for chunk in self.split_text(text):
                start = at
                if isinstance(chunk, _Placed):
                    if chunk.group.at < 0:
                        chunk.group.at = at
                        at += chunk.group.size
                    start = chunk.group.at + chunk.start
                else:  # handed on without merging: the next stretch of the text
                    at += len(chunk)
                if text[start : start + len(chunk)] != chunk:
                    raise StageError("chunkers/recursive", "chunker", "text", "the splitter changed its pieces")
                spans.append((start, start + len(chunk)))
            return spans

    return Placing
