"""A pair scorer reads a question with a text once, whatever number of budgets is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import First, Lines, Words

from evals import run as runs
from rag.models.onnx import OnnxScorer
from rag.models.score import keeping, kept
from rag.pipeline import Pipeline
from rag.stage import stage
from rag.types import Hits
from rerankers.cross_encoder import CrossEncoder

READ: list[tuple[str, str]] = []
ALONE = "R@5,EM"
BUDGETS = "R@5,EM,SpanR@16tok,SpanR@32tok,SpanR@64tok"


@stage
class Shared:
    """A scorer that counts: the share of the question's words in a text."""

    name = "shared"
    fingerprint = "shared@1"

    @kept
    def score(self, query, texts, /):
        READ.extend((query, text) for text in texts)
        words = set(query.lower().split())
        return np.array([len(words & set(text.lower().split())) / len(words) for text in texts], dtype=np.float32)


@stage
class Same:
    """A stage that is not installed, so that it and all after it run again for each budget."""

    def __call__(self, hits: Hits, /) -> Hits:
        return replace(hits, items=hits.items)


@pytest.fixture
def scored() -> Pipeline:
    return Pipeline(chunker=Lines(), stages=(Words(), Same(), CrossEncoder(scorer=Shared()), First()))


def test_more_budgets_read_no_pair_again_and_change_no_figure(scored, data):
    READ.clear()
    alone = runs.evaluate(scored, data, ALONE, limit=8)
    once = list(READ)
    READ.clear()
    with_budgets = runs.evaluate(scored, data, BUDGETS, limit=8)
    assert len(once) > 8
    assert once == READ
    assert {name: with_budgets[name] for name in alone} == alone
    assert with_budgets["SpanR@16tok"]["value"] <= with_budgets["SpanR@64tok"]["value"]


def test_nothing_is_given_back_before_it_is_asked_for():
    READ.clear()
    scorer = Shared()
    with keeping() as scores:
        first = scorer.score("a b", ["a", "b c"])
        scorer.score("a b", ["a"])
        assert len(READ) == 3, "what is timed reads every pair"
        scores.read = True
        again = scorer.score("a b", ["b c", "x", "a", "x"])
        assert READ[3:] == [("a b", "x")]
    assert again.tolist() == [first[1], 0.0, first[0], 0.0]
    assert again.dtype == np.float32
    scorer.score("a b", ["a"])
    assert len(READ) == 5, "outside nothing is kept"


@pytest.mark.model
def test_the_embedded_cross_encoder_gives_the_same_bits():
    scorer, texts = (
        OnnxScorer(),
        ["The lamp was lit in 1911.", "A ferry leaves at six.", "", "The lamp was lit in 1911."],
    )
    plain = scorer.score("When was the lamp lit?", texts)
    with keeping() as scores:
        scorer.score("When was the lamp lit?", texts[:2])
        scores.read = True
        assert scorer.score("When was the lamp lit?", texts).tobytes() == plain.tobytes()
