from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

docx = pytest.importorskip("docx")

from docx.enum.style import WD_STYLE_TYPE  # noqa: E402
from docx.oxml import OxmlElement  # noqa: E402
from docx.oxml.ns import qn  # noqa: E402

from chunkers.structure import StructureChunker  # noqa: E402
from rag.errors import LoadError  # noqa: E402
from rag.loaders.docx import extract  # noqa: E402
from rag.loaders.limits import Limits  # noqa: E402
from rag.loaders.read import read  # noqa: E402

HEAD = "[Content_Types].xml"


def saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def sample() -> bytes:
    d = docx.Document()
    d.core_properties.title = "Lease"
    d.sections[0].header.paragraphs[0].text = "Confidential"
    d.add_heading("Lease", 0)
    d.add_heading("Parties", 1)
    d.add_paragraph("The tenant signs below. He pays.")
    d.add_paragraph("first", style="List Bullet")
    d.add_paragraph("inside", style="List Bullet 2")
    d.add_page_break()
    d.add_heading("Rent", 2)
    table = d.add_table(rows=3, cols=2)
    for i, row in enumerate((("month", "rent"), ("May", "1"), ("June", "2"))):
        for j, text in enumerate(row):
            table.cell(i, j).text = text
    look = table._tbl.tblPr.find(qn("w:tblLook"))
    assert look is not None
    style = d.styles.add_style("Kapitel", WD_STYLE_TYPE.PARAGRAPH)
    level = OxmlElement("w:outlineLvl")
    level.set(qn("w:val"), "0")
    style.element.get_or_add_pPr().append(level)
    d.add_paragraph("Schluss", style="Kapitel")
    hidden = d.add_paragraph("Seen. ").add_run("Not seen.")
    hidden.font.hidden = True
    return saved(d)


def test_styles_lists_tables_and_headers_become_blocks() -> None:
    page = extract(sample(), name="a.docx")
    found = [(b.kind, b.level, page.text[b.inner[0] : b.inner[1]]) for b in page.blocks]
    assert found == [
        ("heading", 1, "Lease"),
        ("heading", 1, "Parties"),
        ("text", 0, "The tenant signs below. He pays."),
        ("list", 0, "first"),
        ("list", 1, "inside"),
        ("heading", 2, "Rent"),
        ("table", 0, "May | 1\nJune | 2"),
        ("heading", 1, "Schluss"),
        ("text", 0, "Seen."),
        ("supplement", 0, "Confidential"),
    ]
    assert page.title == "Lease"
    assert [b.page for b in page.blocks if b.kind == "heading"] == [1, 1, 2, 2]
    assert "Not seen" not in page.text


def test_a_document_is_read_from_a_file_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "lease.docx"
    path.write_bytes(sample())
    document = read(path)[0]
    tree = StructureChunker(size=16)(document)
    tree.check()
    assert {n.title for n in tree} >= {"Parties", "Rent", "Schluss"}


def test_a_table_with_a_header_row_repeats_it_where_it_is_cut() -> None:
    d = docx.Document()
    table = d.add_table(rows=60, cols=2)
    for i, row in enumerate(table.rows):
        row.cells[0].text, row.cells[1].text = ("city", "people") if not i else (f"town {i}", str(i))
    page = extract(saved(d), name="a")
    from rag.types import Document

    tree = StructureChunker(size=40)(Document("a", page.text, blocks=page.blocks))
    leaves = tree.leaves()
    assert len(leaves) > 3
    assert all([page.text[a:b] for a, b in leaf.repeats] == ["city | people\n"] for leaf in leaves[1:])


NOTES = (
    '<?xml version="1.0"?><w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:t>---</w:t></w:r></w:p></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>See the </w:t></w:r><w:r><w:t>annex.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)
REMARKS = NOTES.replace("footnotes", "comments").replace("footnote", "comment").replace("See the ", "Please check. ")
TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml."
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def with_parts(data: bytes, parts: dict[str, str]) -> bytes:
    """A package with further parts of Word's kinds, such as footnotes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            body = old.read(one).decode() if one.filename.endswith((".xml", ".rels")) else ""
            if one.filename == HEAD:
                types = (f'<Override PartName="/word/{p}.xml" ContentType="{TYPE}{p}+xml"/>' for p in parts)
                body = body.replace("</Types>", "".join(types) + "</Types>")
            if one.filename == "word/_rels/document.xml.rels":
                links = (f'<Relationship Id="x{p}" Type="{RELATION}{p}" Target="{p}.xml"/>' for p in parts)
                body = body.replace("</Relationships>", "".join(links) + "</Relationships>")
            new.writestr(one, body or old.read(one))
        for p, text in parts.items():
            new.writestr(f"word/{p}.xml", text)
    return out.getvalue()


def test_footnotes_stand_behind_the_text_with_their_marks_and_comments_are_left_out() -> None:
    d = docx.Document()
    run = d.add_paragraph("Rent is due").add_run()
    mark = OxmlElement("w:footnoteReference")
    mark.set(qn("w:id"), "2")
    run._r.append(mark)
    d.add_paragraph("Every month.")
    page = extract(with_parts(saved(d), {"footnotes": NOTES, "comments": REMARKS}), name="a")
    assert [(b.kind, page.text[b.start : b.end]) for b in page.blocks] == [
        ("text", "Rent is due[2]"),
        ("text", "Every month."),
        ("footnote", "[2] See the annex."),
    ]
    assert page.text[slice(*page.blocks[-1].inner)] == "See the annex."


def test_merged_cells_are_said_once_and_a_table_in_a_cell_stays_on_its_line() -> None:
    d = docx.Document()
    table = d.add_table(rows=3, cols=3)
    for i, row in enumerate(table.rows):
        for j, cell in enumerate(row.cells):
            cell.text = f"{i}{j}"
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"
    inner = table.cell(2, 2).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "in", "side"
    page = extract(saved(d), name="a")
    (block,) = page.blocks
    assert block.kind == "table"
    assert page.text[block.start : block.end].splitlines() == ["wide |  | 02", "tall | 11 | 12", "| 21 | 22 in side"]


def bomb(name: str = HEAD, size: int = 60_000_000) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"<x/>")
        archive.writestr("word/document.xml", b" " * size)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bomb(), "200 times its size"),
        (bomb("other.xml"), "no Word document"),
        (b"PK\x03\x04 cut off", "no Word document that can be read"),
        (sample()[:3000], "no Word document that can be read"),
        (bomb(size=10), "no Word document that can be read"),
    ],
)
def test_bombs_and_broken_files_are_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message) as caught:
        extract(data, name="some.docx")
    assert str(caught.value).startswith("some.docx: ")
    assert "\n" not in str(caught.value)


def test_the_sum_of_its_parts_is_limited() -> None:
    with pytest.raises(LoadError, match="may unpack to 10,000 bytes"):
        extract(sample(), name="a.docx", limits=Limits(max_expanded=10_000))


def test_a_docx_that_is_no_zip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"plain text")
    with pytest.raises(LoadError, match=r"not a \.docx: it is no zip archive"):
        read(path)
