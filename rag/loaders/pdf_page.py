"""One page of a PDF -> pieces of lines: text between wide gaps, where it stands and how it is set.

PDFium says for every character its code point, its box and its font, in the space of the page as it was drawn.
Here characters become pieces in the space of the page as it is shown (turned by the page's own rotation, cut by its
crop box). Where most text of a page runs upwards or downwards, pieces also carry the place they have when the
page is turned so that one can read it, and the order of reading is found there.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Box", "Piece", "Reader", "union"]

Box = tuple[float, float, float, float]
HYPHENS = {0x2: "-", 0xFFFE: "-"}  # how PDFium writes a hyphen that ends a line
WIDE = 0.95  # a gap in em that parts two pieces
BOLD = re.compile(
    r"bold|black|heavy|semib|demi|-medi|-bd|(?:^|\+)(?:cm|sf|ec|la|lh|ts|t1)[a-z]{0,3}bx|(?:^|\+)cmb\d", re.I
)
MONO = re.compile(r"mono|courier|typewriter|console?|menlo|code|(?:^|\+)(?:cm|sf|ec)[a-z]{0,2}tt|lmtt|fixed|-tt", re.I)
ITALIC = re.compile(r"ital|obli|slant|(?:^|\+)(?:cm|sf|ec)(?:ti|sl|bxti|ssi|mi)\d|-it\b", re.I)
FIXED, SLANTED, FORCED = 1, 1 << 6, 1 << 18  # flags of a font descriptor
HEAVY = 600
SIZES = (2.0, 400.0)  # type sizes in points that can be meant


class Piece(NamedTuple):
    """Text on one line without a wide gap.

    Args:
        text: without blanks at its ends.
        box: in points from the top left corner of the page as it is shown.
        place: the same on the page as it is read, with the ascent and descent of the font.
        size: type size in points.
        bold: share of its characters that are, 0 to 1; `mono` and `italic` as well.
        font: its most frequent font.
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
    turned: bool = False


class Glyphs(NamedTuple):
    """The characters of a page that are not blank.

    Args:
        shown: float64 (n, 4), boxes of the ink on the page as it is shown.
        read: float64 (n, 4), boxes with ascent and descent on the page as it is read.
        seen: int64 (n,), their indices among all characters.
        line: int64 (n,), PDFium's lines.
        turned: bool (n,), whether they run in another direction than most.
    """

    shown: NDArray[np.float64]
    read: NDArray[np.float64]
    seen: NDArray[np.int64]
    line: NDArray[np.int64]
    turned: NDArray[np.bool_]


