"""From the worth of leaves to a set of them: by worth alone, or by the exact programmes over the tree above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from compressors.grains import Regions, solve
from rag.readers.render import heading
from rag.types import GAP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compressors.leaves import Leaves
    from rag.models.tokens import Tokenizer
    from rag.types import Hit

__all__ = ["aggregate", "by_regions", "by_worth"]

BEST = 3  # leaves whose mean a node is worth


def by_worth(hits: Sequence[Hit], leaves: Leaves, worth: Sequence[float]) -> list[int]:
    """Leaves by worth, of equals by place."""
    pool = leaves.pool
    return sorted(range(len(pool)), key=lambda i: (-worth[i], hits[pool[i].hit].doc, pool[i].start))


def aggregate(values: Sequence[float]) -> float:
    """What a node is worth: the mean of its best three leaves."""
    best = sorted(values, reverse=True)[:BEST]
    return sum(best) / len(best)


def by_regions(
    hits: Sequence[Hit],
    leaves: Leaves,
    worth: NDArray[np.float64],
    *,
    budget: int,
    focus: float,
    tokenizer: Tokenizer,
) -> list[int]:
    """Leaves of the best set of regions first, by worth; then the others, by worth.

    The tree of a hit: its heading, which is shown before anything of it; the hit as a whole; its paragraphs; their
    leaves. A region is worth `aggregate` of its leaves to the power `focus`, times its tokens. `compressors.grains`
    finds the best set within the budget, each text taken at one grain.

    Args:
        hits: the evidence.
        leaves: n leaves.
        worth: float64 (n,), at least 0.
        budget: tokens.
        focus: power; higher prefers few good regions.
        tokenizer: the reader's.
    """
    pool = leaves.pool
    text = [hits[u.hit].document.text[u.start : u.end].strip() for u in pool]
    alone = tokenizer.counts([GAP + one for one in text])
    heads = tokenizer.counts([f"\n\n[{len(hits)}] {heading(hit)}\n" for hit in hits])
    regions = Regions([], [], [], [])
    owned: list[range] = []  # of each node, its leaves; none of a door

    def put(value: float, cost: int, mine: range, door: bool) -> int:
        regions.value.append(value)  # type: ignore[attr-defined]
        regions.cost.append(cost)  # type: ignore[attr-defined]
        regions.behind.append(len(regions.cost))  # type: ignore[attr-defined]
        regions.door.append(door)  # type: ignore[attr-defined]
        owned.append(mine)
        return len(owned) - 1

    def grain(mine: range) -> int:
        tokens = int(sum(alone[i] for i in mine))
        return put(aggregate([float(worth[i]) for i in mine]) ** focus * tokens, tokens, mine, False)

    def close(node: int) -> None:
        regions.behind[node] = len(owned)  # type: ignore[index]

    for of_hit in _runs([u.hit for u in pool], range(len(pool))):
        door = put(0.0, heads[pool[of_hit.start].hit], range(0), True)
        whole = grain(of_hit)
        for paragraph in _runs(leaves.paragraph, of_hit):
            node = grain(paragraph) if paragraph != of_hit else -1
            for leaf in paragraph if len(paragraph) > 1 else ():
                grain(range(leaf, leaf + 1))
            if node >= 0:
                close(node)
        close(whole)
        close(door)
    kept = {leaf for node in solve(regions, budget).taken(budget) for leaf in owned[node]}
    order = by_worth(hits, leaves, worth.tolist())
    return [i for i in order if i in kept] + [i for i in order if i not in kept]


def _runs(of: Sequence[int], within: range) -> list[range]:
    """Neighbouring places with the same value."""
    if not within:
        return []
    cuts = [i for i in within if i == within.start or of[i] != of[i - 1]]
    return [range(a, b) for a, b in zip(cuts, [*cuts[1:], within.stop], strict=True)]
