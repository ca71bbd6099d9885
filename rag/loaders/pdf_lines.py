"""Pieces of a page -> its lines in the order of reading: columns first, then rows, then from left to right.

A column gap is a strip that few lines cross and that has lines of prose on both sides at the same height; prose is
what tells it from the gap between the columns of a table, whose cells are short, or prose on one side and lines at
other heights on the other, for the cells of a row stand at one height. What crosses the strip (a title over
both columns, a wide figure's caption) ends the columns above it. Columns are looked for inside columns again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.loaders.pdf_page import Box, Piece, union

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Line", "lines"]

MARGIN = 0.15  # of the width: no column gap so near to the sides
LEAST = 6  # rows with prose on both sides
FILLED = 0.6  # of its column is filled by the middle line
PROSE = 16  # characters of a line of prose
SAME = 0.4  # of the height: baselines nearer than that are one row
DEPTH = 3  # columns inside columns: up to 8


class Line(NamedTuple):
    """One line as it is read.

    Args:
        text: its pieces with a space between.
        box: points from the top left corner of the page as it is shown.
        place: the same on the page as it is read (see `rag.loaders.pdf_page`).
        size: type size in points.
        bold: share of its characters, 0 to 1; `mono` and `italic` as well.
        font: its most frequent font.
        page: from 1.
        column: number of the column, counted over the page from 0.
        span: left and right edge of that column.
        pieces: what stands between its wide gaps.
        turned: whether it runs in another direction than most of the page.
    """

    text: str
    box: Box
    place: Box
    size: float
    bold: float
    mono: float
    italic: float
    font: str
    page: int
    column: int
    span: tuple[float, float]
    pieces: tuple[Piece, ...]
    turned: bool = False

    @property
    def height(self) -> float:
        """Of the line, ascent to descent."""
        return max(self.place[3] - self.place[1], 1.0)


def lines(pieces: Sequence[Piece], page: int) -> list[Line]:
    """The lines of a page as they are read; those that run in another direction come last.

    Args:
        pieces: of the page, in any order.
        page: its number.
    """
    straight = [piece for piece in pieces if not piece.turned]
    edge = _edge(straight)
    beside = [piece for piece in straight if piece.place[2] < edge]
    if beside:
        straight = [piece for piece in straight if piece.place[2] >= edge]
    found: list[Line] = []
    for column, group in enumerate(_columns(straight, DEPTH)):
        left, _, right, _ = union([piece.place for piece in group])
        found += [_line(row, page, column, (left, right)) for row in _rows(group)]
    found += [_line([p], page, -2, (p.place[0], p.place[2])) for p in sorted(beside, key=_reading)]
    aside = [piece for piece in pieces if piece.turned]
    return found + [_line([p], page, -1, (p.place[0], p.place[2]), turned=True) for p in aside]


def _reading(piece: Piece) -> tuple[float, float, str]:
    """Top to bottom, then left to right."""
    return piece.place[1] + piece.place[3], piece.place[0], piece.text


def _edge(pieces: Sequence[Piece]) -> float:
    """What ends left of this stands in the margin: notes and line numbers, but no number of a heading."""
    if len(pieces) < 2 * LEAST:
        return 0.0
    starts: Counter[float] = Counter()
    for piece in pieces:
        starts[round(piece.place[0] / 2) * 2] += len(piece.text) * (len(piece.text) >= PROSE)
    if not starts:
        return 0.0
    left = min(starts, key=lambda x: (-starts[x], x))
    right = max(piece.place[2] for piece in pieces)
    out = [piece for piece in pieces if piece.place[2] < left - 2]
    wide = max((piece.place[2] - piece.place[0] for piece in out), default=0.0)
    if not out or wide > 0.3 * (right - left) or len(out) > 0.6 * len(pieces):
        return 0.0
    usual = sorted(piece.size for piece in pieces)[len(pieces) // 2]
    numbers = [piece for piece in out if piece.text[0].isdigit()]
    if any(piece.size >= 0.9 * usual and not piece.text.isdigit() for piece in numbers):
        return 0.0
    large = sum(piece.size >= 0.9 * usual for piece in numbers)
    return left - 2 if not large or large > LEAST else 0.0


def _line(row: Sequence[Piece], page: int, column: int, span: tuple[float, float], *, turned: bool = False) -> Line:
    sizes: Counter[float] = Counter()
    fonts: Counter[str] = Counter()
    for piece in row:
        sizes[piece.size] += len(piece.text)
        fonts[piece.font] += len(piece.text)
    total = sum(sizes.values())
    bold, mono, italic = (
        sum(share * len(piece.text) for share, piece in zip(shares, row, strict=True)) / total
        for shares in ([p.bold for p in row], [p.mono for p in row], [p.italic for p in row])
    )
    return Line(
        " ".join(piece.text for piece in row),
        union([piece.box for piece in row]),
        union([piece.place for piece in row]),
        min(sizes, key=lambda s: (-sizes[s], s)),
        round(bold, 3),
        round(mono, 3),
        round(italic, 3),
        min(fonts, key=lambda f: (-fonts[f], f)),
        page,
        column,
        span,
        tuple(row),
        turned,
    )


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces of one column on one baseline, top to bottom; each row from left to right."""
    rows: list[list[Piece]] = []
    middles: list[float] = []
    for piece in sorted(pieces, key=_reading):
        middle = (piece.place[1] + piece.place[3]) / 2
        height = piece.place[3] - piece.place[1]
        fits = -1
        for k in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            near = abs(middle - middles[k]) <= SAME * min(height, rows[k][0].place[3] - rows[k][0].place[1])
            if near and all(_beside(piece, other) for other in rows[k]):
                fits = k
                break
        if fits >= 0:
            rows[fits].append(piece)
        else:
            rows.append([piece])
            middles.append(middle)
    for row in rows:
        row.sort(key=lambda p: (p.place[0], p.text))
    return rows