class Face(NamedTuple):
    """What the name and the flags of a font say."""

    name: str
    bold: bool
    mono: bool
    italic: bool


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box around all; zeros around none."""
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0)
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


@lru_cache(maxsize=512)
def _face(name: str, flags: int, weight: int) -> Face:
    return Face(
        name,
        bool(BOLD.search(name)) or bool(flags & FORCED) or weight >= HEAVY,
        bool(flags & FIXED) or bool(MONO.search(name)),
        bool(flags & SLANTED) or bool(ITALIC.search(name)),
    )


class Reader:
    """PDFium's functions with plain addresses for arguments, a third of the time of its own binding."""

    def __init__(self, raw: Any) -> None:
        number, address, double = ctypes.c_int, ctypes.c_void_p, ctypes.c_double

        def bind(name: str, *given: Any, gives: Any = number) -> Callable[..., Any]:
            made: Callable[..., Any] = ctypes.CFUNCTYPE(gives, address, number, *given)(
                ctypes.cast(getattr(raw, name), address).value or 0
            )
            return made

        self.count = raw.FPDFText_CountChars
        self.code = bind("FPDFText_GetUnicode", gives=ctypes.c_uint)
        self.loose = bind("FPDFText_GetLooseCharBox", address)
        self.tight = bind("FPDFText_GetCharBox", address, address, address, address)
        self.size = bind("FPDFText_GetFontSize", gives=double)
        self.weight = bind("FPDFText_GetFontWeight")
        self.matrix = bind("FPDFText_GetMatrix", address)
        self.font = bind("FPDFText_GetFontInfo", address, ctypes.c_ulong, address, gives=ctypes.c_ulong)
        self.name = ctypes.create_string_buffer(256)
        self.flags = ctypes.c_int()
        self.six = np.zeros(6, dtype=np.float32)

    def pieces(self, layer: Any, *, bounds: Box, turn: int) -> tuple[list[Piece], int]:
        """The pieces of a page, in the order of the file, and the direction of most of them.

        Args:
            layer: PDFium's text of the page.
            bounds: left, bottom, right, top of what is shown of it, in its own space.
            turn: quarter turns to the right that it is shown with.

        Returns:
            Pieces, and in how many quarter turns to the left their lines run in the page's own space.
        """
        count = self.count(layer)
        if count <= 0:
            return [], 0
        page = ctypes.cast(layer.raw, ctypes.c_void_p).value
        codes = np.fromiter((self.code(page, i) for i in range(count)), dtype=np.int64, count=count)
        loose = np.zeros((count, 4), dtype=np.float32)  # left, top, right, bottom
        tight = np.zeros((count, 4), dtype=np.float64)  # left, right, bottom, top
        at, there = loose.ctypes.data, tight.ctypes.data
        for i in range(count):
            self.loose(page, i, at + 16 * i)
            here = there + 32 * i
            self.tight(page, i, here, here + 8, here + 16, here + 24)
        boxes = tight[:, [0, 2, 1, 3]]
        wide = loose[:, [0, 3, 2, 1]].astype(np.float64)
        seen = np.flatnonzero(~np.isin(codes, BLANKS))
        if not len(seen):
            return [], 0
        _repair(boxes, wide, seen)
        line = np.cumsum(np.isin(codes, (10, 13)) | _behind(codes)).astype(np.int64)
        first = seen[np.concatenate(([True], line[seen[1:]] != line[seen[:-1]]))]
        angles = np.array([self._angle(page, int(i)) for i in first])
        lengths = np.diff(np.append(np.searchsorted(seen, first), len(seen)))
        main = _main(angles, lengths)
        shown = _turned(boxes, bounds, turn)
        read = _turned(wide, bounds, main)
        angle = np.repeat(angles, lengths)
        return self._cut(page, codes, Glyphs(shown[seen], read[seen], seen, line[seen], angle != main)), main

    def _angle(self, page: Any, index: int) -> int:
        """Quarter turns to the left of the direction of writing; 9 for any other angle."""
        if not self.matrix(page, index, self.six.ctypes.data):
            return 0
        a, b = float(self.six[0]), float(self.six[1])
        if abs(b) <= 0.05 * abs(a):
            return 0 if a >= 0 else 2
        return (1 if b > 0 else 3) if abs(a) <= 0.05 * abs(b) else 9

    def _cut(self, page: Any, codes: NDArray[np.int64], glyphs: Glyphs) -> list[Piece]:
        """Pieces of the characters seen, with the fonts of their words."""
        seen, box = glyphs.seen, glyphs.read
        starts, words = _breaks(glyphs)
        fonts = [(w, *self._font(page, int(seen[w]))) for w in words]
        found: list[Piece] = []
        k = 0
        for a, b in zip(starts, [*starts[1:], len(seen)], strict=True):
            text = _text(codes[seen[a] : seen[b - 1] + 1])
            weights: Counter[float] = Counter()
            names: Counter[str] = Counter()
            bold = mono = italic = 0
            while k < len(fonts) and fonts[k][0] < b:
                w, size, face = fonts[k]
                k += 1
                length = (fonts[k][0] if k < len(fonts) else len(seen)) - w
                weights[size] += length
                names[face.name] += length
                bold, mono, italic = bold + length * face.bold, mono + length * face.mono, italic + length * face.italic
            if text and np.any(glyphs.shown[a:b]):
                size = min(weights, key=lambda s: (-weights[s], s))
                name = min(names, key=lambda n: (-names[n], n))
                shares = (bold / (b - a), mono / (b - a), italic / (b - a))
                turned = bool(glyphs.turned[a])
                found.append(Piece(text, _hull(glyphs.shown[a:b]), _hull(box[a:b]), size, *shares, name, turned))
        return found

    def _font(self, page: Any, index: int) -> tuple[float, Face]:
        """Type size on the page (the font's own, scaled by the matrix it is drawn with) and the face."""
        size = float(self.size(page, index))
        if self.matrix(page, index, self.six.ctypes.data):
            c, d = float(self.six[2]), float(self.six[3])
            size *= (c * c + d * d) ** 0.5 or 1.0
        length = self.font(page, index, ctypes.addressof(self.name), 256, ctypes.addressof(self.flags))
        name = self.name.raw[: max(0, min(int(length), 256) - 1)].decode("latin-1")
        face = _face(name, self.flags.value, int(self.weight(page, index)))
        return round(min(max(size, SIZES[0]), SIZES[1]), 1), face


