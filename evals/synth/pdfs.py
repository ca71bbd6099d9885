"""PDFs with bookmarks made from Markdown, in several layouts, to measure how well headings are found.

Headings get bookmarks of their level; where sections are numbered, the title gets none, as word processors and LaTeX
have it. Everything else is set as text, lists, code and tables. The layouts differ in
what a reader of PDFs has to go by: numbers or none, one column or two, running heads or none, large or merely bold
headings.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from rag.loaders.markdown import scan
from rag.optional import require

__all__ = ["LAYOUTS", "Layout", "pdf_of"]

PAGE = (595.28, 841.89)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKS = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
MOST = 4000  # characters of a block; longer ones are cut, for a page must hold a paragraph


class Layout(NamedTuple):
    """How a document is set.

    Args:
        numbered: whether headings below the title are numbered.
        columns: 1 or 2.
        running: whether pages have a running head and a page number.
        sizes: type sizes of the heading levels in points; the text has 10.
        bold: whether headings are bold.
    """

    numbered: bool
    columns: int
    running: bool
    sizes: Sequence[float]
    bold: bool = True


LAYOUTS: dict[str, Layout] = {
    "manual": Layout(False, 1, True, (22, 16, 13, 11.5, 10, 10)),
    "report": Layout(True, 1, True, (18, 14, 12, 10, 10, 10)),
    "paper": Layout(True, 2, True, (16, 12, 10, 10, 10, 10)),
    "plain": Layout(False, 1, False, (18, 14, 12, 11, 11, 11), bold=False),
    "brochure": Layout(False, 2, True, (20, 13, 11, 10, 10, 10)),
}


def pdf_of(markdown: str, layout: Layout, *, title: str = "Document") -> bytes:
    """A Markdown text as a PDF.

    Args:
        markdown: its text; letters outside Latin-1 become question marks.
        layout: how it is set.
        title: of the running head.
    """
    rl = require("reportlab.platypus", extra="dev", by="making a PDF")
    styles = require("reportlab.lib.styles", extra="dev", by="making a PDF")
    out = io.BytesIO()
    width, height = PAGE
    gap = 24.0
    room = (width - 144 - gap * (layout.columns - 1)) / layout.columns
    frames = [rl.Frame(72 + k * (room + gap), 72, room, height - 144, 0, 0, 0, 0) for k in range(layout.columns)]

    def furnish(canvas: Any, doc: Any) -> None:
        if layout.running:
            canvas.setFont("Times-Italic", 9)
            canvas.drawString(72, height - 48, _latin(title))
            canvas.drawRightString(width - 72, height - 48, "Draft")
            canvas.drawCentredString(width / 2, 40, str(doc.page))

    class Template(rl.BaseDocTemplate):  # type: ignore[name-defined,misc]
        """Writes a bookmark for each heading."""

        def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 - reportlab's name
            mark = getattr(flowable, "mark", None)
            if mark:
                key, text, level = mark
                self.canv.bookmarkHorizontal(key, 0, self.frame._y + flowable.height)
                self.canv.addOutlineEntry(text, key, level, closed=False)

    doc = Template(out, pagesize=PAGE, invariant=1, title=_latin(title))
    doc.addPageTemplates([rl.PageTemplate(id="all", frames=frames, onPage=furnish)])
    doc.build(_flowables(markdown, layout, room, rl, styles))
    return out.getvalue()


def _flowables(markdown: str, layout: Layout, room: float, rl: Any, styles: Any) -> list[Any]:
    body = styles.ParagraphStyle("body", fontName="Times-Roman", fontSize=10, leading=12, spaceAfter=6)
    code = styles.ParagraphStyle("code", fontName="Courier", fontSize=8, leading=9.5, spaceAfter=6)
    item = styles.ParagraphStyle("item", parent=body, leftIndent=14, bulletIndent=2, spaceAfter=2)
    heads = [
        styles.ParagraphStyle(
            f"h{level}",
            fontName="Helvetica-Bold" if layout.bold else "Helvetica",
            fontSize=size,
            leading=1.2 * size,
            spaceBefore=size,
            spaceAfter=0.5 * size,
            keepWithNext=1,
        )
        for level, size in enumerate(layout.sizes, 1)
    ]
    counts = [0] * 7
    above: list[int] = []
    made: list[Any] = []
    for block in scan(markdown):
        text = markdown[slice(*block.inner)] if block.kind == "heading" else markdown[block.start : block.end]
        words = _latin(MARKS.sub("", LINK.sub(r"\1", " ".join(text.split()))))[:MOST]
        if not words or block.kind in {"rule", "html", "front_matter"}:
            continue
        if block.kind == "heading":
            above = [*(one for one in above if one < block.level), block.level]
            level = len(above)
            counts[level] += 1
            counts[level + 1 :] = [0] * len(counts[level + 1 :])
            number = ".".join(str(n or 1) for n in counts[2 : level + 1])
            title = layout.numbered and level == 1  # stands above what is numbered, and in no outline
            words = f"{number} {words}" if layout.numbered and number else words
            made.append(rl.Paragraph(escape(words), heads[level - 1]))
            if not title:
                made[-1].mark = (f"k{len(made)}", words, level - 1 - layout.numbered)
        elif block.kind == "code":
            kept = [row for row in text.splitlines() if not row.strip().startswith(("```", "~~~"))]
            rows = [_latin(row)[: int(room / 4.9)] for row in kept[:400]]
            made += [rl.Preformatted("\n".join(rows[at : at + 40]), code) for at in range(0, len(rows), 40)]
        elif block.kind == "list":
            made.append(rl.Paragraph(escape(re.sub(r"^(?:[-+*]|\d+[.)])\s+", "", words)), item, bulletText="-"))
        else:
            made.append(rl.Paragraph(escape(words), body))
    return made


def _latin(text: str) -> str:
    return text.encode("cp1252", "replace").decode("cp1252")
