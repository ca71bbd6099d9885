"""PDF -> the text of its text layer in the order of reading, with blocks that have a page and a box.

PDFium says what stands where (`pdf_page`); columns and rows give the order (`pdf_lines`); what repeats from page to
page goes behind the text (`pdf_furniture`); tables of contents (`pdf_contents`), tables (`pdf_tables`) and headings
are found. Headings come from the bookmarks where there are enough of them (`pdf_bookmarks`), else from numbers, type
and contents (`pdf_headings`), both through one validator (`outline`). Hyphens at line ends are kept, for joining words
would be guessing. Pictures of text are not read. No model is asked.

The order of sources, bookmarks before numbers before type, follows what MoDora (https://arxiv.org/abs/2602.23061) and
PageIndex (https://github.com/VectifyAI/PageIndex) do with language models.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rag.errors import LoadError
from rag.loaders.inflate import expanded
from rag.loaders.limits import Clock, Limits
from rag.loaders.pdf_blocks import parts, written
from rag.loaders.pdf_bookmarks import Bookmark, matched
from rag.loaders.pdf_contents import Entry, entries, named
from rag.loaders.pdf_furniture import furniture
from rag.loaders.pdf_headings import Heading, headings
from rag.loaders.pdf_lines import Line, lines
from rag.loaders.pdf_page import Reader
from rag.loaders.pdf_style import body_of
from rag.loaders.pdf_tables import tables
from rag.optional import require
from rag.types import Block

__all__ = ["Extracted", "bookmarks", "extract"]

LOCK = threading.Lock()  # PDFium is not safe in threads
FEWEST = 3  # bookmarks that are an outline
MATCHED = 0.5  # of the bookmarks whose title stands on their page
SPARSE = 12  # pages a bookmark; with fewer of them, headings between are looked for too
BOOKMARKS = 20_000
LEVELS = 9


class Extracted(NamedTuple):
    """What a PDF says: text, blocks, title of its metadata, and facts.

    The facts: `page_count`; `pages`, for each page [start, end, width, height], the range of its body in the text and
    its size in points; `outline`, the source of its headings: `bookmarks`, `layout` or `both`.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str
    facts: Mapping[str, Any]


class Sheet(NamedTuple):
    """One page: its lines, its width and height as shown, its height as read."""

    lines: list[Line]
    width: float
    height: float
    tall: float


def extract(
    data: bytes,
    *,
    name: str = "pdf",
    limits: Limits = Limits(),  # noqa: B008
    clock: Clock | None = None,
    use_bookmarks: bool = True,
) -> Extracted:
    """Read a PDF.

    Args:
        data: the file.
        name: how messages call it.
        limits: characters, and what the file may unpack to.
        clock: looked at for every page.
        use_bookmarks: whether headings come from the bookmarks where these are good.

    Returns:
        Lines joined by a line break, blocks by a blank line, pages by a form feed.

    Raises:
        LoadError: encrypted, broken, or without a text layer.
        MissingExtra: the extra `pdf` is not installed.
    """
    pdfium = require("pypdfium2", extra="pdf", by="loading a PDF")
    clock = clock or Clock(name, limits)
    limits.expanded_ok(name, expanded(data, limits.max_expanded))
    with LOCK:
        file = _open(pdfium, data, name)
        try:
            sheets = _sheets(pdfium, file, name, limits, clock)
            marks = _bookmarks(file, [sheet.height for sheet in sheets]) if use_bookmarks else []
            title = " ".join(str(file.get_metadata_value("Title") or "").replace("\0", " ").split())
        finally:
            file.close()
    if not any(sheet.lines for sheet in sheets):
        raise LoadError(
            f"{name}: no text layer on any of its {len(sheets)} pages (a scan?); pictures are not read. "
            "Run OCR on it first."
        )
    flags = furniture([sheet.lines for sheet in sheets], [sheet.tall for sheet in sheets])
    clock.check()
    body: list[Line] = []
    aside: list[Line] = []
    for sheet, flagged in zip(sheets, flags, strict=True):
        for line, is_aside in zip(sheet.lines, flagged, strict=True):
            (aside if is_aside else body).append(line)
    contents = entries(body)
    grid = tables(body, contents[1])
    heads, source = _headings(body, contents, grid, marks, len(sheets))
    clock.check()
    cells = _without(grid, heads)
    made = written(body, parts(body, heads=heads, tables=cells, contents=contents[1], body=body_of(body)), aside)
    limits.chars_ok(name, len(made.text))
    facts = {"page_count": len(sheets), "pages": _table(sheets, made.pages), "outline": source}
    return Extracted(made.text, made.blocks, title, facts)


