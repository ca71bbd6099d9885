"""Tables of a PDF: rows in a row whose cells stand under each other.

Two rows belong together when at least two cells of one begin, end or are centred where cells of the other do. Three
such rows are a table; so are two with three columns each. Lines between with one cell only are its cells' further
lines.
Drawn rules are not looked at: text that is aligned in columns is a table with and without them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.loaders.pdf_lines import Line

__all__ = ["tables"]

NEAR = 3.0  # points between edges that are aligned
ROWS = 3
GAP = 2.2  # heights between two rows of a table
MARK = re.compile(r"(?:[-–—•·◦▪●○■□*+✓➢►▶]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,5})[.)]|\[\d{1,3}\]|\d+(?:\.\d+)*\.?|§+)$")


def tables(lines: Sequence[Line], skipped: set[int]) -> list[tuple[int, int]]:
    """First and last line (inclusive) of each table.

    Args:
        lines: in the order of reading.
        skipped: lines of contents, which are no tables.
    """
    found: list[tuple[int, int]] = []
    k = 0
    while k < len(lines):
        if k in skipped or not _many(lines[k]):
            k += 1
            continue
        last, rows, wide = _grow(lines, skipped, k)
        if rows >= ROWS or (rows == 2 and wide >= 3):
            found.append((k, last))
            k = last + 1
        else:
            k += 1
    return found


def _cells(line: Line) -> int:
    """Cells of a row, where a mark of a list counts with what it marks."""
    return len(line.pieces) - (len(line.pieces) > 1 and bool(MARK.match(line.pieces[0].text)) and len(line.pieces) == 2)


def _many(line: Line) -> bool:
    return _cells(line) >= 2 and line.mono < 0.9


def _grow(lines: Sequence[Line], skipped: set[int], first: int) -> tuple[int, int, int]:
    """Last line of the table that may begin here, its rows, and the fewest cells of one."""
    row, last, rows, wide = first, first, 1, _cells(lines[first])
    k = first + 1
    single = 0
    while k < len(lines) and k not in skipped:
        line, above = lines[k], lines[k - 1]
        gap = line.place[1] - above.place[3]
        if line.page != above.page or line.column != above.column or gap > GAP * above.height:
            break
        if _many(line):
            if not _aligned(lines[row], line):
                break
            row, last, rows, single = k, k, rows + 1, 0
            wide = min(wide, _cells(line))
        else:
            single += 1
            if single > 3 or not _under(lines[row], line):
                break
        k += 1
    return last, rows, wide


def _aligned(one: Line, other: Line) -> bool:
    """Whether at least two cells stand under cells of the other row."""
    hits = 0
    for cell in other.pieces:
        left, _, right, _ = cell.place
        for above in one.pieces:
            a, _, b, _ = above.place
            if abs(left - a) <= NEAR or abs(right - b) <= NEAR or abs(left + right - a - b) <= 2 * NEAR:
                hits += 1
                break
    return hits >= 2


def _under(row: Line, line: Line) -> bool:
    """Whether a line is the further text of one cell of a row: under its left edge, and not across all columns."""
    left, _, right, _ = line.place
    return any(abs(left - cell.place[0]) <= NEAR for cell in row.pieces) and right - left < 0.75 * (
        line.span[1] - line.span[0]
    )
