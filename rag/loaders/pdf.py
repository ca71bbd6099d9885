"""PDF -> the text of its text layer, with a page and a box for every block.

The text is what PDFium extracts, lines as they stand on the page: hyphens at line ends are kept, for
joining words would be guessing. Lines become blocks by their distance and size; larger type
becomes headings. Columns come in the order of the file. Pictures of text are not read.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rag.errors import LoadError
from rag.loaders.inflate import expanded
from rag.loaders.limits import Clock, Limits
from rag.optional import require
from rag.types import Block

__all__ = ["Extracted", "extract"]

LOCK = threading.Lock()  # PDFium is not safe in threads
HYPHENS = {0x2: "-", 0xFFFE: "-"}  # how PDFium writes a hyphen that ends a line
GAP = 0.75  # space between two lines, in line heights, from which a new block begins
LARGER = 1.15  # times the body's type size: a heading
LONGEST = 200  # characters of a heading
LEVELS = 6


class Extracted(NamedTuple):
    """What a PDF says: text, blocks, title of its metadata, and `pages` among the facts."""

    text: str
    blocks: tuple[Block, ...]
    title: str
    facts: Mapping[str, Any]


class Line(NamedTuple):
    """One line of a page: text, box in points from the top left corner, type size in points, page from 1."""

    text: str
    box: tuple[float, float, float, float]
    size: float
    page: int


def extract(data: bytes, *, name: str = "pdf", limits: Limits = Limits(), clock: Clock | None = None) -> Extracted:  # noqa: B008
    """Read a PDF.

    Args:
        data: the file.
        name: how messages call it.
        limits: characters, and what the file may unpack to.
        clock: looked at for every page.

    Returns:
        Lines joined by a line break, blocks by a blank line, pages by a form feed between blank lines.

    Raises:
        LoadError: encrypted, broken, or without a text layer.
        MissingExtra: the extra `pdf` is not installed.
    """
    pdfium = require("pypdfium2", extra="pdf", by="loading a PDF")
    clock = clock or Clock(name, limits)
    limits.expanded_ok(name, expanded(data, limits.max_expanded))
    with LOCK:
        try:
            file = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if "password" in str(error).lower():
                raise LoadError(
                    f"{name}: is encrypted, and no password can be given. Save a copy without one."
                ) from error
            raise LoadError(f"{name}: not a PDF that can be read: {_said(error)}. Export it again.") from error
        try:
            pages = len(file)
            lines = list(_lines(pdfium, file, name, limits, clock))
            title = " ".join(str(file.get_metadata_value("Title") or "").replace("\0", " ").split())
        finally:
            file.close()
    if not any(line.text for line in lines):
        raise LoadError(
            f"{name}: no text layer on any of its {pages} pages (a scan?); pictures are not read. Run OCR on it first."
        )
    text, blocks = _blocks(lines)
    limits.chars_ok(name, len(text))
    return Extracted(text, blocks, title, {"pages": pages})


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


def _lines(pdfium: Any, file: Any, name: str, limits: Limits, clock: Clock) -> Iterator[Line]:
    total = 0
    for number in range(len(file)):
        clock.check()
        try:
            page = file[number]
            layer = page.get_textpage()
        except pdfium.PdfiumError as error:
            raise LoadError(
                f"{name}: page {number + 1} cannot be read: {_said(error)}. Export the file again."
            ) from error
        for line in _page(pdfium.raw, layer, page.get_height(), number + 1):
            total += len(line.text)
            limits.chars_ok(name, total)
            yield line
        layer.close()
        page.close()


def _page(raw: Any, layer: Any, height: float, number: int) -> Iterator[Line]:
    """The lines of one page that are not blank; PDFium ends each with CR LF, or with a mark where a word goes on."""
    start = 0
    chars: list[int] = []
    count = raw.FPDFText_CountChars(layer)
    for i in range(count + 1):
        code = raw.FPDFText_GetUnicode(layer, i) if i < count else 10
        if code not in (10, 13):
            chars.append(code)
            if code not in HYPHENS:
                continue
        text = _text(chars)
        if text:
            box = _box(raw, layer, start, len(chars), height)
            first = next((k for k, c in enumerate(chars) if chr(c).isalnum()), len(chars) // 2)  # a bullet may be small
            yield Line(text, box, round(_size(raw, layer, start + first), 1), number)
        start = i + 1
        chars.clear()


def _text(codes: Sequence[int]) -> str:
    line = "".join(HYPHENS.get(code) or (chr(code) if code else "") for code in codes).strip()
    if any("\ud800" <= char <= "\udfff" for char in line):
        line = line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return line


def _size(raw: Any, layer: Any, index: int) -> float:
    """Type size on the page: the font's own, scaled by the matrix it is drawn with."""
    matrix = raw.FS_MATRIX()
    size = float(raw.FPDFText_GetFontSize(layer, index))
    if raw.FPDFText_GetMatrix(layer, index, matrix):
        size *= float((matrix.c**2 + matrix.d**2) ** 0.5) or 1.0
    return size


def _box(raw: Any, layer: Any, start: int, count: int, height: float) -> tuple[float, float, float, float]:
    parts = range(raw.FPDFText_CountRects(layer, start, count))
    return _union([box for i in parts if (box := _rect(raw, layer, i, height))])


def _rect(raw: Any, layer: Any, index: int, height: float) -> tuple[float, float, float, float] | None:
    left, top, right, bottom = (ctypes.c_double() for _ in range(4))
    if not raw.FPDFText_GetRect(layer, index, left, top, right, bottom):
        return None
    return left.value, height - top.value, right.value, height - bottom.value


def _union(boxes: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0)
    left, top, right, bottom = zip(*boxes, strict=True)
    return round(min(left), 2), round(min(top), 2), round(max(right), 2), round(max(bottom), 2)


def _blocks(lines: Sequence[Line]) -> tuple[str, tuple[Block, ...]]:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    body = min(weights, key=lambda size: (-weights[size], size))
    groups: list[list[Line]] = []
    for line in lines:
        if groups and _together(groups[-1][-1], line):
            groups[-1].append(line)
        else:
            groups.append([line])
    heads = [_heading(group, body) for group in groups]
    sizes = sorted({group[0].size for group, head in zip(groups, heads, strict=True) if head}, reverse=True)
    parts: list[str] = []
    blocks: list[Block] = []
    at, page = 0, 0
    for group, head in zip(groups, heads, strict=True):
        gap = "" if not blocks else "\n\n" if group[0].page == page else "\n\n\f\n"
        page = group[0].page
        text = (" " if head else "\n").join(line.text for line in group)
        start, end = at + len(gap), at + len(gap) + len(text)
        level = min(sizes.index(group[0].size) + 1, LEVELS) if head else 0
        box = _union([line.box for line in group])
        blocks.append(Block(start, end, "heading" if head else "text", level, (start, end), page, box))
        parts += (gap, text)
        at = end
    return "".join(parts), tuple(blocks)


def _together(above: Line, below: Line) -> bool:
    """Whether two lines in a row belong to one block: same page and size, no wide gap, not a jump back up."""
    height = max(above.box[3] - above.box[1], above.size, 1.0)
    gap = below.box[1] - above.box[3]
    return above.page == below.page and abs(above.size - below.size) < 0.6 and -height < gap < GAP * height


def _heading(group: Sequence[Line], body: float) -> bool:
    length = sum(len(line.text) for line in group)
    return group[0].size >= LARGER * body and length <= LONGEST and any(char.isalpha() for char in group[0].text)
