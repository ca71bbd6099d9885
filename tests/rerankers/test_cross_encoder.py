from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ConfigError, ModelError
from rag.lexical import match
from rag.models.onnx import OnnxScorer
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


@dataclass(frozen=True)
class Short(Words):
    """Reads no more than 60 characters of a text, and says so."""

    def ends(self, query: str, texts) -> np.ndarray:
        return np.array([min(60, len(text)) for text in texts], dtype=np.int64)


def test_a_passage_that_is_too_long_is_cut_at_a_sentence_end_and_counted() -> None:
    long = "Ann signs the lease today in Vell harbour. " + "Then many dogs bark at night, and so on without an end " * 9
    hits = Hits(Query("q", "who signs the lease"), (hit(long, "a"), hit("Bob.", "b")))
    seen: list[str] = []

    class Noted(Short):
        def score(self, query: str, texts) -> np.ndarray:
            seen.extend(texts)
            return super().score(query, texts)

    out = CrossEncoder(scorer=Noted())(hits)
    assert seen == ["Ann signs the lease today in Vell harbour. ", "Bob."]
    note = out.notes["rerankers/cross-encoder"]
    assert (note["cut"], note["unread"]) == (1, len(long) - 43)
    assert out[0].text == long


def test_a_probability_keeps_the_order_and_its_threshold_drops() -> None:
    texts = ("Ann signs the lease.", "the lease", "Dogs bark.")
    hits = Hits(Query("q", "who signs the lease"), tuple(hit(t, str(i)) for i, t in enumerate(texts)))
    plain = CrossEncoder(scorer=Words())(hits)
    likely = CrossEncoder(scorer=Words(), scores="probability", fit=(2.0, -1.0))(hits)
    assert [h.doc for h in likely] == [h.doc for h in plain]
    mean = np.mean([h.score for h in plain])
    assert [h.score for h in likely] == pytest.approx([1 / (1 + np.exp(1 - 2 * (h.score - mean))) for h in plain])
    for scores in ("logit", "probability"):
        out = CrossEncoder(scorer=Words(), scores=scores, fit=(2.0, -1.0), least=0.3)(hits)
        assert [h.doc for h in out] == [h.doc for h in likely if h.score >= 0.3]
        assert 0 < len(out) < 3
        assert {d.reason.split(" < ")[1] for d in out.drops} == {"least=0.3"}


def test_a_scorer_without_a_fit_gives_no_probability() -> None:
    hits = Hits(Query("q", "lease"), (hit("a", "a"),))
    with pytest.raises(ConfigError, match="rerankers/cross-encoder: fit: none is stored for 'words'"):
        CrossEncoder(scorer=Words(), least=0.5)(hits)
    for fit in ((0.0, 1.0), (-1.0, 0.0), (1.0, float("nan"))):
        with pytest.raises(ConfigError, match="fit: must be a slope above 0"):
            CrossEncoder(scorer=Words(), fit=fit)


@pytest.mark.model
def test_the_embedded_model_tells_how_far_it_reads() -> None:
    scorer = OnnxScorer()
    long = "The harbour of Vell is deep. " * 200
    ends = scorer.ends("how deep is it", [long, "short", ""])
    assert ends[1:].tolist() == [5, 0]
    assert 0 < ends[0] < len(long)
    cut = scorer.score("how deep is it", [long[: ends[0]], long])
    assert cut[0] == cut[1]
    out = CrossEncoder()(Hits(Query("q", "how deep is it"), (hit(long, "a"),)))
    assert out.notes["rerankers/cross-encoder"]["cut"] == 1
