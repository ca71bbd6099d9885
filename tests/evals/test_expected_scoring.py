"""The scorer beside its bare network, and its probabilities on sets it was not fitted on: pinned and measured again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rag.models.calibration
import rag.models.onnx
from evals.reproduce.calibration import FITTED, OTHERS, held
from evals.reproduce.scorer_speed import blocks, measured
from evals.training.calibrate import Pairs, error, fit_sets
from rag.models.calibration import Fit, chance, fit_of
from rag.models.onnx import OnnxScorer

EXPECTED = Path(__file__).parents[2] / "evals" / "expected"
SPEED = json.loads((EXPECTED / "scorer_speed.json").read_text())
CALIBRATION = json.loads((EXPECTED / "calibration.json").read_text())
TRUE = Fit(0.8, -1.5)


def made(seed: int, questions: int = 30) -> Pairs:
    """Pairs whose labels are drawn by the probabilities of a fit."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, questions * 20)
    one = Pairs(logits, np.zeros(len(logits), dtype=bool), np.repeat(np.arange(questions), 20))
    shift = rng.normal(0, 5, questions)[one.question]  # which the rise does not see
    return one._replace(labels=rng.random(len(logits)) < chance(one.rises, TRUE), logits=logits + shift)


def test_the_stage_costs_no_more_than_five_percent_above_the_bare_network() -> None:
    rows = SPEED["ratios"]
    assert rows["stage"]["high"] < 1.05
    assert rows["stage"]["n"] >= 10
    assert all(row["low"] > rows["stage"]["high"] for way, row in rows.items() if "batches" in way)
    assert all(value > 0.01 for value in SPEED["apart"].values())  # in batches scores depend on their neighbours


def test_the_stored_fit_is_the_one_that_was_measured() -> None:
    assert list(fit_of(OnnxScorer().name, "test")) == CALIBRATION["stored"]
    assert CALIBRATION["stored"] == pytest.approx(CALIBRATION["fitted again"], rel=0.03)  # of leaves packed otherwise
    assert set(CALIBRATION["sets"]) == {*OTHERS, *(f"{name}, by the others" for name in FITTED)}
    for row in CALIBRATION["sets"].values():
        assert row["n"] >= 20
        assert row["error"][1] <= row["error"][0] <= row["error"][2] + 1e-9


def test_the_docstring_says_what_is_pinned() -> None:
    said = " ".join((rag.models.calibration.__doc__ or "").split())
    rows = [CALIBRATION["sets"][name] for name in OTHERS]
    fit, raw = ([row["error"][0] for row in part] for part in (rows, [row["raw"] for row in rows]))
    assert f"calibration error is {min(fit):.2f} to {max(fit):.2f}" in said
    assert f"as they are {min(raw):.2f} to {max(raw):.2f}" in said
    assert "the mean is {:.2f} and {:.2f}".format(*CALIBRATION["mean error"]) in said
    assert "Brier score {:+.2f} and {:+.2f}".format(*CALIBRATION["mean gain"]) in said
    assert CALIBRATION["mean error"][0] < CALIBRATION["mean error"][1]


def test_a_true_fit_is_found_and_holds_and_a_wrong_one_does_not() -> None:
    sets = [made(seed) for seed in range(4)]
    found = fit_sets(sets)
    assert found == pytest.approx(TRUE, abs=0.2)
    right, wrong = held(made(9), found, 0), held(made(9), Fit(0.8, 1.5), 0)
    assert right["error"][0] < 0.05 < wrong["error"][1]
    assert right["gain"][1] > wrong["gain"][2]
    assert error(np.full(10, 0.3), np.array([True] * 3 + [False] * 7), bins=1) == pytest.approx(0.0)


@pytest.mark.model
def test_the_cost_measured_again_agrees() -> None:
    seconds = measured(blocks(0, 3), sizes=())["seconds"]
    assert sum(seconds["stage"]) < 1.25 * sum(seconds["bare, one a pass"])
