"""The bubble on bad input: an error that names stage and item, or a defined result; never the whole input in silence."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from compressors.bubble import Bubble
from rag.doctree import flat
from rag.errors import ConfigError, ModelError, StoreMismatch
from rag.types import Document, Hit, Hits, Query

TEXT = "Rent is due in May. The tenant pays it in cash, or by cheque, on the first day. Pets may stay."


def hit(doc: str, text: str, *spans: tuple[int, int], score: float = 1.0) -> Hit:
    tree = flat(Document(doc, text), [(0, len(text))])
    return Hit(tree, 1, spans or ((0, len(text)),), score)


def asked(*hits: Hit, question: str = "when is the rent due") -> Hits:
    return Hits(Query("q", question), hits)


@dataclass(frozen=True)
class Scores:
    """A scorer that gives what it was told to give."""

    gives: object
    name: str = "odd"
    max_tokens: int = 512
    fingerprint: str = "odd"

    def score(self, query, texts):
        return self.gives(texts)


@pytest.mark.parametrize("budget", [0, 1])
def test_no_room_gives_nothing_and_says_why(budget: int) -> None:
    out = Bubble(budget=budget)(asked(hit("a", TEXT)))
    assert out.items == ()
    assert out.tokens == 0
    assert {drop.reason for drop in out.drops} == {f"not within {budget} tokens"}


def test_a_budget_above_everything_keeps_everything_once() -> None:
    out = Bubble(budget=10**9)(asked(hit("a", TEXT), hit("b", "Dogs bark. ")))
    assert ["".join(h.pieces) for h in out] == [TEXT, "Dogs bark. "]
    assert not out.drops


def test_a_sentence_longer_than_the_budget_is_cut_at_its_clauses() -> None:
    text = "the rent is due, " + "and so it goes on, " * 30
    out = Bubble(budget=20, distinct=False)(asked(hit("a", text)))
    assert 0 < out.tokens <= 20
    assert "the rent is due" in out[0].text
    whole = Bubble(budget=20)(asked(hit("a", "rent" * 400)))
    assert whole.items == ()
    assert whole.drops


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda texts: np.full(len(texts), np.nan), "3 finite scores.*3 not finite, first at unit 0"),
        (lambda texts: np.ones(len(texts) - 1), r"3 finite scores, got shape \(2,\)"),
        (lambda texts: np.ones((len(texts), 2)), r"3 finite scores, got shape \(3, 2\)"),
        (lambda texts: np.array([1.0, np.inf, 0.0]), "3 finite scores.*first at unit 1"),
    ],
)
def test_scores_of_the_wrong_number_or_kind_name_the_stage(gives, message: str) -> None:
    with pytest.raises(ModelError, match=f"compressors/bubble: odd must give {message}"):
        Bubble(scorer=Scores(gives))(asked(hit("a", TEXT)))


def test_what_is_no_scorer_is_refused_when_it_is_set() -> None:
    with pytest.raises(ConfigError, match="compressors/bubble: scorer: must be a scorer"):
        Bubble(scorer=3)


def test_scores_of_hits_that_are_no_numbers_count_as_the_lowest() -> None:
    hits = asked(*(hit(d, f"Rent of {d} is due. ", score=s) for d, s in (("a", float("nan")), ("b", 2.0), ("c", 1.0))))
    out = Bubble(budget=100)(hits)
    assert {h.doc for h in out} == {"a", "b", "c"}
    assert out.spans() == Bubble(budget=100)(replace(hits, items=hits.items[::-1])).spans()
    endless = asked(hit("a", TEXT, score=float("inf")), hit("b", "Dogs bark.", score=0.0), hit("c", "Cats.", score=1.0))
    assert Bubble(budget=500)(endless).tokens > 0


def test_hits_of_two_indexes_with_one_document_name_are_refused() -> None:
    with pytest.raises(StoreMismatch, match="compressors/bubble: document 'a' has two texts among the hits"):
        Bubble()(asked(hit("a", TEXT), hit("a", "The rent of another house is due in June. ")))
    assert Bubble()(asked(hit("a", TEXT), hit("a", "".join(list(TEXT)))))  # the same text, read twice


def test_overlapping_spans_are_shown_once() -> None:
    out = Bubble(budget=300)(asked(hit("a", TEXT, (0, 60)), hit("a", TEXT, (20, len(TEXT)))))
    kept = [i for h in out for a, b in h.spans for i in range(a, b)]
    assert len(kept) == len(set(kept))


def test_blank_text_between_headings_gives_nothing() -> None:
    out = Bubble(budget=100)(asked(hit("a", "\n\n \n")))
    assert out.items == ()
    assert Bubble(budget=100)(asked()).items == ()
    assert Bubble(budget=100)(asked(hit("a", TEXT), question="")).tokens <= 100
