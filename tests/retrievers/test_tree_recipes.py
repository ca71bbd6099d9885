"""The recipes `tree`, `location`, `mapreduce` and `tree-llm` run from a folder to cited answers with no weights at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import rag

MANUAL = """# Pump manual

## 1 Safety

Switch the pump off before opening it.

## 2 Operation

The pump runs at 40 litres per minute. The lamp is green then.

Table 1. Speeds

| step | litres |
| --- | --- |
| low | 20 |
| high | 40 |

## 3 Care

Oil the shaft every 300 hours. Use oil of grade 32 only.
"""
HASH = "{use: embedders/hash}"
OFFLINE = {
    "tree": (
        f"stages[0].inner.retrievers[1].embedder={HASH}",
        "stages[1]={use: rerankers/neighbours, prior: 0}",
        "stages[4].scorer=null",
    ),
    "location": (
        f"stages[0].plain.inner.retrievers[1].embedder={HASH}",
        f"stages[0].location.inner.retrievers[1].embedder={HASH}",
        f"stages[0].hierarchy.inner.retrievers[1].embedder={HASH}",
        "stages[0].plain.rerankers=[]",
        "stages[2].scorer=null",
    ),
    "mapreduce": (
        f"stages[0].retrievers[1].embedder={HASH}",
        "stages[1]={use: rerankers/neighbours}",
        "stages[2].scorer=null",
    ),
    "tree-llm": (
        "growers=[{use: trees/summaries}]",
        f"stages[0].inner.retrievers[1].embedder={HASH}",
        "stages[1]={use: rerankers/neighbours}",
        "stages[2].llm=null",
        "stages[2].scorer=null",
    ),
}
BUDGETS = {"mapreduce": 1500, "tree-llm": 1500}


def test_the_recipes_are_valid() -> None:
    for name in OFFLINE:
        assert rag.load(name).reads


@pytest.mark.parametrize("name", OFFLINE)
def test_a_folder_is_indexed_and_questions_are_answered_with_citations(name: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "manual.md").write_text(MANUAL)
    (tmp_path / "docs" / "empty.md").write_text("")
    pipe = rag.load(name, set=OFFLINE[name])
    pipe.index([tmp_path / "docs"], tmp_path / "index")
    index = rag.open(tmp_path / "index")
    answer = index.ask("How often is the shaft to be oiled?")
    assert "300 hours" in answer.text
    assert answer.citations
    assert all(index.verify(one) for one in answer.citations)
    assert answer.context is not None
    assert answer.context.tokens is not None
    assert answer.context.tokens <= BUDGETS.get(name, 1000)
    assert index.ask("zeppelin quark").status == "abstained"


def test_what_a_question_says_of_its_place_is_in_the_notes(tmp_path: Path) -> None:
    (tmp_path / "manual.md").write_text(MANUAL)
    index = rag.load("location", set=OFFLINE["location"]).index([tmp_path / "manual.md"])
    context = index.ask("What does table 1 list?").context
    assert context is not None
    assert context.notes["retrievers/route"]["kind"] == "location"
    assert any("Table 1. Speeds" in hit.text and hit.why == "in place" for hit in context)
    context = index.ask("What are the main sections of the manual?").context
    assert context is not None
    assert "1 Safety" in "".join(hit.text for hit in context)


def test_an_index_is_brought_up_to_date_with_its_trees(tmp_path: Path) -> None:
    (tmp_path / "manual.md").write_text(MANUAL)
    pipe = rag.load("tree", set=OFFLINE["tree"])
    index = pipe.index([tmp_path / "manual.md"], tmp_path / "index")
    (tmp_path / "more.md").write_text("# Boats\n\nThe boat is painted in May.\n")
    index = index.add([tmp_path / "more.md"])
    assert "May" in index.ask("When is the boat painted?").text
    index = index.delete(next(doc for doc in index.documents if doc.endswith("manual.md")))
    assert index.ask("How often is the shaft to be oiled?").status == "abstained"


def test_mapreduce_answers_from_sections_that_search_alone_would_leave_out(tmp_path: Path) -> None:
    filler = "The weather of that week is not told of. " * 30
    parts = [
        f"## Log {i}\n\n{filler}\n\n{'Ada Lind' if i % 3 == 0 else 'Olaf Borg'} oiled the shaft.\n\n" for i in range(30)
    ]
    (tmp_path / "log.md").write_text("# Logs of the pump\n\n" + "".join(parts))
    index = rag.load("mapreduce", set=OFFLINE["mapreduce"]).index([tmp_path / "log.md"])
    answer = index.ask("Which sections mention Ada Lind?")
    assert answer.text == "; ".join(f"Log {i}" for i in range(0, 30, 3))
    assert all(index.verify(one) for one in answer.citations)
    assert index.ask("How many sections mention Ada Lind?").text == "10"
