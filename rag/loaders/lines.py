"""The lines of a text as arrays: where each begins and ends, how far it is indented, what it begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Lines", "code_points", "lines_of"]

INDENT = re.compile(r"[ \t]*")
STEPS = 16  # columns of indent that are followed for all lines at once


def code_points(text: str) -> NDArray[Any]:
    """uint8 or uint32 (len(text),), the code points; one byte each where the text is ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@dataclass(frozen=True)
class Lines:
    """All arrays have one entry a line; a text that ends in a line break has no empty last line.

    Args:
        start: int64, first code point; a byte-order mark before the first line is passed over.
        end: int64, one past the last code point before the line break.
        first: int64, the first code point that is neither space nor tab; `end` in a blank line.
        lead: uint32, the code point there; 0 in a blank line.
        tabs: bool, whether a tab stands before `first`.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    first: NDArray[np.int64]
    lead: NDArray[np.uint32]
    tabs: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.start)

    def indents(self, text: str) -> NDArray[np.int64]:
        """int64, columns before the first character; a tab goes to the next multiple of four."""
        columns = self.first - self.start
        for i in np.flatnonzero(self.tabs).tolist():
            columns[i] = len(text[self.start[i] : self.first[i]].expandtabs(4))
        return columns


def lines_of(text: str, codes: NDArray[Any]) -> Lines:
    r"""Cut a text at `\n`, `\r\n` and lone `\r`.

    Args:
        text: the text.
        codes: its code points (`code_points`).
    """
    size = len(codes)
    breaks = codes == 10
    if "\r" in text:
        alone = codes == 13
        alone[:-1] &= ~breaks[1:]
        breaks |= alone
    last = np.flatnonzero(breaks)
    start = np.concatenate((np.zeros(1, dtype=np.int64), last + 1))
    end = np.append(last, size)
    if start[-1] == size:
        start, end = start[:-1], end[:-1]
    if text.startswith("\ufeff"):
        start[0] = 1
    if "\r\n" in text:
        end = end - ((end > start) & (codes[np.maximum(end - 1, 0)] == 13))
    first, tabs = _first(text, codes, start, end)
    inside = first < end
    lead = np.zeros(len(start), dtype=np.uint32)
    lead[inside] = codes[first[inside]]
    return Lines(start, end, first, lead, tabs)


def _first(
    text: str, codes: NDArray[Any], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    first = start.copy()
    tabs = np.zeros(len(start), dtype=bool)
    open_ = np.flatnonzero(start < end)
    for _ in range(STEPS):
        here = codes[first[open_]]
        blank = (here == 32) | (here == 9)
        open_ = open_[blank]
        if not len(open_):
            return first, tabs
        tabs[open_] |= here[blank] == 9
        first[open_] += 1
        open_ = open_[first[open_] < end[open_]]
    for i in open_.tolist():
        match = INDENT.match(text, int(first[i]), int(end[i]))
        stop = match.end() if match else int(first[i])
        tabs[i] |= "\t" in text[first[i] : stop]
        first[i] = stop
    return first, tabs
