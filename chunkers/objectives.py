"""The objectives of intent-driven chunking as gains of segments and prices of cuts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chunkers.intents import Intent, grown, severed
from chunkers.kernel import Kernel
from chunkers.packing import lengths
from chunkers.segment import partition
from chunkers.vectors import Usual, batches
from rag.loaders.blocks import Blocks
from rag.types import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chunkers.scaffold import Scaffold, Units
    from chunkers.vectors import Batch
    from rag.models.embed import Embedder
    from rag.types import Document

__all__ = ["Divided", "Plan", "divide", "gains", "whole"]


@dataclass(frozen=True)
class Plan:
    """An objective and its weights; the names are those of `chunkers.intent.IntentChunker`."""

    paper: bool
    vectors: bool
    size: int
    cap: int
    least: int
    relevance: float
    cohesion: float
    integrity: float
    length: float
    beta: float
    most: int


@dataclass
class Divided:
    """What came out.

    Args:
        chosen: for each stretch where its chunks begin.
        margins: start of a chunk -> how sure its way of ending is.
        intents: those that were used, with places that were guessed.
        reasons: what was given up.
    """

    chosen: list[list[int]]
    margins: dict[int, float] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class Asked(NamedTuple):
    """The intents as arrays: vectors (M, d), what is usual for each (M,), weights (M,)."""

    vectors: NDArray[np.float64]
    base: NDArray[np.float64]
    weight: NDArray[np.float64]


def whole(document: Document) -> Blocks:
    """One block of text: sentences alone, as the paper has them."""
    size = len(document.text)
    return Blocks.of([Block(0, size, "text", 0, (0, size))])


def divide(
    scaffold: Scaffold,
    plan: Plan,
    embedder: Embedder | None = None,
    intents: Sequence[Intent] = (),
    vectors: NDArray[np.float64] | None = None,
) -> Divided:
    """The best division of every stretch.

    Args:
        scaffold: the document.
        plan: the objective.
        embedder: of the units; not needed without `plan.vectors`.
        intents: what may be asked.
        vectors: float64 (M, d), of the intents.
    """
    made = Divided([[] for _ in scaffold.stretches], intents=list(intents))
    if not plan.vectors or embedder is None or vectors is None:
        for index, stretch in enumerate(scaffold.stretches):
            units = scaffold.units(stretch)
            _choose(made, plan, (index, 0, len(units), units), units.price, None, None)
        return made
    usual = Usual()
    nearest = np.full(len(intents), -np.inf)
    for batch in batches(scaffold, embedder):
        usual.add(batch.vectors)
        _place(made, plan, batch, vectors, nearest)
        base = np.zeros(len(intents)) if plan.paper else usual.to(vectors)
        weight = np.array([1.0 if plan.paper else one.weight for one in intents])
        at = 0
        for part in batch.parts:
            index, low, high, units = part
            rows = batch.vectors[at : at + high - low]
            at += high - low
            price = np.zeros(high - low + 1) if plan.paper else units.price[low : high + 1].copy()
            price += plan.beta + plan.integrity * severed(units.at[low : high + 1], made.intents)
            _choose(made, plan, part, price, rows, Asked(vectors, base, weight), usual.pairwise)
    made.reasons += usual.reasons()
    for starts in made.chosen:
        if not starts:
            starts.append(0)
    return made


def _place(made: Divided, plan: Plan, batch: Batch, vectors: NDArray[np.float64], nearest: NDArray[np.float64]) -> None:
    """Guess the places of intents that have none, from the nearest units so far."""
    if not plan.integrity or not len(vectors):
        return
    cosines = vectors @ batch.vectors.T
    for k, one in enumerate(made.intents):
        if one.quoted or float(cosines[k].max()) <= nearest[k]:
            continue
        nearest[k] = float(cosines[k].max())
        made.intents[k] = one._replace(span=grown(cosines[k], batch.parts, plan.cap // 2))


def _choose(  # noqa: PLR0917 - one stretch and all that is known of it
    made: Divided,
    plan: Plan,
    part: tuple[int, int, int, Units],
    price: NDArray[np.float64],
    rows: NDArray[np.float64] | None,
    asked: Asked | None,
    pairwise: float = 0.0,
) -> None:
    """Choose the cuts of one part of a stretch."""
    index, low, high, units = part
    longest = np.minimum(units.longest(plan.cap)[low:high], high - low - np.arange(high - low))
    if plan.paper:
        longest = np.minimum(longest, plan.most)
    width = int(longest.max())
    kernel = None if rows is None or asked is None else Kernel(rows, width, asked.vectors)
    found = partition(partial(gains, plan, (units, low, width), kernel, asked, pairwise), price, longest)
    starts = (found.starts + low).tolist()
    made.chosen[index] += starts
    made.margins.update(zip(units.at[starts].tolist(), found.margin.tolist(), strict=True))


def gains(  # noqa: PLR0917 - the formula's terms
    plan: Plan,
    stretch: tuple[Units, int, int],
    kernel: Kernel | None,
    asked: Asked | None,
    pairwise: float,
    low: int,
    high: int,
) -> NDArray[np.float64]:
    """float64 (high - low, width), what segments are worth that begin with units low to high - 1.

    paper:    relevance * max cos - length * units^2
    centred:  (T / size) * (relevance * best_intent + cohesion * (mean pairwise - usual)) - lengths(T)

    Args:
        plan: the weights.
        stretch: the units, the first of them that rows count from, and the width.
        kernel: scores of the units' vectors; None where nothing but lengths counts.
        asked: the intents.
        pairwise: mean pairwise cosine of the document.
        low: first unit to begin with.
        high: one past the last.
    """
    units, first, width = stretch
    count = np.arange(1, width + 1)
    if plan.paper:
        rows = np.tile(-plan.length * count.astype(np.float64) ** 2, (high - low, 1))
        if kernel is not None and asked is not None:
            rows += plan.relevance * kernel.relevance(low, high, asked.base, asked.weight)
        return rows
    tokens = units.tokens(first + low, first + high, width)
    rows = -np.array(lengths(plan.size, plan.cap, plan.least, plan.length))[np.minimum(tokens, plan.cap)]
    if kernel is None or asked is None:
        return rows
    worth = np.zeros_like(rows)
    if plan.relevance:
        worth += plan.relevance * kernel.relevance(low, high, asked.base, asked.weight)
    if plan.cohesion:
        worth += plan.cohesion * np.where(count > 1, kernel.cohesion(low, high) - pairwise, 0.0)
    total: NDArray[np.float64] = rows + worth * (tokens / plan.size)
    return total
