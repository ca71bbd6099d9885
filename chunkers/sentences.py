"""Chunks of whole sentences, filled one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from chunkers.measure import EXACT, ruler
from chunkers.oversize import parts, wide_units, within
from rag.doctree import DocTree, flat
from rag.loaders.lines import code_points
from rag.models.punkt import punkt_spans
from rag.models.tokens import counter
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.types import Document

__all__ = ["SentenceChunker"]


@stage
class SentenceChunker:
    """Fill chunks with whole sentences until the next one does not fit.

    The plain method that others are compared with: no headings, no paragraphs, no balance. A sentence
    that does not fit is cut at clauses, then words, then graphemes.

    Args:
        document: any text; its blocks are not read.

    Returns:
        A tree of one level. With an overlap the leaves overlap by whole sentences, and `notes["overlap"][0]`
        says by how many tokens at most.
    """

    size: int = Field(default=256, ge=8, description="most tokens of a chunk")
    overlap: int = Field(default=0, ge=0, description="tokens that neighbours share, at most; whole sentences")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    splitter: Literal["rules", "punkt"] = Field(
        default="rules", description="how sentences are found: by rule, or by NLTK's Punkt for English"
    )

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be < size, got {self.overlap} >= {self.size}")

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        text = document.text
        if not text:
            return flat(document, (), tokenizer=self.tokenizer)
        measured = ruler(text, code_points(text), counter(self.tokenizer))
        found = sentence_spans(text) if self.splitter == "rules" else punkt_spans(text)
        at = np.array([start for start, _ in found] + [len(text)], dtype=np.int64)
        cells = [places for places, _ in wide_units(measured, at, self.size, self.size)]
        every = np.unique(np.concatenate((at, *cells)))
        at, _ = measured.measurable(every, (~np.isin(every, at)).astype(np.float64))
        left, right = (side.tolist() for side in measured.measure(at))
        places = at.tolist()
        spans: list[tuple[int, int]] = []
        tokens: list[int] = []
        first, last = 0, len(places) - 1
        while first < last:
            stop = first
            while stop < last and left[first] + right[stop + 1] <= self.size:
                stop += 1
            if stop == first:  # one unit that does not fit
                start = places[first]
                for end, held in parts(measured, start, places[first + 1], self.size, self.size):
                    spans.append((start, end))
                    tokens.append(held)
                    start = end
                first += 1
                continue
            spans.append((places[first], places[stop]))
            tokens.append(left[first] + right[stop])
            back = stop
            while self.overlap and stop < last and back - 1 > first and self._shares(left, right, back - 1, stop):
                back -= 1
            first = back
        if self.tokenizer not in EXACT:
            tokens = counter(self.tokenizer).counts([text[a:b] for a, b in spans])
            spans, tokens = within(measured, spans, tokens, self.size)
        tree = flat(document, spans, tokens=tokens, tokenizer=self.tokenizer)
        return replace(tree, notes={"overlap": {0: self.overlap}}) if self.overlap else tree

    def _shares(self, left: list[int], right: list[int], back: int, stop: int) -> bool:
        """Whether the units from `back` to `stop` may be said again, and leave room for the next."""
        return left[back] + right[stop] <= self.overlap and left[back] + right[stop + 1] <= self.size
