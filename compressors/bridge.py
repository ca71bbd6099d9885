"""Units that the best ones point to: their title or heading is named there, and not in the question.

Questions that need two documents name one and describe the other, so the second is found only through the first. Units
that are kept first (the anchors, a share of the budget by relevance alone) name things; a unit under a title of which
they name a part gains, by the share of the title that is named.

The dependency term of budgeted packing; see `compressors.bubble` for what it adds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag.lexical import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.types import Hit
    from rag.units import Unit

__all__ = ["anchors", "bridged"]

ASIDE = re.compile(r"\s*[(\[][^)\]]*[)\]]")  # "Mercury (planet)" is named as Mercury


def anchors(order: Sequence[int], cost: Sequence[int], room: int) -> list[int]:
    """The units that fit a room, best first; one that does not fit is passed over."""
    found: list[int] = []
    for unit in order:
        if cost[unit] <= room:
            found.append(unit)
            room -= cost[unit]
    return found


def bridged(
    question: str, hits: Sequence[Hit], pool: Sequence[Unit], words: Sequence[frozenset[str]], chosen: Sequence[int]
) -> NDArray[np.float64]:
    """For each unit the share of its title that anchors elsewhere name.

    Args:
        question: what it names needs no bridge.
        hits: the evidence.
        pool: n units.
        words: the terms of each unit.
        chosen: the anchors, indices into `pool`.

    Returns:
        float64 (n,), in [0, 1]: the best over the document's title and the last heading. 0 where anchors of the same
        document alone, or the question, name it.
    """
    asked = frozenset(terms(question))
    by: dict[str, set[str]] = {}
    for unit in chosen:
        by.setdefault(hits[pool[unit].hit].doc, set()).update(words[unit])
    named: dict[str, int] = {}
    for found in by.values():
        for word in found:
            named[word] = named.get(word, 0) + 1
    bonus = np.array([_share(hit, asked, named, by.get(hit.doc, frozenset())) for hit in hits])
    return bonus[[unit.hit for unit in pool]] if pool else np.zeros(0)


def _share(hit: Hit, asked: frozenset[str], named: dict[str, int], own: set[str] | frozenset[str]) -> float:
    """The best share of a title or heading of a hit that units of other documents name."""
    best = 0.0
    for title in {hit.document.title, *hit.path[-1:]}:
        wanted = frozenset(terms(ASIDE.sub(" ", title))) or frozenset(terms(title))
        there = {word for word in wanted if named.get(word, 0) > (word in own)}
        if there - asked:
            best = max(best, len(there) / len(wanted))
    return best
