"""Features of the places where a discourse unit may begin, hashed into the table of weights.

Each template is a set of columns around a word: forms, endings, classes and shapes of it and of its neighbours, the
white space in front of it, and how far the next thing that looks like a verb is, on either side, and the next mark.
Columns are multiplied by odd numbers of their own and added; one round of mixing gives the place in the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rag.edu.words import MARKS, VERBS, Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.uint32]

__all__ = ["BITS", "TEMPLATES", "places"]

BITS = 17  # of a place in the table
VERB_FAR, MARK_FAR = 7, 9  # distances beyond which all is the same
# w form, e ending, b beginning, c class, h shape, g gap; L and R words to a verb, l and r to a mark
TEMPLATES = tuple(
    line.strip()
    for line in """
    w-4; w-3; w-2; w-1; w0; w1; w2; w3; w4; e-2; e-1; e0; e1; e2; e3; b0; b1
    c-4; c-3; c-2; c-1; c0; c1; c2; c3; c4; c5; h-1 c-1; h0 c0; h1 c1; h2 c2
    w-1 w0; w0 w1; w-2 w-1; w1 w2; w-1 w1; w-1 w0 w1; w-2 w-1 w0; w0 w1 w2
    w0 e1; w0 e1 e2; w0 e-1; w0 e-1 e1; w-1 e0; w-1 e0 e1; e-1 e0 e1
    w0 c-1 c1; w0 c1 c2; w0 c1 c2 c3; w0 c-1 c-2; c-1 c0 c1; c-2 c-1 c0 c1; c0 c1 c2 c3; c-1 c0 c1 c2; c-3 c-2 c-1 c0
    c-2 c-1 c0 c1 c2; w-1 c0 c1; w-1 c0 c1 c2; w-1 w0 c1; w-1 w0 c1 c2; w-1 c0 c1 c2 c3
    g0; g0 c0; g0 c-1; g0 c-1 c0; g0 w0; g0 w-1 h0; w-1 h0 g0; c-1 h0 h1 g0
    L0 c0; R0 c0; L0 R0 c0; L0 R0 w0; L0 w0; R0 w0; R0 w-1; L0 R0 c-1 c0; R0 w0 c1
    l0 c0; r0 c0; l0 r0 c0; l0 w0; r0 w0; l0 R0 w0; c-1 w0 R0; c-1 c0 R0 L0; c-1 w0 L0 R0
    """.replace("\n", ";").split(";")
    if line.strip()
)


def places(words: Words) -> Iterator[NDArray[np.uint32]]:
    """For each template the places in the table, (n,) below 2**BITS."""
    verb, mark = VERBS[words.kind], MARKS[words.kind]
    columns: dict[str, Column] = {
        "w": words.form,
        "e": words.end,
        "b": words.begin,
        "c": words.kind,
        "h": words.shape,
        "g": words.gap,
        "L": _distance(verb, mark, VERB_FAR),
        "R": _distance(verb[::-1], mark[::-1], VERB_FAR)[::-1],
        "l": _distance(mark, np.zeros_like(mark), MARK_FAR),
        "r": _distance(mark[::-1], np.zeros_like(mark), MARK_FAR)[::-1],
    }
    ready: dict[str, Column] = {}
    for number, template in enumerate(TEMPLATES, 1):
        total = np.full(len(words.start), number * 0x9E3779B1 & 0xFFFFFFFF, dtype=np.uint32)
        for name in template.split():
            if name not in ready:
                ready[name] = _moved(columns[name[0]], int(name[1:])) * _odd(name)
            total += ready[name]
        total ^= total >> np.uint32(15)
        total *= np.uint32(0x85EBCA6B)
        yield total >> np.uint32(32 - BITS)


def _odd(name: str) -> np.uint32:
    """An odd number for a column at a distance."""
    return np.uint32((ord(name[0]) * 0x9E3779B1 + (int(name[1:]) + 8) * 0xC2B2AE35) & 0xFFFFFFFF | 1)


def _moved(column: Column, by: int) -> Column:
    """Each word's neighbour `by` words on; 0 beyond the ends."""
    found = np.zeros_like(column)
    if by > 0:
        found[:-by] = column[by:]
    elif by < 0:
        found[-by:] = column[:by]
    else:
        found[:] = column
    return found


def _distance(flag: NDArray[np.bool_], stop: NDArray[np.bool_], far: int) -> Column:
    """Words back to the nearest flag with no stop between, at most `far`."""
    n = len(flag)
    index = np.arange(n)
    last = np.maximum.accumulate(np.where(flag, index, -1)) if n else index
    halt = np.maximum.accumulate(np.where(stop, index, -1)) if n else index
    last, halt = np.append(-1, last)[:n], np.append(-1, halt)[:n]
    distance = np.where((last < 0) | (last < halt), far, index - last)
    return np.minimum(distance, far).astype(np.uint32)
