"""Fill a budget of tokens with units, best first, counted on the text the reader will see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rag.models.tokens import Tokenizer
from rag.readers.render import cost
from rag.types import Hit
from rag.units import Unit

__all__ = ["Fitted", "assemble", "fit"]

TRIES = 12  # single units tried for the room that is left
SLACK = 6  # tokens that a unit may take less in the rendering than by itself


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits.

    Args:
        items: the hits in reading order, with the ranges that are kept.
        kept: indices of the units that are kept.
        tokens: size of the rendered items; at most the budget.
        repairs: units taken out again because the rendering came out longer than foreseen.
    """

    items: tuple[Hit, ...]
    kept: frozenset[int]
    tokens: int
    repairs: int


def fit(
    hits: Sequence[Hit],
    pool: Sequence[Unit],
    order: Sequence[int],
    budget: int,
    tokenizer: Tokenizer,
    *,
    needs: Sequence[Sequence[int]] = (),
    guess: int = 0,
    sizes: Sequence[int] = (),
) -> Fitted:
    """Keep the longest prefix of `order` whose rendering fits, then smaller units behind it.

    Token counts do not add up over joins, and a first unit of a hit brings its heading, so each step renders and
    counts: a search by halves for the prefix, then the next `TRIES` units one by one. The result is
    counted as it stands, and cut from its weak end while it is over.

    Args:
        hits: the evidence, best document first.
        pool: units of these hits.
        order: indices into `pool`, best first.
        budget: tokens.
        tokenizer: the reader's.
        needs: for each unit the units that come with it, and what those need; () for none at all.
        guess: how many of the order are thought to fit; rendered first.
        sizes: tokens of each unit by itself; one that is `SLACK` larger than the room left is not tried.
    """
    if budget <= 0 or not order:
        return Fitted((), frozenset(), 0, 0)

    def closed(chosen: Iterable[int]) -> Iterable[int]:
        return {one for unit in chosen for one in (unit, *needs[unit])} if needs else chosen

    def size(chosen: Iterable[int]) -> int:
        return cost(assemble(hits, pool, closed(chosen)), tokenizer)

    low, high = 0, len(order)  # order[:low] fits; order[: high + 1] does not, or there is no more
    middle, step = min(guess, high), 1
    while low < high:
        if not low < middle <= high:
            middle = min((low + high + 1) // 2, 2 * low + 8)  # gallop: what is far over is dear to render
        fits = size(order[:middle]) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
        if guess:  # the end is near
            middle, step = (low + step if fits else high - step + 1), 2 * step
    kept = list(order[:low])
    used = size(kept)
    for unit in order[low : low + TRIES]:
        if sizes and sizes[unit] > budget - used + SLACK:
            continue
        if (more := size([*kept, unit])) <= budget:
            kept.append(unit)
            used = more
    repairs = 0
    while kept and used > budget:
        kept.pop()
        used = size(kept)
        repairs += 1
    whole = frozenset(closed(kept))
    return Fitted(assemble(hits, pool, whole), whole, used if kept else 0, repairs)


def assemble(hits: Sequence[Hit], pool: Sequence[Unit], chosen: Iterable[int]) -> tuple[Hit, ...]:
    """The hits that hold the chosen units and what these need, in reading order.

    Documents stand in the order of their first hit, the hits of one document in source order; touching ranges
    are merged.
    """
    ranges: dict[int, set[tuple[int, int]]] = {}
    for index in chosen:
        unit = pool[index]
        mine = ranges.setdefault(unit.hit, set())
        mine.add((unit.start, unit.end))
        if unit.needs is not None:
            mine.add(unit.needs)
    rank: dict[str, int] = {}
    for hit in hits:
        rank.setdefault(hit.doc, len(rank))
    items = [replace(hits[i], spans=merged(found)) for i, found in ranges.items()]
    return tuple(sorted(items, key=lambda hit: (rank[hit.doc], hit.spans, hit.key)))


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The ranges in order, touching and overlapping ones joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
