"""The router, the bridges and the limits of a search over several passages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chunkers.structure import StructureChunker
from rag.errors import ModelError
from rag.stage import Field, stage
from rag.testing import indexed
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25
from retrievers.bridges import bridges
from retrievers.graph import Graph
from retrievers.multihop import MultiHop, logged, unmet
from retrievers.several import several

DOCS = [
    Document(
        "film", "The Prairie King is a western film of 1927. It was directed by Reeves Eason.", "The Prairie King"
    ),
    Document("eason", "Reeves Eason (1886 – 1956) was born in Fryors Point.", "Reeves Eason"),
    Document("town", "Fryors Point is a town on the river. It has two mills.", "Fryors Point"),
    Document("mill", "A mill grinds corn. The western mills of a river town are of wood.", "Mill"),
]
CHAIN = Query("q", "Where was the director of the film The Prairie King born?")
PLAIN = Query("p", "What grinds corn?")


@stage
class Overlap:
    """A scorer that counts shared words, and remembers nothing."""

    name: str = "overlap"
    fingerprint: str = "overlap-1"

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        asked = set(query.lower().split())
        return np.array([len(asked & set(text.lower().split())) for text in texts], dtype=np.float32)


@stage
class Slow:
    """A search that takes its time, or fails."""

    inner: BM25 = Field(default_factory=BM25)
    seconds: float = 0.0
    fails: bool = False
    shapes_index = ()

    def build(self, corpus: Any, part: Any, /) -> None:
        """Nothing."""

    def bind(self, store: Any, /) -> Slow:
        """With the inner one bound."""
        return Slow(inner=self.inner.bind(store), seconds=self.seconds, fails=self.fails)

    def __call__(self, query: Query, /) -> Hits:
        time.sleep(self.seconds)
        if self.fails:
            raise ModelError("slow: gave up.")
        return self.inner(query)


def multihop(**settings: Any) -> Any:
    given_ = {"single": BM25(), "ways": (Graph(),), "scorer": Overlap(), **settings}
    return indexed(StructureChunker(), MultiHop(**given_), DOCS)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Which film was released first, The Prairie King or Devotion?", "comparison"),
        ("Are Ada Lind and Osk Vell both engineers?", "comparison"),
        ("Who is the child of the director of Devotion?", "nested"),
        ("In which city is the university that Ada Lind founded?", "clause"),
        ("Simon & Simon starred which television actor?", "late"),
        ("When did the country containing Nugegoda leave the empire?", "steps"),
    ],
)
def test_a_question_of_several_hops_is_told_by_its_form(question: str, reason: str) -> None:
    assert reason in several(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who dredged the harbour?",
        "what does the adrenal gland produce",
        "港はどこですか？",
        "",
        "Birth weight matters.",
    ],
)
def test_a_plain_question_goes_the_plain_way(question: str) -> None:
    assert several(question) == ()


@given(st.text(max_size=900))
def test_any_question_is_routed(question: str) -> None:
    assert set(several(question)) <= {"comparison", "nested", "clause", "late", "steps"}


def test_the_way_and_its_reasons_are_told() -> None:
    hits = multihop()(CHAIN)
    note = hits.notes["retrievers/multihop"]
    assert note["way"] == "multi"
    assert note["why"]
    assert note["stopped"] == "done"
    assert [hit.doc for hit in hits][:3] == ["film", "eason", "town"]
    assert multihop()(PLAIN).notes["retrievers/multihop"]["way"] == "single"


def test_the_plain_way_is_the_search_ordered_by_the_scorer() -> None:
    plain = indexed(StructureChunker(), BM25(), DOCS)(PLAIN)
    scores = Overlap().score(PLAIN.text, [f"{hit.document.title}\n{hit.text}" for hit in plain])
    order = sorted(range(len(plain)), key=lambda i: (-float(scores[i]), plain[i].key))
    assert [hit.key for hit in multihop()(PLAIN)] == [plain[i].key for i in order]


def test_a_route_can_be_fixed() -> None:
    assert multihop(route="single")(CHAIN).notes["retrievers/multihop"]["way"] == "single"
    assert multihop(route="multi")(PLAIN).notes["retrievers/multihop"]["way"] == "multi"


def test_a_bridge_is_the_sentence_that_names_the_next_passage() -> None:
    hits = multihop(scorer=None, k=3)(CHAIN)
    found = {way.to: way for way in bridges(hits.items)}
    assert found[1].by == 0
    assert found[1].text == "The Prairie King: It was directed by Reeves Eason."
    assert 0 not in found


def test_a_passage_read_behind_its_bridge_rises() -> None:
    question = Query("q", "Which Prairie King actor directed it and both died where?")
    docs = [*DOCS[:2], Document("aaa", "A king of the prairie died.", "Aaa")]
    settings: dict[str, Any] = {"single": BM25(), "ways": (BM25(),), "scorer": Overlap(), "read": 5.0}
    score = {}
    for bridged in (0, 15):
        found = indexed(StructureChunker(), MultiHop(**settings, bridged=bridged, route="multi"), docs)(question)
        score[bridged] = {hit.doc: hit.score for hit in found}
        assert found.notes["retrievers/multihop"]["pairs"] >= len(found)
    assert score[15].get("eason", 0) >= score[0].get("eason", 0)


def test_the_next_way_is_taken_while_a_name_is_missing() -> None:
    question = Query("q", "Are Reeves Eason and Osk Vell both directors?")
    hits = multihop(ways=(Graph(), BM25()), route="multi")(question)
    assert hits.notes["retrievers/multihop"]["rounds"] == 2
    assert multihop(ways=(Graph(), BM25()))(CHAIN).notes["retrievers/multihop"]["rounds"] == 1
    assert unmet(question.text, hits.items) == {"osk vell"}


@pytest.mark.parametrize(
    ("settings", "stopped"),
    [
        ({"rounds": 1}, "rounds"),
        ({"calls": 1}, "calls"),
        ({"seconds": 0.05, "ways": (Slow(seconds=0.08), BM25())}, "seconds"),
        ({"ways": (BM25(), Slow(fails=True))}, "failed: ModelError"),
    ],
)
def test_a_limit_ends_the_search_with_what_there_is(settings: dict[str, Any], stopped: str) -> None:
    question = Query("q", "Are Reeves Eason and Osk Vell both directors?")
    hits = multihop(**{"ways": (BM25(), BM25(k=5)), "route": "multi", **settings})(question)
    note = hits.notes["retrievers/multihop"]
    assert note["stopped"] == stopped
    assert hits[0].doc == "eason"
    assert note["calls"] <= settings.get("calls", 12)
    assert note["rounds"] <= settings.get("rounds", 4)


def test_a_first_search_that_fails_is_an_error() -> None:
    with pytest.raises(ModelError, match="gave up"):
        multihop(ways=(Slow(fails=True),), route="multi")(CHAIN)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.sampled_from([CHAIN, PLAIN]))
def test_no_limit_is_ever_exceeded(passages: int, calls: int, rounds: int, question: Query) -> None:
    settings: dict[str, Any] = {"passages": passages, "calls": calls, "rounds": rounds, "route": "multi"}
    hits = multihop(**settings)(question)
    note = hits.notes["retrievers/multihop"]
    assert len(hits) <= passages
    assert note["calls"] <= calls
    assert note["rounds"] <= rounds
    assert note["pairs"] <= 3 * passages


@given(st.lists(st.floats(-5, 5, allow_nan=False), max_size=9))
def test_points_of_a_way_keep_the_order_and_lie_between_0_and_1(scores: list[float]) -> None:
    scores = sorted(scores, reverse=True)
    points = logged(scores)
    assert points == sorted(points, reverse=True)
    assert all(0 <= one <= 1 for one in points)


@pytest.mark.parametrize(
    "question", ["when?", "港はどこですか？", " ".join(f"Name{i}" for i in range(50)), "x " * 9000]
)
@pytest.mark.parametrize("route", ["auto", "multi"])
def test_any_question_is_bounded(question: str, route: str) -> None:
    assert len(multihop(route=route, k=2)(Query("q", question))) <= 2


def test_a_corpus_of_one_passage_is_searched() -> None:
    settings: dict[str, Any] = {"single": BM25(), "ways": (Graph(),), "scorer": Overlap()}
    found = indexed(StructureChunker(), MultiHop(**settings), DOCS[:1])(CHAIN)
    assert [hit.doc for hit in found] == ["film"]
