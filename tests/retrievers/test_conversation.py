"""The last turn of a conversation is searched with what was said before it, unless it opens another topic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from evals.metrics.ranking import recall
from rag import registry
from rag.errors import ConfigError
from rag.stage import stage
from rag.testing import indexed
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25
from retrievers.conversation import Conversation
from retrievers.hybrid import Hybrid
from retrievers.turns import read_turns, shifted

DOCUMENTS = (
    Document(
        "harbour", "The harbour of Vell was dredged in 1904. It is 12 metres deep at the outer wall.", "Vell harbour"
    ),
    Document("castle", "The castle of Orm was built in 1310. Its moat is 4 metres deep.", "Orm castle"),
    Document("lake", "The lake of Tam freezes in winter. It is 90 metres deep in the middle.", "Tam lake"),
    Document("bread", "Bread rises when yeast eats sugar. Bake it for forty minutes.", "Baking bread"),
)
HISTORY = ("user: Who built the castle of Orm?", "assistant: The castle of Orm was built in 1310, by whom is not said.")


def searching(**changes: Any) -> Any:
    return indexed(StructureChunker(), Conversation(**{"dense": None, **changes}), DOCUMENTS)


def first(found: Hits) -> str:
    return found[0].doc


def test_a_turn_that_leans_on_the_history_is_answered_from_it() -> None:
    asked = Query("q", "How deep is it there?", history=HISTORY)
    assert first(searching()(asked)) == "castle"
    vell = Query("q", "How deep is it there?", history=("user: Tell me about the harbour of Vell.",))
    assert first(searching()(vell)) == "harbour"
    assert searching()(asked).notes["retrievers/conversation"] == {"turns": 2, "topic": "same"}


def test_a_turn_on_another_topic_is_found_as_if_it_came_first() -> None:
    found = searching()(Query("q", "When does bread rise?", history=HISTORY))
    assert first(found) == "bread"
    assert found.notes["retrievers/conversation"]["topic"] == "new"


def test_the_question_that_later_stages_see_is_the_last_turn() -> None:
    asked = Query("q", "How deep is it?", history=HISTORY, budget=50)
    assert searching()(asked).query == asked


@stage
class Told:
    """Keeps one hit, a castle where it may, and says what it was asked."""

    def __call__(self, hits: Hits, /) -> Hits:
        kept = sorted(hits.items, key=lambda hit: hit.doc != "castle")[:1]
        return Hits(hits.query, tuple(kept), notes={hits.query.text: len(hits)})


def test_a_reranker_reads_the_turn_alone_and_behind_the_one_before() -> None:
    found = searching(reranker=Told(), depth=3)(Query("q", "How deep is it?", history=HISTORY))
    assert found.notes["How deep is it?"] == found.notes["Who built the castle of Orm? How deep is it?"] == 3
    assert (len(found), first(found), found.query.text) == (3, "castle", "How deep is it?")
    alone = searching(reranker=Told())(Query("q", "When does bread rise?", history=HISTORY))
    assert set(alone.notes) == {"When does bread rise?", "retrievers/conversation"}


def test_without_history_it_is_plain_hybrid_search() -> None:
    hashed = registry.find("embedders/hash")(dim=64)
    dense = registry.find("retrievers/dense")(embedder=hashed)
    plain = indexed(StructureChunker(), Hybrid(retrievers=(BM25(), dense), k=40), DOCUMENTS)
    talking = indexed(StructureChunker(), Conversation(dense=dense), DOCUMENTS)
    for text in ("How deep is the lake?", "castle", "zzz"):
        one, other = plain(Query("q", text)), talking(Query("q", text))
        assert [(h.key, h.score) for h in one] == [(h.key, h.score) for h in other]


def test_scope_holds_with_a_history_about_something_else() -> None:
    found = searching()(Query("q", "How deep is it?", scope=("lake",), history=HISTORY))
    assert {hit.doc for hit in found} == {"lake"}


def test_speakers_are_read_and_turns_without_any_alternate() -> None:
    said = read_turns(Query("q", "x", history=("Human: one", "AI: two", "user: three", "assistant: four")))
    assert said == (("three", "one"), "four")
    assert read_turns(Query("q", "x", history=("one", "two", "three", "four"))) == said
    assert read_turns(Query("q", "x", history=("one", "two", "three"))) == (("three", "one"), "")
    assert read_turns(Query("q", "x", history=("assistant: hello", "  "))) == ((), "hello")
    assert read_turns(Query("q", "x")) == ((), "")


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("When does bread rise?", True),
        ("When does it rise?", False),  # it leans
        ("When was Orm sold?", False),  # Orm was said
        ("And bread, does yeast matter?", False),
        ("Bread?", False),  # too little to stand alone
        ("Wie tief ist der Hafen?", True),
        ("", False),
    ],
)
def test_a_topic_is_new_where_a_turn_can_stand_alone_and_shares_nothing(text: str, moved: bool) -> None:
    assert shifted(text, read_turns(Query("q", text, history=HISTORY))) is moved


def test_a_first_turn_opens_no_other_topic() -> None:
    assert not shifted("When does bread rise?", read_turns(Query("q", "x")))


def test_something_must_be_searched() -> None:
    with pytest.raises(ConfigError, match="at least one must search"):
        Conversation(lexical=None, dense=None)


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=40), history=st.lists(st.text(max_size=40), max_size=6))
def test_any_history_gives_slices_in_a_steady_order(text: str, history: list[str]) -> None:
    asked = Query("q", text or "x", history=tuple(history))
    found = SEARCH(asked)
    assert found == SEARCH(asked)
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert all(hit.text == hit.document.text[hit.start : hit.end] for hit in found)


SEARCH = searching()


def test_a_long_history_costs_no_more_than_its_words() -> None:
    history = tuple(f"user: point {i} " + "harbour castle lake " * 2000 for i in range(200))
    found = SEARCH(Query("q", "How deep is the lake?", history=history))
    assert first(found) == "lake"
    assert recall([h.doc for h in found], {"lake": 1}, 1) == 1
