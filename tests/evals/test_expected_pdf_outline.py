"""What is pinned of hidden PDF headings holds what is asked of it; a bundled document is measured again."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

pytest.importorskip("pypdfium2", reason="the extra `pdf` is not installed")
pytest.importorskip("reportlab", reason="the extra `dev` is not installed")

from evals.reproduce import pdf_outline
from evals.synth.pdfs import LAYOUTS, pdf_of
from rag.errors import RagError

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "pdf_outline.json").read_text())
REAL = ("manuals", "journals")
SHARED = "ch08-02-strings.md"  # bundled, and among those pinned


def test_real_documents_of_two_kinds_and_five_layouts_are_pinned() -> None:
    assert set(PINNED["rows"]) == {*REAL, *(f"made: {name}" for name in LAYOUTS)}
    assert all(PINNED["rows"][row]["recall"]["n"] >= 70 for row in REAL)
    assert all(PINNED["rows"][f"made: {name}"]["recall"]["n"] >= 14 for name in LAYOUTS)


def test_most_headings_of_real_documents_are_found_and_stand_at_their_level() -> None:
    for row in REAL:
        told = PINNED["rows"][row]
        assert told["recall"]["low"] > 0.8
        assert told["precision"]["low"] > 0.65
        assert told["shifted"]["low"] > 0.85


def test_the_docstring_says_what_is_pinned() -> None:
    from rag.loaders import pdf_headings

    said = " ".join((pdf_headings.__doc__ or "").split())
    for row in REAL:
        told = PINNED["rows"][row]
        recall = told["recall"]
        assert (
            f"{100 * recall['value']:.1f} % ({100 * recall['low']:.1f} to {100 * recall['high']:.1f})"
            in said.replace("% of the headings are found", "%")
        )
        assert f"in {recall['n']} " in said
        assert all(f"{100 * told[key]['value']:.1f}" in said for key in ("level", "shifted", "precision"))


def test_nearly_all_headings_of_set_texts_are_found() -> None:
    for name in LAYOUTS:
        told = PINNED["rows"][f"made: {name}"]
        assert told["recall"]["value"] > 0.95
        assert told["precision"]["value"] > 0.95
        assert told["level"]["value"] > 0.8


def test_pages_are_read_at_twice_the_speed_that_is_asked_for_and_more() -> None:
    assert all(told["pages_per_minute"] > 1000 for told in PINNED["rows"].values())
    assert all(told["speed"]["low"] > 500 for told in PINNED["rows"].values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bundled_document_measured_again_agrees(layout: str) -> None:
    text = (pdf_outline.MANUAL / SHARED).read_text(encoding="utf-8")
    again = pdf_outline.score(pdf_of(text, LAYOUTS[layout], title="rust-book-ch08-02-strings"))
    (name,) = [key for key in PINNED["documents"] if key.startswith(f"made: {layout}/") and key.endswith(SHARED)]
    pinned = PINNED["documents"][name]
    assert again is not None
    assert {key: round(getattr(again, key), 3) for key in pinned} == pytest.approx(pinned, abs=0.06)


def test_a_page_is_read_in_a_hundredth_of_a_minute() -> None:
    data = pdf_of((pdf_outline.MANUAL / SHARED).read_text(encoding="utf-8"), LAYOUTS["manual"])
    pdf_outline.score(data)  # the library is opened
    again = min((one for _ in range(3) if (one := pdf_outline.score(data))), key=lambda one: one.seconds)
    assert 60 * again.pages / again.seconds > 500


def test_a_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RagError, match="holds no PDF"):
        pdf_outline.reproduce(Namespace(data=tmp_path), len)


def test_folders_are_rows(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.md").write_text((pdf_outline.MANUAL / SHARED).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 not one")
    told = pdf_outline.reproduce(Namespace(data=tmp_path), len)
    assert set(told["rows"]) == {f"made: {name}" for name in LAYOUTS}
    assert told["left_out"] == 1
    assert "recall" in told["table"]
