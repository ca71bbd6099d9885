"""How the lines of a PDF are set: the body's style, and what tells one line's style from another's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rag.loaders.pdf_lines import Line

__all__ = ["Body", "body_of", "capitals", "family", "style"]


class Body(NamedTuple):
    """How the running text is set.

    Args:
        size: points.
        bold: whether it is; `mono` as well.
        font: its name without the mark of a subset.
        leading: from line to line, in heights.
    """

    size: float
    bold: bool
    font: str
    leading: float


def body_of(lines: Sequence[Line]) -> Body:
    """The style of most characters."""
    sizes: Counter[float] = Counter()
    for line in lines:
        if line.mono < 0.5:
            sizes[round(line.size * 2) / 2] += len(line.text)
    if not sizes:
        for line in lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    size = min(sizes, key=lambda s: (-sizes[s], s)) if sizes else 10.0
    fonts: Counter[str] = Counter()
    bold = total = 0.0
    steps: Counter[float] = Counter()
    for k, line in enumerate(lines):
        if abs(line.size - size) <= 0.3:
            fonts[family(line)] += len(line.text)
            bold, total = bold + line.bold * len(line.text), total + len(line.text)
            above = lines[k - 1] if k else line
            if above.page == line.page and above.column == line.column and abs(above.size - size) <= 0.3:
                steps[round((line.place[1] - above.place[3]) / line.height, 1)] += 1
    font = min(fonts, key=lambda f: (-fonts[f], f)) if fonts else ""
    leading = min(steps, key=lambda s: (-steps[s], s)) if steps else 0.2
    return Body(size, bold > 0.5 * max(total, 1.0), font, leading)


def family(line: Line) -> str:
    """Name of the font without the mark of a subset."""
    return line.font.rpartition("+")[2]


def style(line: Line) -> tuple[float, bool, bool, bool, bool, str]:
    """How a line is set: size, bold, italic, monospaced, in capitals, font."""
    return (
        round(line.size * 2) / 2,
        line.bold > 0.5,
        line.italic > 0.5,
        line.mono > 0.6,
        capitals(line.text),
        family(line),
    )


def capitals(text: str) -> bool:
    """Whether a line is written in capitals."""
    letters = [char for char in text if char.isalpha()]
    return len(letters) >= 4 and sum(char.isupper() for char in letters) >= 0.9 * len(letters)
