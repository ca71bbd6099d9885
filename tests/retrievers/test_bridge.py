"""Chains of passages that share rare words, between the things a question names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.testing import indexed
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.bridge import Bridge, concepts

DOCS = [
    Document("lind", "Ada Lind studied the corrosion of turbines."),
    Document("middle", "Corrosion was first described by the guild of coopers."),
    Document("vell", "Osk Vell led the guild of coopers for years."),
    Document("rain", "It rained for years and the river rose."),
]
QUESTION = Query("q", "What connects Ada Lind with Osk Vell?")


def test_the_passage_between_two_things_is_found_where_it_names_neither() -> None:
    plain = indexed(StructureChunker(), BM25(), DOCS)(QUESTION)
    assert "middle" not in [hit.doc for hit in plain]
    hits = indexed(StructureChunker(), Bridge(price=0.1), DOCS)(QUESTION)
    assert {hit.doc for hit in hits.items[:3]} == {"lind", "middle", "vell"}
    why = {hit.doc: hit.why for hit in hits}
    assert "corros" in why["middle"]
    assert "guild" in why["middle"] or "cooper" in why["middle"]


def test_a_chain_goes_through_no_closed_document() -> None:
    hits = indexed(StructureChunker(), Bridge(), DOCS)(Query("q", QUESTION.text, scope=("lind", "vell")))
    assert {hit.doc for hit in hits} == {"lind", "vell"}


def test_a_word_in_many_passages_joins_none() -> None:
    docs = [*DOCS, *(Document(f"d{i:02}", f"The guild of coopers on corrosion, part {i}.") for i in range(40))]
    hits = indexed(StructureChunker(), Bridge(), docs)(QUESTION)
    assert not any(hit.why for hit in hits)


def test_more_shared_terms_may_be_asked_for() -> None:
    hits = indexed(StructureChunker(), Bridge(shared=5), DOCS)(QUESTION)
    assert hits.notes["retrievers/bridge"]["chained"] == 0


def test_the_things_are_the_names_and_else_the_rest() -> None:
    assert len(concepts(QUESTION.text, BM25())) == 2
    assert concepts("Where did Ada Lind study turbines?", BM25()) == [["ada", "lind"], ["studi", "turbin"]]
    assert concepts("", BM25()) == []


@pytest.mark.parametrize("question", ["?", "港", "when was it", " ".join(f"Name{i} Of{i}," for i in range(50))])
def test_any_question_is_bounded(question: str) -> None:
    hits = indexed(StructureChunker(), Bridge(k=2), DOCS)(Query("q", question))
    assert len(hits) <= 2
    assert hits.notes["retrievers/bridge"]["things"] <= 5


WORDS = st.lists(
    st.sampled_from(["ada", "lind", "osk", "vell", "mill", "river", "stone", "turbine", "guild"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_scores_fall_and_the_same_question_gives_the_same_answer(rows: list[list[str]]) -> None:
    docs = [Document(f"d{i}", " ".join(words).title()) for i, words in enumerate(rows)]
    bridge = indexed(StructureChunker(), Bridge(), docs)
    hits = bridge(QUESTION)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert bridge(QUESTION) == hits
