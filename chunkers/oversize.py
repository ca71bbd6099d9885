"""What to do with a unit that does not fit: cut it at clauses, at words, and where there is no blank, anywhere."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from chunkers.prices import PRICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chunkers.measure import Ruler

__all__ = ["SLACK", "parts", "wide_units", "within"]

SLACK = 8  # tokens by which a slice may have more than start in it

CLAUSE = np.array([ord(c) for c in ",;:)]—–"], dtype=np.uint32)
CJK_CLAUSE = np.array([ord(c) for c in "、，；：。！？」』）"], dtype=np.uint32)
JOINERS = frozenset("\u200d\ufe0e\ufe0f")
LOOK = 32  # code points to walk back for the start of a grapheme


def wide_units(
    ruler: Ruler, at: NDArray[np.int64], size: int, cap: int
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Cuts inside every unit that may not fit, about eight to a segment: behind a clause where there is one.

    Args:
        ruler: the text.
        at: int64 (n,), the cuts so far, the end of the text among them.
        size: tokens wished for in a segment.
        cap: most tokens of a unit.
    """
    rank = ruler.rank(at)
    wide = np.flatnonzero(rank[1:] - rank[:-1] > cap - SLACK).tolist()
    return [_cells(ruler, int(at[k]), int(at[k + 1]), max(4, size // 8)) for k in wide]


def _cells(ruler: Ruler, start: int, end: int, step: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best cut in every cell of `step` tokens."""
    blank, codes = ruler.blank[start:end], ruler.codes[start:end]
    word = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
    before = codes[np.maximum(word - 2, 0)]
    clause = np.isin(before, CLAUSE)
    if codes.dtype != np.uint8:
        tight = np.flatnonzero(np.isin(codes[:-1], CJK_CLAUSE) & ~np.isin(codes[1:], CJK_CLAUSE) & ~blank[1:]) + 1
        word = np.concatenate((word, tight))
        clause = np.concatenate((clause, np.ones(len(tight), dtype=bool)))
    if not len(word):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    word = word + start
    cell = ruler.rank(word) // step
    order = np.lexsort((word, clause, cell))  # in each cell clauses last, later places last
    cell = cell[order]
    best = order[np.append(cell[1:] != cell[:-1], True)]
    return word[best], np.where(clause[best], PRICES["clause"], PRICES["word"])


def parts(ruler: Ruler, start: int, end: int, size: int, cap: int) -> list[tuple[int, int]]:
    """Cut a range that has no usable blank into even parts that fit, between graphemes where possible.

    Args:
        ruler: the text.
        start: first code point of the range.
        end: one past its last.
        size: tokens wished for in a part.
        cap: most tokens of a part; a single code point is never cut.

    Returns:
        `(end, tokens)` of each part, in order.
    """
    first, last = ruler.rank(np.array([start, end])).tolist()
    count = max(2, -(-(last - first) // size))
    steps = first + (last - first) * np.arange(1, count) // count
    marks = np.clip(ruler.starts[steps], start, end).tolist() if last > first else []
    found: list[tuple[int, int]] = []
    stack = [end, *reversed([_grapheme(ruler.text, m, start) for m in marks])]
    at = start
    while stack:
        stop = stack.pop()
        if stop <= at:
            continue
        tokens = ruler.tokenizer.count(ruler.text[at:stop])
        if tokens > cap and stop - at > 1:
            middle = _grapheme(ruler.text, (at + stop) // 2, at)
            stack += [stop, middle if middle > at else (at + stop) // 2]
            continue
        found.append((stop, tokens))
        at = stop
    return found


def within(
    ruler: Ruler, spans: Sequence[tuple[int, int]], tokens: Sequence[int], size: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """The same spans, those over the size cut into even parts.

    Args:
        ruler: the text.
        spans: ranges of the text, in order.
        tokens: of each.
        size: most tokens of a span.

    Returns:
        The spans and their tokens.
    """
    done: list[tuple[int, int]] = []
    counts: list[int] = []
    for (start, end), held in zip(spans, tokens, strict=True):
        pieces = [(end, held)] if held <= size else parts(ruler, start, end, size, size)
        stops = [stop for stop, _ in pieces]
        done += zip([start, *stops], stops, strict=False)
        counts += [count for _, count in pieces]
    return done, counts


def _grapheme(text: str, at: int, low: int) -> int:
    """The nearest start of a grapheme at or before a place, or the place itself where none is near."""
    for place in range(at, max(low, at - LOOK), -1):
        if place >= len(text) or not _continues(text, place):
            return place
    return at


def _continues(text: str, at: int) -> bool:
    """Whether the code point belongs to the one before it: a mark, a joiner, the second half of a line break."""
    here, before = text[at], text[at - 1]
    if here in JOINERS or before == "\u200d" or "\U0001f3fb" <= here <= "\U0001f3ff":
        return True
    if "\U0001f1e6" <= here <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff":
        return True
    return (before == "\r" and here == "\n") or unicodedata.category(here)[0] == "M"
