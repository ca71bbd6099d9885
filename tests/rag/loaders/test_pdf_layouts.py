"""PDFs as they are met: columns, turned pages, broken cross-references, headings without bookmarks."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import pytest

pytest.importorskip("pypdfium2", reason="the extra `pdf` is not installed")
pytest.importorskip("reportlab", reason="the extra `dev` is not installed")

from evals.synth.pdfs import LAYOUTS, Layout, pdf_of
from rag.loaders.markdown import scan
from rag.loaders.pdf import bookmarks, extract

MANUAL = Path(__file__).parents[3] / "evals" / "samples" / "manual" / "docs"
TEXT = (MANUAL / "ch08-02-strings.md").read_text(encoding="utf-8")
WORD = re.compile(r"[a-z]{4,}")


def words(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("-\n", ""))


def headings(data: bytes, *, marks: bool = False) -> list[tuple[int, str]]:
    page = extract(data, use_bookmarks=marks)
    return [(b.level, page.text[slice(*b.inner)]) for b in page.blocks if b.kind == "heading"]


def turned(data: bytes, angle: int) -> bytes:
    """Every page shown turned by so many degrees."""
    import pypdfium2 as pdfium

    file = pdfium.PdfDocument(data)
    for page in file:
        page.set_rotation(angle)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def plainly(data: bytes) -> str:
    return extract(data, use_bookmarks=False).text


def test_two_columns_are_read_one_after_the_other() -> None:
    one = words(plainly(pdf_of(TEXT, Layout(False, 1, False, LAYOUTS["paper"].sizes))))
    two = words(plainly(pdf_of(TEXT, Layout(False, 2, False, LAYOUTS["paper"].sizes))))
    pairs = set(itertools.pairwise(one))
    kept = sum(pair in pairs for pair in itertools.pairwise(two))
    assert kept > 0.9 * len(two)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_pages_that_are_shown_turned_say_the_same(angle: int) -> None:
    data = pdf_of(TEXT, LAYOUTS["paper"])
    assert words(plainly(turned(data, angle))) == words(plainly(data))
    assert headings(turned(data, angle)) == headings(data)


def test_a_broken_table_of_cross_references_is_mended() -> None:
    data = pdf_of(TEXT, LAYOUTS["manual"])
    at = data.rindex(b"startxref")
    broken = data[:at] + b"startxref\n7\n%%EOF\n"
    assert plainly(broken) == plainly(data)
    torn = data.replace(b"xref\n0 ", b"xrex\n9 ")
    assert plainly(torn) == plainly(data)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_headings_are_found_again_without_their_bookmarks(layout: str) -> None:
    data = pdf_of(TEXT, LAYOUTS[layout])
    found = {title for _, title in headings(data)}
    wanted = {mark.title for mark in bookmarks(data)}
    assert len(wanted) >= (3 if LAYOUTS[layout].numbered else 4)
    assert len(found & wanted) >= 0.9 * len(wanted)
    assert len(found - wanted) <= 1  # the title above numbered sections has no bookmark


def test_bookmarks_give_the_levels_that_the_headings_had() -> None:
    data = pdf_of(TEXT, LAYOUTS["manual"])
    levels = [block.level for block in scan(TEXT) if block.kind == "heading"]
    assert [level for level, _ in headings(data, marks=True)] == [level - min(levels) + 1 for level in levels]


def test_running_heads_stand_behind_the_text() -> None:
    page = extract(pdf_of(TEXT, LAYOUTS["report"], title="On borrowing"), use_bookmarks=False)
    aside = [page.text[b.start : b.end] for b in page.blocks if b.kind == "supplement"]
    body = page.text[: min(b.start for b in page.blocks if b.kind == "supplement")]
    assert any("On borrowing" in text for text in aside)
    assert "Draft" not in body
