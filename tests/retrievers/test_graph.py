"""Evidence over several documents, found by the names they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.index import Index
from rag.pipeline import Pipeline
from rag.testing import indexed
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.graph import Graph
from retrievers.network import Weights, counted, facts, network

DOCS = [
    ("film", "The Prairie King", "The Prairie King is a western film of 1927 directed by Reeves Eason."),
    ("eason", "Reeves Eason", "Reeves Eason (1886 – 1956) was born in Fryors Point."),
    ("town", "Fryors Point", "Fryors Point is a town on the river. It has two mills."),
    ("other", "Mills", "A mill grinds corn. The western mills of a river town are of wood."),
    ("last", "Sound film", "A film of the thirties has sound."),
]


def documents(rows: Sequence[tuple[str, str, str]] = DOCS, *, titles: bool = True) -> list[Document]:
    return [Document(name, text, title if titles else "") for name, title, text in rows]


def ask(question: str, docs: list[Document], **settings: object) -> list[str]:
    graph = indexed(StructureChunker(), Graph(**settings), docs)  # type: ignore[arg-type]
    return [hit.doc for hit in graph(Query("q", question))]


@pytest.mark.parametrize("titles", [True, False])
def test_a_passage_two_names_away_is_found_where_words_find_nothing(titles: bool) -> None:
    question = "Where was the director of The Prairie King born?"
    docs = documents(titles=titles)
    assert "town" not in [hit.doc for hit in indexed(StructureChunker(), BM25(), docs)(Query("q", question))]
    assert ask(question, docs)[:3] == ["film", "eason", "town"]


def test_the_way_to_a_hit_is_told() -> None:
    graph = indexed(StructureChunker(), Graph(), documents())
    hits = graph(Query("q", "Where was the director of The Prairie King born?"))
    why = {hit.doc: hit.why for hit in hits}
    assert why["film"] == "named: film"
    assert why["town"] == "match: eason > town"
    assert hits.notes["retrievers/graph"]["named"] >= 1


def test_scope_closes_the_other_documents() -> None:
    graph = indexed(StructureChunker(), Graph(), documents())
    hits = graph(Query("q", "Who directed The Prairie King?", scope=("eason", "town")))
    assert {hit.doc for hit in hits} <= {"eason", "town"}


@pytest.mark.parametrize(
    "question",
    [
        "when is it?",
        "港はどこですか？",
        "wer hat den film gedreht und wo wurde er geboren",
        " ".join(f"Name{i} Other{i}" for i in range(50)),
        "Reeves Eason " * 900,
        "???",
    ],
)
def test_any_question_is_bounded(question: str) -> None:
    graph = indexed(StructureChunker(), Graph(k=3), documents())
    hits = graph(Query("q", question))
    assert len(hits) <= 3
    assert hits.notes["retrievers/graph"]["named"] <= 64 * 10


def test_a_corpus_of_one_passage_is_found() -> None:
    assert ask("Who was Ada Lind?", [Document("one", "Ada Lind (born 1871) was an engineer.")]) == ["one"]


def test_a_name_in_every_third_passage_joins_none() -> None:
    rows = [(f"d{i}", f"Thing {i}", f"Thing {i} of Great Vell." if i % 3 == 0 else f"Thing {i}.") for i in range(300)]
    told = counted(facts(title, (), text) for _, title, text in rows)
    made = network(told, np.arange(300, dtype=np.int32), Weights())
    assert int(np.diff(made.edges.indptr).max()) <= 40
    assert "great vell" not in [made.keys[i] for i in np.flatnonzero(made.node >= 0).tolist()]


def test_namesakes_share_what_names_them() -> None:
    rows = [(f"lind{i}", "Ada Lind", f"Ada Lind was born in year {i}.") for i in range(3)]
    docs = documents([*rows, ("film", "Vell", "Vell was built by Ada Lind.")])
    graph = indexed(StructureChunker(), Graph(seeds=0), docs)
    hits = graph(Query("q", "Who was Ada Lind?"))
    scores = {hit.doc: round(hit.score, 9) for hit in hits}
    assert scores["lind0"] == scores["lind1"] == scores["lind2"]
    many = documents([(f"lind{i:02}", "Ada Lind", f"Ada Lind was born in year {i}.") for i in range(30)])
    assert ask("Who was Ada Lind?", many, seeds=0) == []


def test_the_order_of_documents_has_no_effect() -> None:
    question = Query("q", "Where was the director of The Prairie King born?")
    one = _index(documents()).run(question)
    two = _index(documents()[::-1]).run(question)
    assert [(hit.key, hit.score, hit.why) for hit in one] == [(hit.key, hit.score, hit.why) for hit in two]


def _pipe() -> Pipeline:
    return Pipeline(chunker=StructureChunker(), stages=(Graph(),))


def _index(docs: list[Document]) -> Index:
    found: Index = _pipe().index(docs)
    return found


def test_an_index_brought_up_to_date_equals_a_fresh_one() -> None:
    question = Query("q", "Where was the director of The Prairie King born?")
    grown = _index(documents()[:2]).add(documents()[2:]).delete("last")
    fresh = _index([doc for doc in documents() if doc.id != "last"])
    assert [(h.key, h.score) for h in grown.run(question)] == [(h.key, h.score) for h in fresh.run(question)]


NAMES = st.sampled_from(["Ada Lind", "Vell Harbour", "Reeves Eason", "Great Mill", "Osk"])
ROWS = st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=8)


@settings(max_examples=40)
@given(ROWS, st.tuples(NAMES, NAMES))
def test_a_new_document_changes_the_edges_of_its_neighbourhood_alone(
    rows: list[tuple[str, str, str]], new: tuple[str, str]
) -> None:
    told = [facts(a, (), f"{a} was with {b}. It saw {c}.") for a, b, c in rows]
    more = [*told, facts(new[0], (), f"{new[0]} was with {new[1]}.")]
    before, after = (network(counted(one), np.arange(len(one), dtype=np.int32), Weights()) for one in (told, more))
    said = {one[2:] for one in more[-1] if one[:2] in ("m:", "o:", "s:")}
    touched = {i for i, one in enumerate(told) if said & {fact[2:] for fact in one}}
    for leaf in set(range(len(rows))) - touched:
        assert _edges(before, leaf) == _edges(after, leaf)


def _edges(net: object, leaf: int) -> dict[str, float]:
    n, keys = net.leaves, [net.keys[i] for i in np.flatnonzero(net.node >= 0).tolist()]  # type: ignore[attr-defined]
    target, weight = net.edges.of(leaf)  # type: ignore[attr-defined]
    label = [str(t) if t < n else keys[t - n] if t - n < len(keys) else "section" for t in target.tolist()]
    return dict(zip(label, weight.tolist(), strict=True))


def test_settings_of_a_question_change_without_a_new_index() -> None:
    index = _index(documents()).tuned("stages[0].damping=0.5", "stages[0].seeds=0")
    assert index.run(Query("q", "Who directed The Prairie King?"))[0].doc == "film"
