"""Notes at index time: BM25F weighs them, vectors stand beside the text, hits stay slices of the source."""

from __future__ import annotations

import gc
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import DocTree, flat
from rag.errors import ConfigError
from rag.models.embed import HashEmbedder
from rag.notes import Note, noted
from rag.store.corpus import Corpus, MemoryPart, MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense

WORDS = st.lists(st.sampled_from(["oak", "elm", "ash", "fir", "yew", "box"]), max_size=8).map(" ".join)


def tree(name: str, text: str, notes: str = "", *, title: str = "", ok: bool | None = True) -> DocTree:
    made = flat(Document(name, text, title), [(0, len(text))])
    return noted(made, "keywords", {1: [Note(notes, (), "x", ok)]} if notes else {})


def built(retriever, trees) -> MemoryStore:
    store = in_memory(trees)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    return store


def asked(retriever, trees, text, **query):
    return retriever.bind(built(retriever, trees))(Query("q", text, **query)).items


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8), WORDS)
def test_scores_are_those_of_the_formula_worked_out_by_hand(rows, question):
    trees = [tree(f"d{i}", text + ".", notes) for i, (text, notes) in enumerate(rows)]
    ranker = BM25(fields={"keywords": 0.7}, k=99, k1=1.1, b=0.3, path=False, language="none", stopwords="none")
    found = {hit.doc: hit.score for hit in asked(ranker, trees, question)}
    streams = [[text.split() for text, _ in rows], [notes.split() for _, notes in rows]]
    means = [np.mean([len(t) for t in streams[0]]), np.mean([len(one) for one in streams[1] if one] or [1])]
    if not means[0]:
        return
    for i in range(len(rows)):
        score = 0.0
        for word in question.split():
            df = sum(any(word in stream[j] for stream in streams) for j in range(len(rows)))
            mass = sum(
                weight * stream[i].count(word) / (1 - 0.3 + 0.3 * len(stream[i]) / mean)
                for stream, mean, weight in zip(streams, means, (1.0, 0.7), strict=True)
            )
            if mass:
                score += math.log(1 + (len(rows) - df + 0.5) / (df + 0.5)) * mass / (1.1 + mass)
        assert found.get(f"d{i}", 0.0) == pytest.approx(score, rel=1e-5)


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_a_field_that_no_leaf_has_changes_no_order(texts, question):
    trees = [tree(f"d{i}", text + ".") for i, text in enumerate(texts)]
    plain = asked(BM25(k=99, path=False), trees, question)
    fielded = asked(BM25(k=99, path=False, fields={"none": 2.0}), trees, question)
    assert [(h.doc, pytest.approx(h.score, rel=1e-5)) for h in plain] == [(h.doc, h.score) for h in fielded]


def test_a_word_that_only_a_note_has_finds_the_leaf_and_why_says_so():
    trees = [tree("a", "The pilot boards.", "navigation harbour"), tree("b", "The harbour is deep.", "depth")]
    hits = asked(BM25(fields={"keywords": 0.5}), trees, "harbour pilot")
    assert {hit.doc: hit.why for hit in hits} == {"a": "in text, keywords", "b": "in text"}
    only = asked(BM25(fields={"keywords": 0.5}), trees, "navigation")
    assert [(hit.doc, hit.why, hit.text) for hit in only] == [("a", "in keywords", "The pilot boards.")]
    assert asked(BM25(), trees, "navigation") == ()
    assert asked(BM25(), trees, "harbour")[0].why == ""


def test_the_headings_can_be_a_field_of_their_own():
    trees = [tree("a", "oak and elm", title="Trees of the town"), tree("b", "trees and trees", title="Birds")]
    assert [h.doc for h in asked(BM25(fields={"path": 9.0}), trees, "trees")] == ["a", "b"]
    assert [h.doc for h in asked(BM25(fields={"path": 0.01}), trees, "trees")] == ["b", "a"]
    assert "in path" in [h.why for h in asked(BM25(fields={"path": 1.0}, path=False), trees, "town")]


