"""Lines, headings and tables of a PDF -> its text and blocks.

The text is the body in the order of reading, pages parted by a form feed, and behind it the furniture of all pages, a
line each. So a sentence that goes on over a page or column is whole in the text: its second half is a block of
its own (it has its own page and box) with level 1, which says that it goes on from the block before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rag.loaders.pdf_headings import CAPTION, Heading
from rag.loaders.pdf_lines import Line
from rag.loaders.pdf_page import Box, union
from rag.loaders.pdf_style import Body
from rag.types import Block

__all__ = ["Part", "parts", "written"]

BULLET = re.compile(r"(?:[-–—•·◦▪●○■□*✓➢►▶‣⁃∙]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]|\[\d{1,3}\])\s+(?=\S)")
ENDED = re.compile(r"[.!?:;…。！？][\"'”’)\]]*$")
CELL = " | "
PROSE = 24  # characters of a line that may go on in the next column


class Part(NamedTuple):
    """Lines `first` to `last` (inclusive) become one block."""

    first: int
    last: int
    kind: str
    level: int = 0


def parts(
    lines: Sequence[Line],
    *,
    heads: Sequence[Heading],
    tables: Sequence[tuple[int, int]],
    contents: set[int],
    body: Body,
) -> list[Part]:
    """Divide the lines of the body into blocks."""
    begins: dict[int, Part] = {h.first: Part(h.first, h.last, "heading", h.level) for h in heads}
    begins.update({first: Part(first, last, "table") for first, last in tables if first not in begins})
    found: list[Part] = []
    k = 0
    while k < len(lines):
        if k in begins:
            found.append(begins[k])
            k = begins[k].last + 1
            continue
        last = k
        kind, level = _kind(lines, k, contents, body)
        while last + 1 < len(lines) and last + 1 not in begins and _same(lines, last, kind, contents, body):
            last += 1
        above = found[-1] if found else None
        if kind == "text" and above and _continues(lines, above, k):
            level = 1
        found.append(Part(k, last, kind, level))
        k = last + 1
    return found


def _kind(lines: Sequence[Line], k: int, contents: set[int], body: Body) -> tuple[str, int]:
    line = lines[k]
    if k in contents:
        return "list", 0
    if CAPTION.match(line.text) and line.text[-1] != ",":
        return ("figure" if re.match(r"fig|abb", line.text, re.IGNORECASE) else "text"), 0
    if line.mono > 0.85 and not body_is_mono(body):
        return "code", 0
    if BULLET.match(line.text):
        return "list", max(0, min(9, round((line.place[0] - line.span[0]) / (2 * max(line.size, 4.0)))))
    return "text", 0


def body_is_mono(body: Body) -> bool:
    """Whether the running text is set in a font of one width."""
    return any(word in body.font.lower() for word in ("mono", "courier", "tt1", "cmtt", "typewriter"))


def _same(lines: Sequence[Line], last: int, kind: str, contents: set[int], body: Body) -> bool:  # noqa: PLR0911
    """Whether the line behind `last` belongs to its block."""
    above, below = lines[last], lines[last + 1]
    if above.page != below.page or above.column != below.column:
        return False
    if kind == "list" and last in contents:
        return False
    if last + 1 in contents:
        return False
    gap = (below.place[1] - above.place[3]) / max(min(above.height, below.height), 1.0)
    other, _ = _kind(lines, last + 1, contents, body)
    if kind == "code":
        return other == "code" and gap < 2.5
    if other != "text":
        return False
    if not -1.2 < gap < body.leading + 0.45 or abs(above.size - below.size) > 0.8 * max(1.0, 0.1 * above.size):
        return False
    if kind == "list":
        return below.place[0] > above.place[0] - 2 or not ENDED.search(above.text)
    indent = below.place[0] - above.place[0]
    left, right = above.span
    short = above.place[2] < right - 0.12 * (right - left)
    if short and ENDED.search(above.text) and (indent > 2 or gap > body.leading + 0.15):
        return False
    return not (indent > 0.8 * below.size and ENDED.search(above.text) and abs(above.place[0] - left) < 2)


def _continues(lines: Sequence[Line], above: Part, k: int) -> bool:
    """Whether a block goes on from one on another page or in another column."""
    if above.kind not in ("text", "list"):
        return False
    one, other = lines[above.last], lines[k]
    if one.page == other.page and one.column == other.column:
        return False
    if abs(one.size - other.size) > 0.6 or len(one.text) < PROSE:
        return False
    head = other.text[:1]
    if not ENDED.search(one.text):
        return head.islower() or one.text[-1] in "-," or one.place[2] > one.span[1] - 0.12 * (one.span[1] - one.span[0])
    return False


class Written(NamedTuple):
    """A text, its blocks, and the range of each page's body in it (page -> start, end)."""

    text: str
    blocks: tuple[Block, ...]
    pages: Mapping[int, tuple[int, int]]


def written(lines: Sequence[Line], found: Sequence[Part], furniture: Sequence[Line]) -> Written:
    """Write the text down.

    Args:
        lines: of the body, in the order of reading.
        found: its parts, in order.
        furniture: lines that go behind the body, in the order of pages.
    """
    out: list[str] = []
    blocks: list[Block] = []
    pages: dict[int, tuple[int, int]] = {}
    at = 0
    page = 0
    for part in found:
        rows = lines[part.first : part.last + 1]
        text = _text(rows, part.kind)
        new = rows[0].page != page
        gap = "" if not blocks else _gap(part, new=new)
        page = rows[0].page
        start = at + len(gap)
        end = start + len(text)
        mark = BULLET.match(text) if part.kind == "list" else None
        inner = (start + (mark.end() if mark else 0), end)
        blocks.append(Block(start, end, part.kind, part.level, inner, page, _rounded([row.box for row in rows])))
        out += (gap, text)
        at = end
        pages[page] = (pages.get(page, (start, end))[0], end)
    for line in furniture:
        gap = "" if not blocks else "\n\n\f\n" if page != -1 else "\n"
        page = -1
        start, end = at + len(gap), at + len(gap) + len(line.text)
        blocks.append(Block(start, end, "supplement", 0, (start, end), line.page, _rounded([line.box])))
        out += (gap, line.text)
        at = end
    return Written("".join(out), tuple(blocks), pages)


def _gap(part: Part, *, new: bool) -> str:
    """What stands between a block and the one before: less where a sentence goes on."""
    if part.kind == "text" and part.level == 1:
        return "\n\f" if new else "\n"
    return "\n\n\f\n" if new else "\n\n"


def _text(rows: Sequence[Line], kind: str) -> str:
    if kind == "heading":
        return " ".join(row.text for row in rows)
    if kind == "table":
        return "\n".join(CELL.join(piece.text for piece in row.pieces) for row in rows)
    if kind == "code":
        return _code(rows)
    return "\n".join(row.text for row in rows)


def _code(rows: Sequence[Line]) -> str:
    """Lines of code with their indents and wide gaps, in characters of their own width."""
    widths = sorted((p.place[2] - p.place[0]) / len(p.text) for row in rows for p in row.pieces)
    width = max(widths[len(widths) // 2], 1.0)
    left = min(row.place[0] for row in rows)
    done: list[str] = []
    for row in rows:
        text = ""
        for piece in row.pieces:
            column = min(round((piece.place[0] - left) / width), 200)
            text += " " * max(column - len(text), 1 if text else 0) + piece.text
        done.append(text)
    done[0] = done[0].lstrip()
    return "\n".join(done)


def _rounded(boxes: Sequence[Box]) -> Box:
    left, top, right, bottom = union(boxes)
    return round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)
