"""Tables from documents: every value is a slice, every empty cell says why."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag import config
from rag.doctree import DocTree
from rag.errors import ConfigError
from rag.readers.matrix import Matrix
from rag.readers.table import TYPES, Cell, Column, Table
from rag.types import Citation, Document, Hit, Hits, Query

OAK = """# Oak House

The lease of the house begins on May 1, 2024. The rent is $1,250 per month. Pets are not allowed.
The tenant is Ada Lind. Eight percent, or 8%, is due on late rent. The deposit covers 3 months.
"""
ELM = """# Elm House

The lease of the house begins on 2 June 2023. The rent is 980 euros per month. Pets are allowed in the garden.
The tenant is Olaf Borg.
"""
COLUMNS = (
    {"name": "start", "question": "When does the lease begin?", "type": "date"},
    {"name": "rent", "question": "How much is the rent?", "type": "money"},
    {"name": "pets", "question": "Are pets allowed?", "type": "yes-no"},
    {"name": "tenant", "question": "Who is the tenant?"},
    {"name": "roof", "question": "Which colour has the thatched roof?"},
)


def tree(text: str, doc: str) -> DocTree:
    return StructureChunker(size=32, min_size=0)(Document(doc, text, media_type="text/markdown"))


def filled(**settings: object) -> Table:
    given = {"columns": COLUMNS, "scorer": None, **settings}
    return Matrix(**given).table([tree(OAK, "oak"), tree(ELM, "elm")])


def test_cells_hold_values_of_their_columns_type() -> None:
    table = filled()
    assert table.rows == ("oak", "elm")
    assert [[cell.value for cell in row] for row in table.cells] == [
        ["May 1, 2024", "$1,250", "no", "Ada Lind", ""],
        ["2 June 2023", "980 euros", "yes", "Olaf Borg", ""],
    ]


def test_every_cell_is_a_slice_or_says_why_it_is_empty() -> None:
    texts = {"oak": OAK, "elm": ELM}
    for row in filled().cells:
        for cell in row:
            assert 0 <= cell.confidence <= 1
            if cell.status == "found":
                assert all(texts[c.doc][c.start : c.end] == c.quote for c in cell.citations)
                assert cell.citations
            else:
                assert cell.reason
                assert not cell.value


def test_a_typed_value_is_cited_itself_behind_its_sentence() -> None:
    cell = filled().cells[0][0]
    assert [c.quote for c in cell.citations] == ["The lease of the house begins on May 1, 2024.", "May 1, 2024"]


def test_rows_may_be_sections_or_entities() -> None:
    both = tree(OAK + "\n" + ELM, "houses")
    sections = Matrix(columns=COLUMNS[:2], rows="sections", scorer=None).table([both])
    assert sections.rows == ("Oak House", "Elm House")
    assert [row[1].value for row in sections.cells] == ["$1,250", "980 euros"]
    column = ({"name": "lease", "question": "Of which house is {row} the tenant?"},)
    named = Matrix(columns=column, rows="entities", entities=("Ada Lind", "Olaf Borg", "Nemo"), scorer=None)
    table = named.table([tree(OAK, "oak"), tree(ELM, "elm")])
    assert [row[0].citations[0].doc for row in table.cells[:2]] == ["oak", "elm"]
    assert table.cells[2][0].status == "empty"


def test_a_list_column_joins_distinct_items() -> None:
    text = (
        "# Log\n\nAlma sailed on May 5, 2033.\n\n## Later\n\nAlma sailed on June 6, 2034. Alma sailed on May 5, 2033.\n"
    )
    columns = ({"name": "dates", "question": "List all dates on which Alma sailed.", "type": "list"},)
    cell = Matrix(columns=columns, scorer=None).table([tree(text, "log")]).cells[0][0]
    assert cell.value == "May 5, 2033; June 6, 2034"
    assert len(cell.citations) == 2


def test_csv_and_json_say_the_same_and_csv_can_be_read_back() -> None:
    table = filled()
    read = list(csv.reader(io.StringIO(table.to_csv())))
    assert read[0] == ["row", "start", "rent", "pets", "tenant", "roof"]
    told = json.loads(table.to_json())
    for line, row in zip(read[1:], told["rows"], strict=True):
        assert line == [row["row"], *(cell["value"] for cell in row["cells"].values())]
    spans = list(csv.reader(io.StringIO(table.to_csv(spans=True))))
    assert spans[1][2].split()[0].startswith("oak:")


@settings(max_examples=30)
@given(value=st.text(max_size=30), quote=st.text(max_size=30))
def test_pages_show_text_and_never_run_it(value: str, quote: str) -> None:
    cell = Cell(f"<script>{value}", "found", "", 0.5, (Citation("d", 0, 1, f'"><img onerror={quote}>'),))
    page = Table(("<b>row",), (Column("<i>", 'q"', "text"),), ((cell,),))._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
    assert "<i>" not in page
    assert "<b>" not in page


def test_as_a_reader_it_answers_with_the_table_and_keeps_its_budget() -> None:
    trees = [tree(OAK, "oak"), tree(ELM, "elm")]
    hits = tuple(Hit(t, int(t.leaf_ids[0]), ((0, int(t.end[t.leaf_ids[0]])),), 1.0) for t in trees)
    reader = Matrix(columns=COLUMNS, scorer=None)
    answer = reader(Hits(Query("q", "Fill the table."), hits))
    assert answer.text == reader.table(trees).to_csv()
    assert answer.status == "answered"
    small = reader(Hits(Query("q", "Fill the table.", budget=30), hits))
    assert small.context is not None
    assert (small.context.tokens or 0) <= 30
    assert small.text == answer.text
    nothing = Matrix(scorer=None)(Hits(Query("q", "Which zebra sings?"), hits))
    assert (nothing.status, nothing.text) == ("abstained", "")
    assert config.rebuilt(reader) == reader


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": ({"name": "a"},)}, r"columns\[0\].question: must be given"),
        ({"columns": ({"name": "a", "question": "b", "type": "colour"},)}, f"must be one of {', '.join(TYPES)}"),
        ({"columns": ({"name": "a", "question": "b", "kind": "c"},)}, r"columns\[0\].kind: unknown"),
        ({"columns": ({"name": "a", "question": "b"}, {"name": "a", "question": "c"})}, "names must differ"),
        ({"rows": "entities"}, "must name at least one row"),
    ],
)
def test_a_wrong_column_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Matrix(scorer=None, **given)


def test_empty_documents_give_empty_cells() -> None:
    table = Matrix(columns=COLUMNS, scorer=None).table([tree("", "empty")])
    assert all(cell.status == "empty" for cell in table.cells[0])
    assert Matrix(columns=COLUMNS, rows="sections", scorer=None).table([tree("No heading.", "flat")]).rows == ()