@pytest.mark.parametrize("form", ["prefix", "vectors"])
def test_a_note_that_failed_verification_is_never_indexed(form):
    for ok, found in ((False, 0), (None, 1), (True, 1)):
        trees = [tree("a", "The pilot boards.", "zeppelin", ok=ok)]
        assert len(asked(BM25(fields={"keywords": 1.0}), trees, "zeppelin")) == found
    good, bad = ([tree("a", "The pilot boards.", "zeppelin", ok=ok)] for ok in (True, False))
    dense = Dense(embedder=HashEmbedder(), fields=("keywords",), form=form)
    plain = Dense(embedder=HashEmbedder())
    assert asked(dense, bad, "zeppelin")[0].score == asked(plain, bad, "zeppelin")[0].score
    assert asked(dense, good, "zeppelin")[0].score > asked(plain, good, "zeppelin")[0].score


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=7), WORDS, st.data())
def test_a_leaf_scores_by_the_best_of_its_vectors_in_and_out_of_a_scope(rows, question, data):
    trees = [tree(f"d{i}", text + ".", notes) for i, (text, notes) in enumerate(rows)]
    embedder = HashEmbedder(dim=64)
    dense = Dense(embedder=embedder, fields=("keywords",), form="vectors", path=False, k=99)
    if not question:
        return
    wanted = {}
    for i, (text, notes) in enumerate(rows):
        own = [text + ".", *([notes] if notes else [])]
        wanted[f"d{i}"] = float(np.max(embedder.embed(own) @ embedder.embed([question], query=True)[0]))
    scope = data.draw(st.none() | st.lists(st.sampled_from(sorted(wanted)), unique=True).map(tuple))
    hits = asked(dense, trees, question, scope=scope)
    assert {h.doc for h in hits} == set(wanted if scope is None else scope)
    assert all(h.score == pytest.approx(wanted[h.doc], abs=2e-6) for h in hits)
    assert all(h.spans == ((0, len(h.document.text)),) for h in hits)


def test_a_graph_over_leaves_and_notes_finds_what_comparing_all_finds():
    rows = [(f"oak number {i} stands", f"elm {i * 7 % 101}") for i in range(300)]
    trees = [tree(f"d{i:03}", text, notes) for i, (text, notes) in enumerate(rows)]
    common = {"embedder": HashEmbedder(), "fields": ("keywords",), "form": "vectors", "k": 5, "path": False}
    exact, graph = (asked(Dense(exact_below=n, **common), trees, "elm 49") for n in (10_000, 10))
    assert exact[0].doc == graph[0].doc == "d007"
    assert [h.doc for h in graph if h in exact]


@pytest.mark.parametrize(
    "retriever",
    [
        BM25(fields={"keywords": 0.5, "path": 1.5}),
        Dense(embedder=HashEmbedder(), fields=("keywords",), form="vectors"),
        Dense(embedder=HashEmbedder(), fields=("keywords",)),
    ],
    ids=["bm25", "vectors", "prefix"],
)
def test_an_update_gives_the_bytes_of_a_fresh_build(retriever):
    def rows(*names):
        return [tree(n, f"{n} oak text.", f"{n} elm" if n != "b" else "", title=f"T {n}") for n in names]

    old_trees, new_trees = rows("a", "b", "c"), rows("a", "c", "d", "e")
    before = built(retriever, old_trees).part(part_key(retriever))
    fresh = built(retriever, new_trees)
    reuse = np.array([0, 2, -1, -1])
    corpus = Corpus(**{**vars(fresh.corpus), "reuse": reuse} if hasattr(fresh.corpus, "__dict__") else {})
    again = MemoryPart(old=before)
    retriever.build(corpus, again)
    wanted = fresh.part(part_key(retriever)).values
    assert sorted(again.values) == sorted(wanted)
    for name, value in wanted.items():
        if isinstance(value, np.ndarray):
            assert again.values[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_a_weight_that_is_no_positive_number_is_refused(weight):
    with pytest.raises(ConfigError, match="fields: 'gist': a weight must be above 0"):
        BM25(fields={"gist": weight})


def test_without_fields_nothing_is_kept_that_was_not_kept_before():
    part = built(BM25(), [tree("a", "oak", "elm")]).part(part_key(BM25()))
    assert sorted(part.values) == ["counts", "indptr", "leaves", "lengths", "scores", "term-ends", "terms"]
    dense = Dense(embedder=HashEmbedder())
    assert sorted(built(dense, [tree("a", "oak", "elm")]).part(part_key(dense)).values) == ["embedder", "vectors"]


def test_building_with_fields_takes_time_in_proportion_to_the_leaves():
    def seconds(n):
        text = "".join(f"oak number {i} stands. " for i in range(n))
        ends = [i for i, c in enumerate(text, 2) if c == "."]
        made = flat(Document("d", text), list(zip([0, *ends[:-1]], ends, strict=True)))
        made = noted(made, "keywords", {i + 1: [Note(f"elm {i}", (), "x", True)] for i in range(n)})
        spent = []
        for _ in range(3):
            began = time.process_time()
            built(BM25(fields={"keywords": 0.5}, path=False), [made])
            spent.append(time.process_time() - began)
        return min(spent)

    seconds(100)
    gc.disable()  # of what other tests left behind
    try:
        assert seconds(8_000) < 14 * max(seconds(2_000), 0.01)
    finally:
        gc.enable()
