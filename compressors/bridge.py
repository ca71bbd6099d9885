"""Units that the best ones point to: their title is named there, and not in the question.

Questions that need two documents name one and describe the other, so the second is found only through the first. Units
that are kept first (the anchors, a share of the budget by relevance alone) name things; a unit under a title of which
they name a part gains, by the share of the title that is named.

The dependency term of budgeted packing; see `compressors.bubble` for what it adds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.lexical import stem, terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.types import Hit
    from rag.units import Unit

__all__ = ["anchors", "bridged"]

COMMON = 6  # units that may name a title that still points somewhere
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
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

    A title is named with a capital or by a number. Its words weigh their idf among the units, and what is named
    everywhere (in more than `COMMON` units, and more than 2 % of them) points nowhere.

    Args:
        question: what it names needs no bridge.
        hits: the evidence.
        pool: n units.
        words: the terms of each unit.
        chosen: the anchors, indices into `pool`.

    Returns:
        float64 (n,), in [0, 1], of the document's title. 0 where anchors of the same document alone, or the question,
        name it.
    """
    asked = frozenset(terms(question))
    by: dict[str, set[str]] = {}
    for unit in chosen:
        hit = hits[pool[unit].hit]
        names = named(hit.document.text[pool[unit].start : pool[unit].end])
        by.setdefault(hit.doc, set()).update(words[unit] & names)
    said = Counter(word for found in by.values() for word in found)
    spread = Counter(word for found in words for word in found)
    rare = Rare(len(pool), spread)
    bonus: dict[str, float] = {}
    for hit in hits:
        if hit.doc not in bonus:
            bonus[hit.doc] = _share(hit.document.title, asked, said, by.get(hit.doc, frozenset()), rare)
    return np.array([bonus[hits[unit.hit].doc] for unit in pool]) if pool else np.zeros(0)


def named(text: str) -> frozenset[str]:
    """The stems of words that begin with a capital or a digit."""
    return frozenset(stem(word.lower()) for word in WORD.findall(text) if word[0].isupper() or word[0].isdigit())


class Rare(NamedTuple):
    """How often words occur: n units, and in how many each word stands."""

    n: int
    spread: Mapping[str, int]

    def weight(self, words: Iterable[str]) -> float:
        """The sum of the words' idf."""
        return sum(math.log1p(self.n / (1 + self.spread.get(word, 0))) for word in sorted(words))

    def everywhere(self, words: Iterable[str]) -> bool:
        """Whether even the rarest of the words is common."""
        return min(self.spread.get(word, 0) for word in words) > max(COMMON, self.n * 0.02)


def _share(title: str, asked: frozenset[str], said: Mapping[str, int], own: Collection[str], rare: Rare) -> float:
    """The share of a title that units of other documents name."""
    wanted = frozenset(terms(ASIDE.sub(" ", title))) or frozenset(terms(title))
    there = {word for word in wanted if said.get(word, 0) > (word in own)}
    if not there - asked or rare.everywhere(there - asked):
        return 0.0
    return round(rare.weight(there) / max(rare.weight(wanted), 1e-9), 9)
