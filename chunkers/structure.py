"""Chunks that follow the structure of a document: sections, paragraphs, lists, tables, code, sentences."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chunkers.packing import lengths, pack
from chunkers.scaffold import Format, Scaffold
from rag.doctree import DocTree, flat
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WEIGHT", "StructureChunker"]

WEIGHT = 1.0  # of even lengths against the prices of cuts, by default


@stage
class StructureChunker:
    """Cut a document into chunks of even size where its structure allows it best.

    A document is read as blocks (the loader's, or those that a scan of its text finds), blocks as units:
    sentences of a paragraph, list items, rows of a table and lines of code where these do not fit as a whole.
    Headings divide units into sections; in each, dynamic programming chooses the cuts (`chunkers.packing`).
    A section of fewer than `min_size` tokens is not cut and may share a chunk with its neighbours under the same
    heading; a heading with less text of its own than that goes in front of the first section below it. A table
    that is cut repeats its header rows in front of each further part, code its opening fence (`DocTree.repeats`).
    What no blank divides is cut between graphemes. White space between blocks belongs to the chunk before.

    The cap is hard: tokens of a chunk's slice, counted as one text, plus those of what it repeats. They are exact
    without counting slices (`chunkers.measure`). Only a single code point of more tokens would break it.

    The recurrence follows Koutsiaris, "Intent-Driven Dynamic Chunking", https://arxiv.org/abs/2602.14784, without
    intents and cohesion, with a price that depends on what a cut divides. Default size, by recall of gold
    characters in the first 256 / 512 / 1,024 tokens under BM25 (means of eight sets, 763 questions: Chroma's
    corpora, SQuAD articles, CovidQA, CUAD, ContractNLI, documentation, QMSum, TAT-QA):

        size  96   53.3  63.9  72.2        size 192   51.2  62.9  72.1
        size 128   52.0  62.9  72.4        size 256   47.2  61.5  70.9
        size 160   51.8  63.4  72.8        size 384   43.5  60.3  72.5
        recursive, size 200   51.0  61.1  71.0        sentences, size 200   50.0  60.8  70.4

    Paired by question (bootstrap within each set), 160 cannot be told from 96, 128 or 192 at any of the three;
    it was taken because it makes 36 % fewer chunks than 96. It is above recursive by 2.3 (95 %: 0.6 to 4.0) at 512
    tokens and 1.8 (0.2 to 3.4) at 1,024, not at 256 (0.7, -1.2 to 2.8). Caps of 200 to 320, minima of 16 to 80 and
    other prices moved its mean by less than 0.5. The size was chosen on these same questions.

    Sizes spread 0.59 to 0.60 times as much as those of langchain's recursive splitter at the same mean; with `even` at
    1 it is 0.40 to 0.43 times, at 3 it is 0.31 to 0.38 (`evals/reproduce/packing.py`), at dearer cuts. No chunk is over
    its cap or, but for whole sections, below its minimum. It cuts 5.2 million characters a CPU second, tokens counted,
    langchain's 3.9 times fewer (95 %: 3.6 to 4.1).

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree whose leaves are the chunks and whose inner nodes are the sections.
    """

    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    even: float = Field(default=WEIGHT, ge=0, description="weight of even sizes against the prices of cuts")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        if self.cap < self.size:
            raise ValueError(f"max_size must be >= size, got {self.max_size} < {self.size}")
        if self.least > self.size:
            raise ValueError(f"min_size must be <= size, got {self.min_size} > {self.size}")

    @property
    def cap(self) -> int:
        """Most tokens of a chunk."""
        return self.size * 3 // 2 if self.max_size is None else self.max_size

    @property
    def least(self) -> int:
        """Fewest tokens of a chunk, where its section has as many."""
        return self.size // 4 if self.min_size is None else self.min_size

    @cached_property
    def _prices(self) -> list[float]:
        return lengths(self.size, self.cap, self.least, self.even)

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        scaffold = Scaffold.of(
            document, size=self.size, cap=self.cap, least=self.least, tokenizer=self.tokenizer, format=self.format
        )
        c, prices = scaffold.columns, self._prices
        chosen: list[Sequence[int]] = []
        for marks, _ in scaffold.stretches:
            if len(marks) == 2:
                chosen.append((0,))
                continue
            left, right, extra = ([column[k] for k in marks] for column in (c.left, c.right, c.extra))
            chosen.append(pack(left, right, extra, [c.price[k] for k in marks], prices))
        return scaffold.tree(chosen)