def bookmarks(data: bytes, *, name: str = "pdf") -> list[Bookmark]:
    """The bookmarks of a PDF that lead to a page, in their order.

    Args:
        data: the file.
        name: how messages call it.

    Raises:
        LoadError: encrypted or broken.
        MissingExtra: the extra `pdf` is not installed.
    """
    pdfium = require("pypdfium2", extra="pdf", by="loading a PDF")
    with LOCK:
        file = _open(pdfium, data, name)
        try:
            return _bookmarks(file, [0.0] * len(file))
        finally:
            file.close()


def _open(pdfium: Any, data: bytes, name: str) -> Any:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise LoadError(f"{name}: is encrypted, and no password can be given. Save a copy without one.") from error
        raise LoadError(f"{name}: not a PDF that can be read: {_said(error)}. Export it again.") from error


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


def _sheets(pdfium: Any, file: Any, name: str, limits: Limits, clock: Clock) -> list[Sheet]:
    reader = Reader(pdfium.raw)
    found: list[Sheet] = []
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
        limits.chars_ok(name, total + reader.count(layer))
        turn = page.get_rotation() // 90
        pieces, main = reader.pieces(layer, bounds=page.get_bbox(), turn=turn)
        width, height = page.get_size()
        found.append(Sheet(lines(pieces, number + 1), width, height, height if (turn - main) % 2 == 0 else width))
        total += sum(len(piece.text) for piece in pieces)
        limits.chars_ok(name, total)
        layer.close()
        page.close()
    return found


def _bookmarks(file: Any, heights: Sequence[float]) -> list[Bookmark]:
    found: list[Bookmark] = []
    for item in file.get_toc(max_depth=LEVELS):
        title = " ".join(str(item.get_title()).replace("\0", " ").split())
        dest = item.get_dest()
        page = dest.get_index() if dest is not None else None
        if not title or page is None or not 0 <= page < len(heights):
            continue
        mode, view = dest.get_view()
        found.append(Bookmark(title, item.level + 1, page + 1, _down(mode, view, heights[page])))
        if len(found) >= BOOKMARKS:
            break
    return found


def _down(mode: int, view: Sequence[float | None], height: float) -> float:
    """How far down its page a bookmark leads, in points; -1 where it does not say."""
    at = {1: 1, 3: 0, 7: 0}.get(mode)  # a point has its height second, a full width first
    if at is None or len(view) <= at or view[at] is None:
        return -1.0
    return max(0.0, height - float(view[at] or 0.0))


def _headings(
    body: Sequence[Line],
    contents: tuple[Sequence[Entry], set[int]],
    grid: Sequence[tuple[int, int]],
    marks: Sequence[Bookmark],
    pages: int,
) -> tuple[list[Heading], str]:
    """The headings and where they come from."""
    found, taken = contents
    rest = [k for k in range(len(body)) if k not in taken]
    lead = matched([body[k] for k in rest], marks) if len(marks) >= FEWEST else {}
    led = {rest[first]: (rest[last], level) for first, (last, level) in lead.items()}
    good = len(led) >= max(FEWEST, MATCHED * len(marks))
    if good and SPARSE * len(led) >= pages:
        levels = _steps([level for _, (_, level) in sorted(led.items())])
        return [Heading(k, led[k][0], level) for k, level in zip(sorted(led), levels, strict=True)], "bookmarks"
    told = named(body, found, taken)
    sure = {k: level for k, (_, level) in led.items()} if good else {}
    skipped = taken | {k for first, last in grid for k in range(first, last + 1)}
    heads = headings(body, skipped=skipped - set(told) - set(sure), named=told, sure=sure)
    return heads, "both" if good else "layout"


def _steps(levels: Sequence[int]) -> list[int]:
    """Levels that go down by one step at a time, from 1."""
    done: list[int] = []
    for level in levels:
        done.append(min(level, (done[-1] if done else 0) + 1))
    return done


def _without(grid: Sequence[tuple[int, int]], heads: Sequence[Heading]) -> list[tuple[int, int]]:
    """Tables cut where a heading stands in them."""
    lines = sorted({k for head in heads for k in range(head.first, head.last + 1)})
    found: list[tuple[int, int]] = []
    at = 0
    for first, last in grid:
        while at < len(lines) and lines[at] < first:
            at += 1
        start = first
        while at < len(lines) and lines[at] <= last:
            if lines[at] > start:
                found.append((start, lines[at] - 1))
            start = lines[at] + 1
            at += 1
        if start <= last:
            found.append((start, last))
    return found


def _table(sheets: Sequence[Sheet], pages: Mapping[int, tuple[int, int]]) -> list[list[float]]:
    """[start, end, width, height] of every page; an empty one stands where the one before ends."""
    rows: list[list[float]] = []
    end = 0
    for number, sheet in enumerate(sheets, 1):
        start, end = pages.get(number, (end, end))
        rows.append([start, end, round(sheet.width, 2), round(sheet.height, 2)])
    return rows
