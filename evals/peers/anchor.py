"""Pieces that a splitter gave, put back where they stand in the text.

Most splitters hand over strings and have thrown the places away. Here each piece is looked for behind the one
before, never in front of it, so equal passages keep their order. What no piece holds goes to the leaf before, so that
leaves tile the text and a comparison loses nothing that the peer lost; how much that was is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from rag.doctree import DocTree, flat
from rag.models.tokens import clean, counter

if TYPE_CHECKING:
    from rag.types import Document

__all__ = ["Bpe", "Piece", "anchored", "encoding", "tree"]

Piece = tuple[str, int]  # a chunk and where it says it begins; -1 where it does not say
Range = tuple[int, int]
Bpe = Literal["cl100k", "o200k"]  # vocabularies that peers take as a tiktoken encoding


class _Dark:
    """The visible characters of a text, and where each stands."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def places(self) -> list[int]:
        return [i for i, char in enumerate(self.text) if not char.isspace()]

    @cached_property
    def joined(self) -> str:
        return "".join(self.text.split())

    def find(self, piece: str, low: int) -> Range | None:
        """The piece with other white space, at or behind `low`."""
        from bisect import bisect_left

        wanted = "".join(piece.split())
        at = self.joined.find(wanted, bisect_left(self.places, low)) if wanted else -1
        return (self.places[at], self.places[at + len(wanted) - 1] + 1) if at >= 0 else None


def anchored(text: str, pieces: Iterable[Piece], *, overlap: bool = False) -> tuple[list[Range], dict[str, int]]:
    """Leaves that tile the text, one for each piece that was found.

    Args:
        text: the source.
        pieces: in the order of the source.
        overlap: pieces may begin inside the one before; then leaves overlap too.

    Returns:
        Ranges, and what had to be done: `respaced` pieces whose white space differs from the source's, `altered`
        pieces that are not in the source, and `dropped` visible characters that no piece held.
    """
    dark = _Dark(text)
    found: list[Range] = []
    facts = {"respaced": 0, "altered": 0, "dropped": 0}
    begin, reach = -1, 0
    for piece, said in pieces:
        low = begin + 1 if overlap else reach
        at = said if said >= low and text.startswith(piece, said) else text.find(piece, low)
        place = (at, at + len(piece)) if at >= 0 else dark.find(piece, low)
        if not piece.strip():  # white space alone is no leaf
            continue
        if place is None:
            facts["altered"] += 1
            continue
        facts["respaced"] += at < 0
        facts["dropped"] += _visible(text[reach : place[0]])
        found.append(place)
        begin, reach = place[0], max(reach, place[1])
    facts["dropped"] += _visible(text[reach:])
    if not found:
        return ([(0, len(text))] if text else []), facts
    starts = [0, *(start for start, _ in found[1:])]
    nexts = [*starts[1:], len(text)]
    if not overlap:
        return list(zip(starts, nexts, strict=True)), facts
    return [(s, max(end, n)) for s, (_, end), n in zip(starts, found, nexts, strict=True)], facts


def tree(document: Document, pieces: Iterable[Piece], tokenizer: str, overlap: int = 0) -> DocTree:
    """The pieces as a tree of one level; `notes["peer"][0]` holds what `anchored` counted, where it is not 0."""
    spans, facts = anchored(clean(document.text), pieces, overlap=overlap > 0)
    tokens = counter(tokenizer).counts([document.text[start:end] for start, end in spans])
    made = flat(document, spans, tokens=tokens, tokenizer=tokenizer)
    notes: dict[str, dict[int, Any]] = {}
    if overlap:
        notes["overlap"] = {0: overlap}
    if any(facts.values()):
        notes["peer"] = {0: facts}
    made.notes.update(notes)  # type: ignore[attr-defined]  # still being built
    return made


def encoding(name: Bpe) -> Any:
    """The tiktoken encoding behind one of our tokenizers, for peers that want one."""
    return getattr(counter(name), "_encoding")  # noqa: B009 - not part of the protocol


def _visible(text: str) -> int:
    return sum(map(len, text.split()))
