"""Fits of logits: the known answer is found, the order stays, what cannot be fitted is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError
from rag.models.calibration import Fit, chance, fit_of, fitted, probability, stored
from rag.models.onnx import OnnxScorer


@given(st.floats(0.2, 3), st.floats(-3, 1))
def test_the_fit_that_made_the_labels_is_found(slope: float, intercept: float) -> None:
    logits = np.linspace(-8, 8, 4001)
    share = chance(logits, Fit(slope, intercept))
    twice = np.concatenate((logits, logits))  # each logit as evidence and as none, weighed by its share
    labels = np.repeat([True, False], len(logits))
    found = fitted(twice, labels, np.concatenate((share, 1 - share)) + 1e-12)
    assert found.slope == pytest.approx(slope, abs=0.01)
    assert found.intercept == pytest.approx(intercept, abs=0.01)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_probabilities_lie_between_0_and_1_and_keep_the_order(logits: list[float]) -> None:
    values = probability(np.sort(np.array(logits)), Fit(0.7, -2.0))
    assert ((values >= 0) & (values <= 1)).all()
    assert (np.diff(values) >= 0).all()
    moved = probability(np.sort(np.array(logits)) + 4.0, Fit(0.7, -2.0))
    assert moved == pytest.approx(values, abs=1e-6)
    assert (
        probability(np.array(logits[::-1]), Fit(0.7, -2.0)) == probability(np.array(logits), Fit(0.7, -2.0))[::-1]
    ).all()


def test_alone_a_passage_rises_above_nothing() -> None:
    assert probability(np.array([9.0]), Fit(0.7, -2.0)) == probability(np.array([-9.0]), Fit(0.7, -2.0))
    assert len(probability(np.zeros(0), Fit(0.7, -2.0))) == 0


def test_labels_that_are_all_alike_or_backwards_are_refused() -> None:
    logits, weights = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4)
    with pytest.raises(ValueError, match="both evidence and other"):
        fitted(logits, np.ones(4, dtype=bool), weights)
    with pytest.raises(ValueError, match="slope: must be above 0"):
        fitted(logits, np.array([True, True, False, False]), weights)


def test_the_default_scorer_has_a_fit_and_an_unknown_one_is_told() -> None:
    assert stored()[OnnxScorer().name].slope > 0
    with pytest.raises(ConfigError, match=r"rerankers/x: fit: none is stored for 'mine', only for onnx/ms-marco"):
        fit_of("mine", "rerankers/x")
