"""Units that say nothing that a better one does not say: near duplicates, but never where a number or a name differs.

Directed containment of word 3-shingles, |A and B| / |A| (units under eight words: all words, in a row), because what
matters is whether A adds anything to B. Broder, "On the resemblance and containment of documents", 1997. Exact: what no
other unit holds is counted first, for all units at once, and only units of which others hold enough are compared.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["covered"]

WORD = re.compile(r"[^\W_]+(?:['’.,:/-][^\W_]+)*")
SHORT, RUN = 8, 3
MOST = 2**62  # numbers below it multiply without overflow
LEAST = 0.9  # share of a unit's shingles that another holds
WORDS = "no not never none neither nor without cannot can't don't doesn't didn't won't isn't aren't"
NEGATIONS = frozenset(WORDS.split())


class Shared(NamedTuple):
    """The runs of words of n units.

    Args:
        size: n, distinct runs of each unit.
        held: for each unit the numbers of those that another unit has too.
    """

    size: list[int]
    held: list[frozenset[int]]


def covered(texts: Sequence[str], order: Sequence[int]) -> dict[int, int]:
    """For each unit that adds nothing, the better one that covers it.

    Args:
        texts: n units.
        order: which to look at, best first; of two alike the first stays.

    Returns:
        unit -> the unit that covers it: of several the one that shares most, then the best. What differs in a number,
        a name within the sentence or a negation stays.
    """
    words = [WORD.findall(texts[unit].lower()) for unit in order]  # from here on a unit is its rank
    ids: dict[str, int] = {}
    flat = np.array([ids.setdefault(word, len(ids)) for some in words for word in some], dtype=np.int64)
    of = np.repeat(np.arange(len(words)), [len(some) for some in words])
    long, short = _shared(flat, of, len(words), RUN), _shared(flat, of, len(words), 1)
    own = [short if len(some) < SHORT else long for some in words]
    maybe = [0 < LEAST * table.size[i] <= len(table.held[i]) for i, table in enumerate(own)]
    if not any(maybe):
        return {}
    asked = [
        frozenset[int]().union(*(table.held[i] for i, one in enumerate(own) if maybe[i] and one is table))
        for table in (long, short)
    ]
    line = [f" {' '.join(some)} " for some in words]
    seen: dict[int, Facts] = {}
    index: tuple[defaultdict[int, list[int]], ...] = (defaultdict(list), defaultdict(list))
    found: dict[int, int] = {}
    for i, table in enumerate(own):
        kind = 0 if table is long else 1
        if maybe[i]:
            held = [index[kind][one] for one in table.held[i]]
            if kind:  # few words in any order say little of what a unit says
                alike = [other for other in min(held, key=len) if line[i] in line[other]]
            else:
                counts = Counter(itertools.chain.from_iterable(held))
                need = LEAST * table.size[i]
                near = sorted([(-count, other) for other, count in counts.items() if count >= need])
                alike = [other for _, other in near]
            by = next((other for other in alike if _same(texts, order, seen, i, other)), None)
            if by is not None:
                found[order[i]] = order[by]
                continue
        for one in () if kind else long.held[i] & asked[0]:
            index[0][one].append(i)
        for one in short.held[i] & asked[1]:  # a short unit looks for its words
            index[1][one].append(i)
    return found


def _shared(flat: NDArray[np.int64], of: NDArray[np.int64], n: int, run: int) -> Shared:
    """Runs of so many words.

    Args:
        flat: int64 (w,), the words of all units, as numbers.
        of: int64 (w,), ascending, whose they are.
        n: units.
        run: words in a row.
    """
    last = max(len(flat) - run + 1, 0)
    code, whose = flat[:last], of[:last]
    base = int(flat.max(initial=0)) + 1
    for step in range(1, run):
        if int(code.max(initial=0)) >= MOST // base:
            code = np.unique(code, return_inverse=True)[1]
        code = code * base + flat[step : step + last]
    whole = whose == of[run - 1 : run - 1 + last]
    code, whose = code[whole], whose[whole]
    number = np.unique(code, return_inverse=True)[1] if run > 1 else code
    often = np.bincount(number, minlength=1)[number] > 1
    base = int(number.max(initial=0)) + 1  # from here on of runs
    unit, number = np.divmod(np.unique(whose[often] * base + number[often]), base)
    size = np.bincount(whose[~often], minlength=n) + np.bincount(unit, minlength=n)
    common = np.bincount(number, minlength=1)[number] > 1
    edges = np.searchsorted(unit[common], np.arange(n + 1)).tolist()
    numbers = number[common].tolist()
    return Shared(size.tolist(), [frozenset(numbers[a:b]) for a, b in itertools.pairwise(edges)])


class Facts(NamedTuple):
    """Numbers, words that begin with a capital inside the unit, and whether it is negated."""

    said: frozenset[str]
    negated: bool


def _same(texts: Sequence[str], order: Sequence[int], seen: dict[int, Facts], one: int, other: int) -> bool:
    """Whether all that one states as fact the other states too."""
    for rank in (one, other):
        if rank not in seen:
            seen[rank] = _facts(WORD.findall(texts[order[rank]]))
    return seen[one].said <= seen[other].said and seen[one].negated == seen[other].negated


def _facts(words: Sequence[str]) -> Facts:
    said = (word.lower() for i, word in enumerate(words) if any(map(str.isdigit, word)) or (i and word[0].isupper()))
    return Facts(frozenset(said), sum(word.lower() in NEGATIONS for word in words) % 2 == 1)
