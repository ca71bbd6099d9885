"""Rows of a Markdown table, the ends of a formula, and which line comes next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cells", "math_end", "nearest"]

CELL = re.compile(r"(?<!\\)\|")
MATH = 400  # lines after which a formula that is not closed is text


class Scan(Protocol):
    """What is read of a scan over lines."""

    size: int
    full: list[bool]

    def row(self, i: int, /) -> str:
        """Line i without its indent."""


def math_end(scan: Scan, i: int) -> int:
    """The last line of a formula between `$$`, -1 where there is none; blank lines and marks in it say nothing."""
    row = scan.row(i).rstrip()
    if not row.startswith("$$"):
        return -1
    if len(row) > 4 and row.endswith("$$"):
        return i
    for j in range(i + 1, min(scan.size, i + MATH)):
        if scan.full[j] and scan.row(j).rstrip().endswith("$$"):
            return j
    return -1


def nearest(mask: NDArray[np.bool_], size: int) -> list[int]:
    """For each line the first line at or behind it where `mask` holds; `size` where there is none."""
    where = np.where(mask, np.arange(size), size)
    found: list[int] = np.minimum.accumulate(where[::-1])[::-1].tolist()
    return found


def cells(row: str) -> int:
    """Cells of a table row."""
    row = row.strip()
    closed = len(row) > 1 and row.endswith("|") and not row.endswith("\\|")
    return len(CELL.findall(row)) + 1 - row.startswith("|") - closed
