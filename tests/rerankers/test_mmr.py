"""MMR: the published choice by brute force, nothing invented, every drop with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ConfigError
from rag.models.embed import HashEmbedder
from rag.types import Document, Hit, Hits, Query
from rerankers.mmr import MMR, choose, lexical

WORDS = st.lists(st.sampled_from(["oak", "elm", "ash", "fir", "yew", "the"]), max_size=6).map(" ".join)


def hits(*found: tuple[str, float]) -> Hits:
    trees = [flat(Document(f"d{i}", text + "."), [(0, len(text) + 1)]) for i, (text, _) in enumerate(found)]
    spans = [((0, len(text) + 1),) for text, _ in found]
    items = (Hit(t, 1, s, score) for t, s, (_, score) in zip(trees, spans, found, strict=True))
    return Hits(Query("q", "trees"), tuple(items))


def by_brute_force(relevance: list[float], similar: list[list[float]], k: int, lam: float) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        left = [i for i in range(len(relevance)) if i not in chosen]
        value = {i: lam * relevance[i] - (1 - lam) * max((similar[i][j] for j in chosen), default=0) for i in left}
        chosen.append(max(left, key=lambda i: (round(value[i], 9), -i)))
    return chosen


@given(st.integers(0, 7), st.integers(1, 8), st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(0, 9))
def test_the_choice_is_that_of_the_formula(n: int, k: int, lam: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 3, (n, 3)).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    relevance = rng.integers(0, 4, n) / 3
    order, gains, similarity = choose(relevance, rows, k, lam)
    assert order == by_brute_force(relevance.tolist(), np.maximum(rows @ rows.T, 0).tolist(), k, lam)
    assert len(gains) == len(similarity) == min(n, k)


@given(st.lists(st.tuples(WORDS, st.integers(-3, 3).map(float)), max_size=6), st.integers(1, 7))
def test_hits_are_kept_or_dropped_with_a_reason_and_none_is_invented(found: list[tuple[str, float]], k: int) -> None:
    given_ = hits(*found)
    out = MMR(k=k)(given_)
    assert len(out) == min(k, len(found))
    assert sorted([h.doc for h in out] + [d.hit.doc for d in out.drops]) == sorted(h.doc for h in given_)
    spans = {h.doc: h.spans for h in given_}
    assert all(h.spans == spans[h.doc] for h in out)
    assert all(d.stage == "rerankers/mmr" and d.reason for d in out.drops)


@pytest.mark.parametrize("embedder", [None, HashEmbedder()])
def test_a_repetition_gives_way_to_something_new(embedder: HashEmbedder | None) -> None:
    found = hits(("oak trees grow slowly", 3.0), ("oak trees grow slowly", 2.9), ("yew wood bends", 2.0), ("ash", 0.0))
    assert [h.doc for h in MMR(k=2, lam=0.5, embedder=embedder)(found)] == ["d0", "d2"]
    assert [h.doc for h in MMR(k=2, lam=1, embedder=embedder)(found)] == ["d0", "d1"]


def test_the_reason_of_a_drop_names_the_chosen_hit_it_is_most_like() -> None:
    found = hits(("oak grows slowly", 3.0), ("yew bends", 2.0), ("oak grows slowly", 1.0))
    out = MMR(k=2, lam=0.5)(found)
    assert [d.reason for d in out.drops] == ["not among the 2 chosen; most like number 1, similarity 1.00"]


def test_the_value_of_the_formula_is_the_score_and_earlier_scores_stay() -> None:
    out = MMR(lam=0.7)(hits(("oak", 9.0), ("yew", 3.0)))
    assert [h.score for h in out] == [0.7, 0.0]
    assert out[0].scores == {"rerankers/mmr": 0.7}


def test_no_hits_give_no_hits() -> None:
    assert MMR()(hits()) == hits()


def test_texts_without_a_word_are_like_nothing() -> None:
    assert lexical([[], []]).shape == (2, 0)
    assert [h.doc for h in MMR()(hits(("?", 1.0), ("?", 1.0)))] == ["d0", "d1"]


def test_what_is_no_embedder_is_refused_when_given() -> None:
    with pytest.raises(ConfigError, match="embedder: must be an embedder .* got str"):
        MMR(embedder="bge")  # type: ignore[arg-type]