def _beside(one: Piece, other: Piece) -> bool:
    slack = 0.3 * min(one.size, other.size)
    return one.place[0] >= other.place[2] - slack or other.place[0] >= one.place[2] - slack


def _columns(pieces: Sequence[Piece], depth: int) -> list[list[Piece]]:
    """Pieces of each column, in the order of reading; a part of a page between two columns is one of its own."""
    if not pieces:
        return []
    gap = _gap(pieces) if depth else None
    if gap is None:
        return [list(pieces)]
    done: list[list[Piece]] = []
    left: list[Piece] = []
    right: list[Piece] = []
    across: list[Piece] = []

    def flush() -> None:
        for side in (left, right):
            done.extend(_columns(side, depth - 1))
            side.clear()

    for piece in sorted(pieces, key=_reading):
        side = left if piece.place[2] <= gap + 1 else right if piece.place[0] >= gap - 1 else across
        if side is across:
            flush()
        elif across:
            row = across[-1]
            if abs(_middle(piece) - _middle(row)) <= SAME * row.size:  # the rest of a row that crosses
                side = across
            else:
                done.append(across.copy())
                across.clear()
        side.append(piece)
    if across:
        done.append(across)
    flush()
    return done


def _middle(piece: Piece) -> float:
    return (piece.place[1] + piece.place[3]) / 2


def _gap(pieces: Sequence[Piece]) -> float | None:
    """Where the best column gap lies; None where there is none."""
    if len(pieces) < 2 * LEAST:
        return None
    box = np.array([piece.place for piece in pieces])
    length = np.array([len(piece.text) for piece in pieces])
    west, east = float(box[:, 0].min()), float(box[:, 2].max())
    width = east - west
    edges, often = np.unique(np.round(box[:, 0], 0), return_counts=True)
    tried = edges[often >= LEAST // 2] - 1.5  # a column begins right of its gap
    tried = tried[(tried > west + MARGIN * width) & (tried < east - MARGIN * width)]
    if not len(tried):
        return None
    middle = (box[:, 1] + box[:, 3]) / 2
    best: tuple[float, float] | None = None
    for x in tried.tolist():
        on_left, on_right = box[:, 2] <= x + 1, box[:, 0] >= x - 1
        crossing = ~on_left & ~on_right
        sides = []
        for side, room, edge in (
            (on_left, x - west, box[:, 2] - box[:, 0]),
            (on_right, east - x, box[:, 2] - box[:, 0]),
        ):
            prose = side & (length >= PROSE) & (edge >= FILLED * room)
            sides.append((prose, int(prose.sum()), int(side.sum())))
        (one, n, all_left), (other, m, all_right) = sides
        if min(n, m) >= LEAST and n >= 0.3 * all_left and m >= 0.3 * all_right:
            paired = min(_within(middle[one], middle[other]), _within(middle[other], middle[one]))
        elif (
            max(n, m) >= 2 * LEAST
            and min(all_left, all_right) >= LEAST // 2
            and abs(x - west - width / 2) < 0.2 * width
        ):
            some, rest = (on_left, other) if n < m else (on_right, one)
            if _level(middle[some], middle[rest]) >= 0.5 * int(some.sum()):
                continue  # cells of a table, which stand at one height
            paired = LEAST
        else:
            continue
        score = paired - 0.5 * float(crossing.sum())
        if paired >= LEAST and (best is None or score > best[0]):
            best = (score, x)
    return best[1] if best and best[0] > -0.5 * len(pieces) else None


def _level(some: NDArray[np.float64], others: NDArray[np.float64]) -> int:
    """How many of some stand at the very height of one of the others."""
    return int((np.abs(some[:, None] - others[None, :]).min(axis=1) < 1.5).sum())


def _within(some: NDArray[np.float64], others: NDArray[np.float64]) -> int:
    """How many of some stand at the height of the others."""
    return int(((some >= others.min() - 6) & (some <= others.max() + 6)).sum())
