"""Chunks that end where the meaning changes: three published rules on one kernel, within caps and structure."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import SkipValidation

from chunkers.boundaries import drops, max_min
from chunkers.clusters import Clusters
from chunkers.packing import lengths
from chunkers.scaffold import Format, Scaffold, remarked
from chunkers.segment import partition
from chunkers.structure import WEIGHT
from chunkers.vectors import Usual, batches, checked_embedder, small_embedder
from rag.doctree import DocTree, flat
from rag.models.embed import Embedder
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chunkers.scaffold import Units
    from chunkers.vectors import Batch

__all__ = ["SemanticChunker"]

NAME = "chunkers/semantic"
MARK = 1.0  # what a rule's own boundary takes off the price of a cut, and adds to every other


@stage
class SemanticChunker:
    """Cut where neighbouring units stop being alike.

    The units, sections, caps, repeated headers and prices of cuts are those of `chunkers/structure`; what is added is
    a rule about vectors, and dynamic programming finds the best division by the rule, the prices and even sizes at
    once. `strategy` names the rule:

    `cluster`: a chunk earns the sum of its pairs' cosines above the document's mean, pairs weighted by their tokens
    over `size` (ClusterSemanticChunker of Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024,
    https://research.trychroma.com/evaluating-chunking). Departures: the best division is found also where nothing is
    worth anything (theirs lets a chunk swallow all before it), caps are tokens instead of pieces, memory is linear,
    and units are sentences.

    `percentile`: a cut belongs where the drop in similarity is above the `percentile` of the document's drops
    (Kamradt, "5 Levels Of Text Splitting", 2023; `chunkers.boundaries.drops`).

    `max-min`: a cut belongs where a unit is farther from its chunk than the chunk is from itself (Kiss, Nagy and
    Szilagyi, "Max-Min semantic chunking", Discover Computing 2025; `chunkers.boundaries.max_min`).

    The last two give boundaries that then count as prices, so that caps and minima hold. `structure` and `even` weigh
    the prices of cuts and even sizes against the rule; with `rule` at 0 the chunks are those of `chunkers/structure`.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree whose leaves are the chunks and whose inner nodes are the sections. Note `chunker` of the root says what
        was given up, note `margin` of a leaf by how much its way of ending beat the next best.

    Raises:
        ModelError: the embedder failed.
    """

    strategy: Literal["cluster", "percentile", "max-min"] = Field(default="cluster", description="the rule")
    embedder: SkipValidation[Embedder] = Field(default_factory=small_embedder, description="of the units")
    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    rule: float = Field(default=1.0, ge=0, description="weight of the rule")
    even: float = Field(default=WEIGHT, ge=0, description="weight of even sizes")
    structure: float = Field(default=1.0, ge=0, description="weight of the prices of cuts")
    percentile: float = Field(default=95.0, ge=0, le=100, description="percentile: drops above it are cuts")
    around: int = Field(default=3, ge=0, description="percentile: neighbours on each side of a sentence")
    ease: float = Field(default=0.9, ge=0, description="max-min: share of the chunk's least cosine to be reached")
    least: float = Field(default=0.6, description="max-min: cosine to be reached at any rate")
    first: float = Field(default=1.5, ge=0, description="max-min: factor on the cosine of a chunk's second unit")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        """Check sizes, and the embedder by its type alone."""
        object.__setattr__(self, "embedder", checked_embedder(self.embedder, NAME))
        if self.cap < self.size:
            raise ValueError(f"max_size must be >= size, got {self.max_size} < {self.size}")
        if self.low > self.size:
            raise ValueError(f"min_size must be <= size, got {self.min_size} > {self.size}")

    @property
    def cap(self) -> int:
        """Most tokens of a chunk."""
        return self.size * 3 // 2 if self.max_size is None else self.max_size

    @property
    def low(self) -> int:
        """Fewest tokens of a chunk, where its section has as many."""
        return self.size // 4 if self.min_size is None else self.min_size

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        return np.array(lengths(self.size, self.cap, self.low, self.even))

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        scaffold = Scaffold.of(
            document, size=self.size, cap=self.cap, least=self.low, tokenizer=self.tokenizer, format=self.format
        )
        chosen: list[list[int]] = [[] for _ in scaffold.stretches]
        margins: dict[int, float] = {}
        usual = Usual()
        for batch in batches(scaffold, self.embedder):
            usual.add(batch.vectors)
            self._cut(batch, usual, chosen, margins)
        return remarked(scaffold.tree([starts or [0] for starts in chosen]), NAME, usual.reasons(), margins)

    def _cut(self, batch: Batch, usual: Usual, chosen: list[list[int]], margins: dict[int, float]) -> None:
        """Choose the cuts of a batch of stretches."""
        bar = self._bar(batch)
        at = 0
        for index, low, high, units in batch.parts:
            vectors = batch.vectors[at : at + high - low]
            at += high - low
            longest = np.minimum(units.longest(self.cap)[low:high], high - low - np.arange(high - low))
            price = self.structure * units.price[low : high + 1]
            width = int(longest.max())
            score: Clusters | None = None
            if self.strategy == "cluster":
                held = units.tokens(low, high, 1)[:, 0]
                score = Clusters(vectors, held, width, usual=usual.pairwise, size=self.size)
            else:
                begins = (
                    drops(vectors, self.around) > bar
                    if self.strategy == "percentile"
                    else max_min(vectors, longest, price, ease=self.ease, least=self.least, first=self.first)
                )
                price[:-1] += self.rule * np.where(begins, -MARK, MARK)

            found = partition(partial(self._gain, (units, low, width), score), price, longest)
            starts = (found.starts + low).tolist()
            chosen[index] += starts
            margins.update(zip(units.at[starts].tolist(), found.margin.tolist(), strict=True))

    def _gain(
        self, stretch: tuple[Units, int, int], score: Clusters | None, low: int, high: int
    ) -> NDArray[np.float64]:
        """What segments are worth that begin with units low to high - 1 behind the first."""
        units, first, width = stretch
        tokens = units.tokens(first + low, first + high, width)
        rows: NDArray[np.float64] = -self._prices[np.minimum(tokens, self.cap)]
        return rows if score is None else rows + self.rule * score(low, high)

    def _bar(self, batch: Batch) -> float:
        """The percentile of the drops in a batch."""
        if self.strategy != "percentile":
            return 0.0
        found, at = [], 0
        for _, low, high, _ in batch.parts:
            found.append(drops(batch.vectors[at : at + high - low], self.around)[1:])
            at += high - low
        return float(np.percentile(np.concatenate(found), self.percentile))