BLANKS = np.array([0, 9, 10, 11, 12, 13, 32, 0xA0, 0xAD, 0x200B])


def _repair(boxes: NDArray[np.float64], wide: NDArray[np.float64], seen: NDArray[np.int64]) -> None:
    """Give characters without a box (marks that PDFium put in) the right edge of the one before."""
    empty = (boxes[seen, 2] <= boxes[seen, 0]) & (boxes[seen, 3] <= boxes[seen, 1])
    for k in np.flatnonzero(empty).tolist():
        if k:
            boxes[seen[k]], wide[seen[k]] = boxes[seen[k - 1]], wide[seen[k - 1]]
            boxes[seen[k], 0], wide[seen[k], 0] = boxes[seen[k], 2], wide[seen[k], 2]


def _breaks(glyphs: Glyphs) -> tuple[list[int], list[int]]:
    """Where pieces begin, and where words do."""
    box, line = glyphs.read, glyphs.line
    em = np.clip(box[:, 3] - box[:, 1], 4.0, None)
    em[1:] = np.maximum(em[1:], em[:-1])
    gap = np.zeros(len(box))
    gap[1:] = box[1:, 0] - box[:-1, 2]
    level = (box[:, 1] + box[:, 3]) / 2
    step = np.zeros(len(box))
    step[1:] = np.abs(np.diff(level))
    cut = ~glyphs.turned & ((gap > WIDE * em) | (gap < -4 * em) | (step > 0.8 * em))
    cut[0] = True
    cut[1:] |= line[1:] != line[:-1]
    word = cut.copy()
    word[1:] |= np.diff(glyphs.seen) > 1
    return np.flatnonzero(cut).tolist(), np.flatnonzero(word).tolist()


def _behind(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Characters behind one of PDFium's hyphens, which stand for a line's end."""
    mark = np.zeros(len(codes), dtype=bool)
    mark[1:] = np.isin(codes[:-1], list(HYPHENS))
    return mark


def _main(angles: NDArray[np.int64], lengths: NDArray[np.int64]) -> int:
    """The direction of most text."""
    sums = np.bincount(angles, weights=lengths, minlength=10)
    return int(np.argmax(sums)) if np.argmax(sums) < 4 else 0


def _turned(boxes: NDArray[np.float64], bounds: Box, turn: int) -> NDArray[np.float64]:
    """Left, bottom, right, top of the page's space -> left, top, right, bottom of the page after quarter turns."""
    left, bottom, right, top = bounds
    x0, y0, x1, y1 = boxes.T
    columns = (
        (x0 - left, top - y1, x1 - left, top - y0),
        (y0 - bottom, x0 - left, y1 - bottom, x1 - left),
        (right - x1, y0 - bottom, right - x0, y1 - bottom),
        (top - y1, right - x1, top - y0, right - x0),
    )[turn % 4]
    return np.stack(columns, axis=1)


def _hull(boxes: NDArray[np.float64]) -> Box:
    low, high = boxes.min(axis=0), boxes.max(axis=0)
    return round(float(low[0]), 2), round(float(low[1]), 2), round(float(high[2]), 2), round(float(high[3]), 2)


def _text(codes: NDArray[np.int64]) -> str:
    line = "".join([HYPHENS.get(code) or (chr(code) if code else "") for code in codes.tolist()])
    line = " ".join(line.split())
    if any("\ud800" <= char <= "\udfff" for char in line):
        line = line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return line
