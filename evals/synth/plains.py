"""Plain texts made from Markdown, in several layouts, to measure how well headings are found.

A text keeps its words and paragraphs; its headings are set as writers of plain text set them: numbered and indented
with contents and page feet as in a memo of the IETF, by articles and sections as in a contract, by items as in a yearly
report, underlined, in capitals, or numbered in front of paragraphs of one line. Where they stand is kept.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import NamedTuple

from rag.loaders.markdown import scan

__all__ = ["LAYOUTS", "Made", "text_of"]

LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKS = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|\s*\{#[^}]*\}$")
PAGE = 54  # lines of a page
WIDTH = 72


class Made(NamedTuple):
    """A text and the (place, level from 1) of each heading in it."""

    text: str
    heads: list[tuple[int, int]]


class Row(NamedTuple):
    """A block of text without its marks; level 0 is no heading."""

    text: str
    level: int
    kind: str


def _rows(markdown: str) -> list[Row]:
    found: list[Row] = []
    above: list[int] = []
    for block in scan(markdown):
        text = markdown[slice(*block.inner)] if block.kind == "heading" else markdown[block.start : block.end]
        if block.kind == "code":
            found.append(
                Row("\n".join(r for r in text.splitlines() if not r.strip().startswith(("```", "~~~"))), 0, "code")
            )
            continue
        words = MARKS.sub("", LINK.sub(r"\1", " ".join(text.split())))
        if not words or block.kind in {"rule", "html", "front_matter"}:
            continue
        if block.kind == "heading":
            above = [*(one for one in above if one < block.level), block.level]
        found.append(Row(words, len(above) if block.kind == "heading" else 0, block.kind))
    return found


def _counted(rows: list[Row]) -> list[tuple[int, ...]]:
    """The number of each row below the first level."""
    counts = [0] * 8
    found: list[tuple[int, ...]] = []
    for row in rows:
        if row.level:
            counts[row.level] += 1
            counts[row.level + 1 :] = [0] * (7 - row.level)
        found.append(tuple(n or 1 for n in counts[2 : row.level + 1]))
    return found


def _roman(n: int) -> str:
    pairs = zip((50, 40, 10, 9, 5, 4, 1), ("L", "XL", "X", "IX", "V", "IV", "I"), strict=True)
    said = ""
    for value, letters in pairs:
        said, n = said + letters * (n // value), n % value
    return said


def _wrapped(text: str, indent: int = 0, kind: str = "text") -> str:
    if kind == "code":
        return textwrap.indent(text, " " * (indent + 3))
    return textwrap.fill(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2 * (kind == "list"))
    )


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _memo(row: Row, number: tuple[int, ...]) -> str:
    if not row.level:
        return _wrapped(row.text, 3, row.kind)
    return f"{_dotted(number)}.  {row.text}" if number else row.text.center(WIDTH).rstrip()


def _contract(row: Row, number: tuple[int, ...]) -> str:
    if not row.level:
        return _wrapped(row.text, 0, row.kind)
    if not number:
        return row.text.upper().center(WIDTH).rstrip()
    if len(number) == 1:
        return f"ARTICLE {_roman(number[0])}. {row.text.upper()}"
    if len(number) == 2:
        return f"Section {number[0]}.{number[1]:02}. {row.text}."
    return f"{_dotted(number)} {row.text}"


def _report(row: Row, number: tuple[int, ...]) -> str:
    if not row.level:
        return row.text
    if not number:
        return row.text.upper()
    return f"Item {number[0]}. {row.text}" if len(number) == 1 else row.text.title() if len(number) == 2 else row.text


def _underlined(row: Row, _: tuple[int, ...]) -> str:
    return f"{row.text}\n{'=-~^.'[row.level - 1] * len(row.text)}" if row.level else _wrapped(row.text, 0, row.kind)


def _capitals(row: Row, _: tuple[int, ...]) -> str:
    if not row.level:
        return _wrapped(row.text, 0, row.kind)
    return row.text.upper() if row.level == 1 else row.text


def _lines(row: Row, number: tuple[int, ...]) -> str:
    return f"{_dotted(number)} {row.text}" if number else row.text


LAYOUTS: dict[str, Callable[[Row, tuple[int, ...]], str]] = {
    "memo": _memo,
    "contract": _contract,
    "report": _report,
    "underlined": _underlined,
    "capitals": _capitals,
    "lines": _lines,
}


def text_of(markdown: str, layout: str) -> Made:
    """A Markdown text as plain text.

    Args:
        markdown: its text.
        layout: one of `LAYOUTS`; `memo` has contents and page feet, `lines` has no blank lines.
    """
    rows = _rows(markdown)
    numbers = _counted(rows)
    set_ = LAYOUTS[layout]
    text = ""
    heads: list[tuple[int, int]] = []
    page = line = 0
    between = "\n" if layout == "lines" else "\n\n"
    for k, (row, number) in enumerate(zip(rows, numbers, strict=True)):
        piece = set_(row, number)
        if layout == "memo" and line + piece.count("\n") > PAGE:
            page, line = page + 1, 0
            foot = f"[Page {page}]".rjust(WIDTH)
            text += f"\n{foot}\n\f\n{'RFC 9999'.ljust(24)}{rows[0].text[:24].center(24)}{'May 2001'.rjust(24)}\n\n\n"
        if row.level:
            heads.append((len(text) + len(piece) - len(piece.lstrip()), row.level))
        text += piece + between
        line += piece.count("\n") + 2
        if layout == "memo" and k == 0:
            text += _contents(rows, numbers)
    return Made(text, heads)


def _contents(rows: list[Row], numbers: list[tuple[int, ...]]) -> str:
    lines = ["Table of Contents", ""]
    for k, (row, number) in enumerate(zip(rows, numbers, strict=True)):
        if row.level and number:
            title = f"{'  ' * len(number)} {_dotted(number)}.  {row.text} "
            lines.append(title.ljust(WIDTH - 4, ".") + str(1 + k // 12).rjust(4))
    return "\n".join(lines) + "\n\n"
