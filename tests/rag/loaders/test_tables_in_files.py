from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import rag
from chunkers.structure import StructureChunker
from rag.loaders.delimited import record_ends, scan
from rag.loaders.jsonlines import is_corpus
from rag.loaders.read import documents, read
from rag.types import Document

CELLS = st.text(st.sampled_from('ab,"\n;1 é'), max_size=8)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=12))
def test_records_end_where_the_csv_module_says(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    text = out.getvalue()
    ends = [0, *record_ends(text, 0, len(text))]
    found = [next(csv.reader(io.StringIO(text[a:b], newline=""))) for a, b in itertools.pairwise(ends)]
    assert found == list(csv.reader(io.StringIO(text, newline="")))


def test_records_stay_whole_and_the_header_is_repeated() -> None:
    text = "name,said\n" + "".join(f'ship {i},"line one\nline two of {i}"\n' for i in range(80))
    tree = StructureChunker(size=48)(Document("d", text, media_type="text/csv"))
    leaves = tree.leaves()
    assert len(leaves) > 5
    for leaf in leaves[1:]:
        assert leaf.text.startswith("ship ")
        assert leaf.text.endswith('"\n')
        assert [text[a:b] for a, b in leaf.repeats] == ["name,said\n"]


def test_numbers_are_no_header() -> None:
    block = scan("1,2\n3,4\n")[0]
    assert block.inner == (0, 7)
    assert scan("name;age\nBo;3\n")[0].inner == (9, 13)


def test_json_lines_without_ids_and_texts_are_records_of_one_document(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"level": "info", "message": f"Ship {i} came in. All went well."} for i in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert not is_corpus(path)
    (document,) = read(path)
    assert document.media_type == "application/jsonl"
    assert document.text == path.read_text()
    tree = StructureChunker(size=40)(document)
    assert all(leaf.text.startswith("{") and leaf.text.endswith("}\n") for leaf in tree.leaves())
    assert {leaf.kind for leaf in tree.leaves()} == {"record"}
    assert [type(one) for one in documents([tmp_path])] == [Document]
    index = rag.load("lexical").index([path])
    assert len(index.ask("Ship 7 came in").context or ()) > 0


def test_a_corpus_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n')
    assert is_corpus(path)
    assert [d.id for d in read(path)] == ["1", "2"]
