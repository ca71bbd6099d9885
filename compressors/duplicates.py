"""Units that say nothing that a better one does not say: near duplicates, but never where a number or a name differs.

Directed containment of word 3-shingles, |A and B| / |A| (units under eight words: words), because what matters is
whether A adds anything to B. Broder, "On the resemblance and containment of documents", 1997. Exact, by an inverted
index over the shingles of what is kept.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

__all__ = ["covered"]

WORD = re.compile(r"[^\W_]+(?:['’.,:/-][^\W_]+)*")
SHORT, RUN = 8, 3
LEAST = 0.9  # share of a unit's shingles that another holds
NEGATIONS = "no not never none neither nor without cannot can't don't doesn't didn't won't isn't aren't"


def covered(texts: Sequence[str], order: Sequence[int]) -> dict[int, int]:
    """For each unit that adds nothing, the better one that covers it.

    Args:
        texts: n units.
        order: which to look at, best first; of two alike the first stays.

    Returns:
        unit -> the unit that covers it. What differs in a number, a name within the sentence or a negation stays.
    """
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    facts: dict[int, frozenset[str]] = {}
    found: dict[int, int] = {}
    rank = {unit: k for k, unit in enumerate(order)}
    for unit in order:
        words = WORD.findall(texts[unit])
        mine, sure = _shingles(words), _facts(words)
        shared: Counter[int] = Counter(other for one in mine for other in index[one])
        need = LEAST * len(mine)
        for other, count in sorted(shared.items(), key=lambda pair: (-pair[1], rank[pair[0]])):
            if count < need:
                break
            if sure <= facts[other] and _negated(words) == ("!" in facts[other]):
                found[unit] = other
                break
        if unit not in found and mine:
            facts[unit] = sure | ({"!"} if _negated(words) else frozenset())
            for one in mine | _shingles(words, 1):  # a short unit looks for its words
                index[one].append(unit)
    return found


def _shingles(words: Sequence[str], run: int = 0) -> frozenset[tuple[str, ...]]:
    low = [word.lower() for word in words]
    run = run or (1 if len(low) < SHORT else RUN)
    return frozenset(tuple(low[i : i + run]) for i in range(len(low) - run + 1))


def _facts(words: Sequence[str]) -> frozenset[str]:
    """Numbers, and words that begin with a capital inside the unit."""
    return frozenset(
        word.lower() for i, word in enumerate(words) if any(map(str.isdigit, word)) or (i and word[0].isupper())
    )


def _negated(words: Sequence[str]) -> bool:
    return sum(word.lower() in NEGATIONS.split() for word in words) % 2 == 1
