from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ModelError
from rag.lexical import match
from rag.types import Document, Hit, Hits, Query
from rerankers.cross_encoder import CrossEncoder


@dataclass(frozen=True)
class Words:
    """Scores by shared words; gives what its settings say otherwise."""

    bad: float | None = None
    name: str = "words"
    fingerprint: str = "words"

    def score(self, query: str, texts) -> np.ndarray:
        if self.bad is not None:
            return np.full(len(texts), self.bad, dtype=np.float32)
        return np.array([match(query, [t, "x"])[0] for t in texts], dtype=np.float32)


def hit(text: str, doc: str, score: float = 0.0, title: str = "") -> Hit:
    return Hit(flat(Document(doc, text, title), [(0, len(text))]), 1, ((0, len(text)),), score)


def test_the_passage_that_answers_comes_first_with_its_score() -> None:
    hits = Hits(Query("q", "who signs the lease"), (hit("Dogs bark.", "a", 9.0), hit("Ann signs the lease.", "b", 1.0)))
    out = CrossEncoder(scorer=Words())(hits)
    assert [h.doc for h in out] == ["b", "a"]
    assert out[0].score == out[0].scores["rerankers/cross-encoder"] > out[1].score
    assert hits[0].score == 9.0


def test_hits_behind_rank_k_are_dropped_with_the_rank() -> None:
    hits = Hits(Query("q", "lease"), tuple(hit("lease " * n, str(n)) for n in (1, 2, 3)))
    out = CrossEncoder(scorer=Words(), k=2)(hits)
    assert len(out) == 2
    assert [(d.stage, d.reason) for d in out.drops] == [("rerankers/cross-encoder", "rank 3 > k=2")]


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(6)))
def test_the_order_of_the_input_has_no_effect(order: list[int]) -> None:
    items = [hit("the lease" if i % 2 else "a dog", f"d{i}") for i in range(6)]
    hits = Hits(Query("q", "lease"), tuple(items))
    other = replace(hits, items=tuple(items[i] for i in order))
    stage = CrossEncoder(scorer=Words(), k=4)
    assert stage(hits) == stage(other)


def test_headings_are_read_unless_path_is_off() -> None:
    hits = Hits(Query("q", "lease"), (hit("It ends in May.", "a", title="Lease"), hit("It ends in June.", "b")))
    assert CrossEncoder(scorer=Words())(hits)[0].score > 0
    assert CrossEncoder(scorer=Words(), path=False)(hits)[0].score == 0


def test_the_best_window_of_a_long_passage_counts() -> None:
    long = "Dogs bark at night. " * 40 + "Ann signs the lease."
    hits = Hits(Query("q", "who signs the lease"), (hit(long, "a"), hit("Bob reads the lease.", "b")))
    assert [h.doc for h in CrossEncoder(scorer=Words(), window=200)(hits)] == ["a", "b"]
    out = CrossEncoder(scorer=Words(), window=200)
    assert "".join(out.passages(hits[0])) == long
    assert all(len(p) <= 200 for p in out.passages(hits[0]))


def test_nothing_in_nothing_out_and_an_empty_question_changes_nothing() -> None:
    empty = Hits(Query("q", "lease"))
    assert CrossEncoder(scorer=Words())(empty) == empty
    blank = Hits(Query("q", " "), (hit("a", "a"),))
    assert CrossEncoder(scorer=Words(bad=1.0))(blank) == blank


def test_not_a_number_is_an_error_and_never_a_rank() -> None:
    with pytest.raises(ModelError, match="rerankers/cross-encoder: words must give 1 finite scores"):
        CrossEncoder(scorer=Words(bad=float("nan")))(Hits(Query("q", "lease"), (hit("a", "a"),)))


@pytest.mark.model
def test_the_embedded_model_finds_the_passage_that_answers() -> None:
    texts = ("Hamlet was written by William Shakespeare.", "It is raining in Paris.", "Hamlet is a small settlement.")
    hits = Hits(Query("q", "who wrote Hamlet"), tuple(hit(t, str(i)) for i, t in enumerate(texts)))
    assert next(h.doc for h in CrossEncoder()(hits)) == "0"
