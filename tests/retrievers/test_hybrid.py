"""Hybrid: the published formula, every list's score kept, ties in index order, nothing out of bounds."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import DocTree, flat
from rag.errors import ConfigError, RagError
from rag.models.embed import HashEmbedder
from rag.pipeline import retrievers_of
from rag.store.corpus import MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

WORDS = st.lists(st.sampled_from(["oak", "elm", "ash", "fir", "yew"]), min_size=1, max_size=6).map(" ".join)
LEXICAL, NEAR = BM25(k=4), Dense(embedder=HashEmbedder(dim=32), k=3)


def trees(texts: Sequence[str]) -> list[DocTree]:
    return [flat(Document(f"d{i}", text), [(0, len(text))]) for i, text in enumerate(texts)]


def built(retriever: Hybrid, texts: Sequence[str]) -> MemoryStore:
    store = in_memory(trees(texts))
    for one in retrievers_of(retriever):
        one.build(store.corpus, store.part(part_key(one)))
    return store


def order(hits: Hits) -> list[str]:
    return [hit.doc for hit in hits]


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS, st.sampled_from([(), (1.0, 0.25)]))
def test_reciprocal_ranks_add_up_as_published(texts: list[str], question: str, weights: tuple[float, ...]) -> None:
    retriever = Hybrid(retrievers=(LEXICAL, NEAR), fusion="rrf", weights=weights, rrf_k=10)
    store, query = built(retriever, texts), Query("q", question)
    expected: dict[str, float] = {}
    for one, weight in zip((LEXICAL, NEAR), weights or (1, 1), strict=True):
        for rank, doc in enumerate(order(one.bind(store)(query)), 1):
            expected[doc] = expected.get(doc, 0) + weight / (10 + rank)
    hits = retriever.bind(store)(query)
    assert {hit.doc: hit.score for hit in hits} == pytest.approx(expected)
    assert order(hits) == [hit.doc for hit in sorted(hits, key=lambda hit: (-hit.score, hit.doc))]


@pytest.mark.parametrize("scale", ["minmax", "zscore"])
def test_weighted_sums_are_of_scores_made_comparable(scale: str) -> None:
    texts = ["oak elm", "oak", "elm yew", "yew fir ash", "fir", "oak oak elm"]
    retriever = Hybrid(retrievers=(LEXICAL, NEAR), fusion="weighted", scale=scale, weights=(2, 1))
    store, query = built(retriever, texts), Query("q", "oak elm")
    expected: dict[str, float] = {}
    for one, weight in ((LEXICAL, 2), (NEAR, 1)):
        found = {hit.doc: hit.score for hit in one.bind(store)(query)}
        values = np.array(list(found.values()))
        spread = np.ptp(values) if scale == "minmax" else values.std()
        for doc, score in found.items():
            expected[doc] = expected.get(doc, 0) + weight * (score - values.min()) / spread
    assert {hit.doc: hit.score for hit in retriever.bind(store)(query)} == pytest.approx(expected)


def test_each_hit_keeps_what_every_retriever_gave_even_two_of_a_kind() -> None:
    retriever = Hybrid(retrievers=(BM25(), BM25(k1=2, path=False), NEAR))
    store, query = built(retriever, ["oak elm", "fir ash", "yew"]), Query("q", "oak")
    hit = retriever.bind(store)(query)[0]
    alone = [one.bind(store)(query)[0].score for one in retriever.retrievers]
    names = ["retrievers/bm25", "retrievers/bm25#2", "retrievers/dense", "retrievers/hybrid"]
    assert dict(hit.scores) == dict(zip(names, [*alone, hit.score], strict=True))


def test_equal_sums_come_in_index_order() -> None:
    retriever = Hybrid(retrievers=(BM25(k=1), replace(NEAR, k=1)), fusion="rrf")
    texts = ["fir fir fir", "oak", "oak elm ash fir yew oak"]
    bound = retriever.bind(built(retriever, texts))
    lists = [order(one(Query("q", "oak"))) for one in bound.retrievers]
    assert order(bound(Query("q", "oak"))) == sorted({*lists[0], *lists[1]})


def test_a_scope_keeps_other_documents_out() -> None:
    retriever = Hybrid(retrievers=(BM25(), Dense(embedder=HashEmbedder(dim=32))))
    bound = retriever.bind(built(retriever, ["oak elm", "oak", "elm", "yew"]))
    assert sorted(order(bound(Query("q", "oak elm yew", scope=("d1", "d3"))))) == ["d1", "d3"]
    assert order(bound(Query("q", "oak", scope=()))) == []


def test_k_cuts_the_fused_list_and_hybrids_nest() -> None:
    inner = Hybrid(retrievers=(BM25(),))
    outer = Hybrid(retrievers=(inner, NEAR), k=2)
    bound = outer.bind(built(outer, ["oak elm", "oak", "elm", "yew"]))
    hits = bound(Query("q", "oak elm"))
    assert len(hits) == 2
    assert "retrievers/bm25" in hits[0].scores


def test_nothing_is_found_in_an_empty_index_or_for_an_empty_question() -> None:
    retriever = Hybrid(retrievers=(LEXICAL, NEAR))
    assert order(retriever.bind(built(retriever, []))(Query("q", "oak"))) == []
    assert order(retriever.bind(built(retriever, ["oak"]))(Query("q", ""))) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": (1.0,)}, "must be one a retriever, 2, got 1"),
        ({"weights": (1.0, -1.0)}, "must be >= 0 and not all 0"),
        ({"weights": (0.0, 0.0)}, "must be >= 0 and not all 0"),
        ({"weights": (float("nan"), 1.0)}, "must be >= 0 and not all 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(settings: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Hybrid(retrievers=(LEXICAL, NEAR), **settings)


def test_it_says_when_it_is_not_bound_and_pickles_as_its_settings() -> None:
    retriever = Hybrid(retrievers=(LEXICAL, NEAR))
    bound = retriever.bind(built(retriever, ["oak"]))
    assert pickle.loads(pickle.dumps(bound)) == retriever == bound
    with pytest.raises(RagError, match="retrievers/hybrid: not bound"):
        retriever(Query("q", "oak"))
