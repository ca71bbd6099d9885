"""Steps of a question, followed from answer to answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.testing import indexed
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.chain import Chain
from retrievers.decompose import decompose

DOCS = [
    Document("film", "The Prairie King is a western of 1927. Its director is Reeves Eason.", "The Prairie King"),
    Document("eason", "Reeves Eason was born in Fryors Point.", "Reeves Eason"),
    Document("ford", "John Ford was born in Cape Elizabeth. He was a director.", "John Ford"),
    Document("mill", "A director of mills was born in winter.", "Mills"),
]
QUESTION = Query("q", "Where was the director of The Prairie King born?")


def test_the_answer_of_a_step_is_searched_in_the_next() -> None:
    assert len(decompose(QUESTION.text)) > 1
    hits = indexed(StructureChunker(), Chain(), DOCS)(QUESTION)
    assert {hit.doc for hit in hits.items[:2]} == {"film", "eason"}
    why = {hit.doc: hit.why for hit in hits}
    assert why["eason"].startswith("reeves eason")
    assert hits.notes["retrievers/chain"]["steps"] == 2


def test_a_question_of_one_step_is_the_inner_search() -> None:
    plain = Query("p", "Who was John Ford?")
    inner = [hit.doc for hit in indexed(StructureChunker(), BM25(), DOCS)(plain)]
    assert [hit.doc for hit in indexed(StructureChunker(), Chain(), DOCS)(plain)] == inner


def test_scope_is_kept_over_all_steps() -> None:
    hits = indexed(StructureChunker(), Chain(), DOCS)(Query("q", QUESTION.text, scope=("film", "mill")))
    assert {hit.doc for hit in hits} <= {"film", "mill"}


@given(st.integers(1, 6), st.integers(1, 4))
def test_the_number_of_searches_is_bounded(steps: int, beam: int) -> None:
    question = Query("q", "Where was the mother of the director of the author of The Prairie King born?")
    hits = indexed(StructureChunker(), Chain(steps=steps, beam=beam), DOCS)(question)
    assert hits.notes["retrievers/chain"]["searches"] <= 1 + steps * beam


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?",
        "#1",
        "Who is #2 of #3?",
        "港はどこ？",
        "the director of " * 200,
        " ".join(f"Name{i}" for i in range(50)),
    ],
)
def test_any_question_is_bounded(question: str) -> None:
    assert len(indexed(StructureChunker(), Chain(k=2), DOCS)(Query("q", question))) <= 2
