from __future__ import annotations

import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from pdf_writer import encrypted, markdown, pdf

from rag.errors import LoadError
from rag.loaders.inflate import expanded
from rag.loaders.limits import Limits
from rag.loaders.pdf import extract
from rag.loaders.read import read

pytest.importorskip("pypdfium2", reason="the extra `pdf` is not installed")

ROOT = Path(__file__).parents[3]
REAL = ROOT / "tests" / "data" / "crates.pdf"
SOURCE = ROOT / "evals" / "samples" / "manual" / "docs" / "ch07-01-packages-and-crates.md"
TWO_PAGES = [
    [
        (72, 700, 20, "Terms of the Lease"),
        (72, 660, 11, "The tenant (Alice) pays 1,200 \u20ac on the"),
        (72, 646, 11, "first day of each month, in ad-"),
        (72, 632, 11, "vance."),
        (72, 590, 11, "Another paragraph."),
    ],
    [(72, 700, 14, "Signatures"), (72, 670, 11, "Signed by both."), (300, 30, 11, "2")],
]


def test_lines_become_blocks_with_a_page_and_a_box() -> None:
    text, blocks, title, facts = extract(pdf(TWO_PAGES, title="Lease (final)"))
    assert title == "Lease (final)"
    assert facts["page_count"] == 2
    assert [text[a:b].split("\n")[0] for a, b, _, _ in facts["pages"]] == ["Terms of the Lease", "Signatures"]
    assert [row[2:] for row in facts["pages"]] == [[612.0, 792.0]] * 2
    assert [(b.kind, b.level, b.page, text[b.start : b.end]) for b in blocks] == [
        ("heading", 1, 1, "Terms of the Lease"),
        ("text", 0, 1, "The tenant (Alice) pays 1,200 \u20ac on the\nfirst day of each month, in ad-\nvance."),
        ("text", 0, 1, "Another paragraph."),
        ("heading", 2, 2, "Signatures"),
        ("text", 0, 2, "Signed by both."),
        ("supplement", 0, 2, "2"),
    ]
    assert text.count("\f") == 2  # between the pages, and in front of the page number
    left, top, right, bottom = blocks[1].box or (0, 0, 0, 0)
    assert 71 <= left <= 74
    assert 792 - 660 - 11 <= top <= 792 - 660 - 6  # capitals of 11 points above a baseline at 660
    assert 792 - 632 <= bottom <= 792 - 632 + 4
    assert 200 < right < 300


def test_blocks_are_ordered_and_cover_everything_but_white_space() -> None:
    (document,) = read(REAL)
    text, at = document.text, 0
    for block in document.blocks:
        assert at <= block.start < block.end <= len(text)
        assert not text[at : block.start].strip()
        assert block.box is not None
        assert block.box[0] < block.box[2] <= 612
        assert block.box[1] < block.box[3] <= 792
        at = block.end
    assert not text[at:].strip()
    body = [b for b in document.blocks if b.kind != "supplement"]
    assert all(a.page <= b.page for a, b in pairwise(body))


def test_a_written_page_is_read_back_word_for_word() -> None:
    (document,) = read(REAL)
    words = [w for w in SOURCE.read_text(encoding="utf-8").split() if w.isalpha()]
    found = set(document.text.split())
    assert sum(word in found for word in words) / len(words) == 1.0
    assert REAL.read_bytes() == markdown(SOURCE)
    assert document.title == "Packages and Crates"
    assert document.media_type == "application/pdf"


def test_a_scan_says_that_it_has_no_text_layer() -> None:
    with pytest.raises(LoadError, match=r"scan\.pdf: no text layer on any of its 2 pages.*Run OCR"):
        extract(pdf([[], []]), name="scan.pdf")


def test_an_encrypted_file_says_so() -> None:
    with pytest.raises(LoadError, match=r"lock\.pdf: is encrypted"):
        extract(encrypted(), name="lock.pdf")


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.4\n%%EOF", b"%PDF-1.7 " + b"garbage" * 1000, pdf(TWO_PAGES)[:300]],
    ids=["header only", "garbage", "cut"],
)
def test_a_broken_file_is_refused_on_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(data)
    with pytest.raises(LoadError, match=r"broken\.pdf: not a PDF that can be read") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_only_called_pdf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"plain words")
    with pytest.raises(LoadError, match="not a PDF: no %PDF- header"):
        read(tmp_path / "a.pdf")


def test_a_pdf_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "scan.txt").write_bytes(pdf(TWO_PAGES))
    assert read(tmp_path / "scan.txt")[0].media_type == "application/pdf"


def test_limits_of_characters_and_time_hold() -> None:
    with pytest.raises(LoadError, match="may have 50 characters"):
        extract(pdf(TWO_PAGES), limits=Limits(max_chars=50))
    with pytest.raises(LoadError, match="took longer"):
        extract(pdf(TWO_PAGES), limits=Limits(max_seconds=1e-9))


def packed(content: bytes, filters: int = 1) -> bytes:
    for _ in range(filters):
        content = zlib.compress(content, 9)
    names = b"[" + b"/FlateDecode " * filters + b"]"
    page = b"4 0 obj\n<< /Length %d /Filter %s >>\nstream\n%s\nendstream\nendobj\n" % (len(content), names, content)
    return b"%PDF-1.4\n" + page + pdf(TWO_PAGES)[9:]


def test_a_page_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(b" " * 100_000_000)
    assert len(bomb) < 110_000
    begin = time.perf_counter()
    with pytest.raises(LoadError, match=r"bomb\.pdf: its compressed parts may unpack to 1,000,000 bytes"):
        extract(bomb, name="bomb.pdf", limits=Limits(max_expanded=1_000_000))
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_what_a_file_unpacks_to_is_counted_exactly(filters: int) -> None:
    assert expanded(packed(b"x y" * 10_000, filters), 10**9) == 30_000
    assert expanded(packed(b"x y" * 10_000, filters)[:60] + b"cut", 10**9) <= 30_000
    assert expanded(packed(b"x").replace(b"/Length", b"/Subtype /Image /Length"), 10**9) == 0
    assert expanded(REAL.read_bytes(), 10**9) == 0


def test_threads_read_what_one_reads() -> None:
    data = REAL.read_bytes()
    alone = extract(data)
    with ThreadPoolExecutor(4) as pool:
        assert all(got == alone for got in pool.map(extract, [data] * 24))
