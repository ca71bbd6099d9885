"""Units scored by a mask over the passages they stand in: one reading a passage, not one a unit.

Passages are read in blocks of whole units that overlap by one; a unit that two blocks cover takes the mean of both. A
keep model reads so many tokens; units behind them are read again in a block that begins one unit earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.errors import ModelError
from rag.readers.render import heading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.keep import Keeper, Marks
    from rag.types import Hit
    from rag.units import Unit

__all__ = ["Masked", "masked"]

BLOCK = 1600  # characters of units that are read at once
LEAST = -20.0  # of a unit without any token


class Masked(NamedTuple):
    """What a mask says of n units.

    Args:
        mean: float64 (n,), mean log-odds of a unit's tokens.
        top: float64 (n,), the highest.
        passes: texts that were read.
    """

    mean: NDArray[np.float64]
    top: NDArray[np.float64]
    passes: int


class Block(NamedTuple):
    """Units `first` to `last` of one range, read as one text behind the heading."""

    first: int
    last: int


def masked(name: str, question: str, hits: Sequence[Hit], pool: Sequence[Unit], keeper: Keeper) -> Masked:
    """Score units where they stand.

    Args:
        name: of the stage, for messages.
        question: any text.
        hits: the evidence.
        pool: n units of these hits, those of a hit together and in source order.
        keeper: gives log-odds to tokens.

    Raises:
        ModelError: the keep model gave another number of texts, marks that do not fit the text, or not-a-numbers.
    """
    found: list[list[tuple[float, float]]] = [[] for _ in pool]
    blocks = _blocks(pool)
    passes = 0
    while blocks:
        texts, shifts = zip(*(_text(hits, pool, block) for block in blocks), strict=True)
        given = keeper.keep(question, texts)
        if len(given) != len(blocks):
            raise ModelError(f"{name}: {keeper.name} must mark {len(blocks)} texts, got {len(given)}.")
        passes += len(blocks)
        left: list[Block] = []
        for block, text, shift, marks in zip(blocks, texts, shifts, given, strict=True):
            _check(name, keeper, text, marks)
            end = int(marks.ends[-1]) if len(marks.ends) else 0
            at = block.first
            while at < block.last and (at == block.first or _read(text, end, pool[at].end - shift)):
                found[at].append(_unit(pool[at], marks, shift))
                at += 1
            if at < block.last:
                left.append(Block(max(at - 1, block.first + 1), block.last))
        blocks = left
    mean, top = np.array([np.mean(one, axis=0) for one in found]).reshape(-1, 2).T
    return Masked(np.round(mean, 6), np.round(top, 6), passes)


def _blocks(pool: Sequence[Unit]) -> list[Block]:
    """Neighbouring units of a range together, up to `BLOCK` characters; each block but the first repeats a unit."""
    found: list[Block] = []
    first = 0
    for at, unit in enumerate(pool):
        apart = at > first and (pool[at - 1].hit != unit.hit or pool[at - 1].end != unit.start)
        if apart or (at > first + 1 and unit.end - pool[first].start > BLOCK):
            found.append(Block(first, at))
            first = at if apart else at - 1
    return [*found, Block(first, len(pool))] if pool else []


def _text(hits: Sequence[Hit], pool: Sequence[Unit], block: Block) -> tuple[str, int]:
    """Headings and units of a block, and what is added to an offset in it to get one in the document."""
    hit = hits[pool[block.first].hit]
    start, end = pool[block.first].start, pool[block.last - 1].end
    head = heading(hit)
    lead = f"{head}\n" if head else ""
    return lead + hit.document.text[start:end], start - len(lead)


def _check(name: str, keeper: Keeper, text: str, marks: Marks) -> None:
    """Marks of one text that are ordered, inside it and finite, or a ModelError."""
    starts, ends, odds = (np.asarray(column) for column in marks)
    if not starts.shape == ends.shape == odds.shape or not np.isfinite(odds).all():
        raise ModelError(
            f"{name}: {keeper.name} must give one finite number a token, got {odds.shape} for {starts.shape} tokens,"
            f" {int((~np.isfinite(odds)).sum())} not finite. Check the model's files."
        )
    if len(starts) and (starts.min() < 0 or ends.max() > len(text) or (np.diff(ends) < 0).any()):
        raise ModelError(
            f"{name}: {keeper.name} marks tokens out of order or outside a text of {len(text)} characters."
        )


def _read(text: str, end: int, unit: int) -> bool:
    """Whether a unit up to `unit` holds no word behind `end`, where the reading ended."""
    return end >= unit or not any(map(str.isalnum, text[end:unit]))


def _unit(unit: Unit, marks: Marks, shift: int) -> tuple[float, float]:
    """Mean and highest log-odds of the tokens of a unit."""
    low = int(np.searchsorted(marks.ends, unit.start - shift, side="right"))
    high = int(np.searchsorted(marks.starts, unit.end - shift, side="left"))
    mine = marks.odds[low:high]
    return (math.fsum(mine) / len(mine), float(mine.max())) if len(mine) else (LEAST, LEAST)
