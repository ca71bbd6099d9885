"""The frameworks give our spans: pinned with their versions, and measured again on a few questions."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

import rag.bridge
from evals.reproduce.bridges import FRAMEWORKS, reproduce
from rag.optional import available

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "bridges.json").read_text())


def test_every_question_agrees_in_every_framework() -> None:
    assert set(PINNED["frameworks"]) == set(FRAMEWORKS)
    assert PINNED["n"] >= 100
    for row in PINNED["frameworks"].values():
        assert row["agree"] == [1.0, 1.0, 1.0]
        assert row["leaves"] == 1.0


def test_the_docstring_states_the_versions_and_the_cost_that_were_measured() -> None:
    said = " ".join((rag.bridge.__doc__ or "").split())
    for row in PINNED["frameworks"].values():
        for name, number in row["versions"].items():
            assert f"{name} {number}" in said
    costs = [row["more ms"][0] for row in PINNED["frameworks"].values()]
    assert f"at {min(costs):.0f} to {max(costs):.0f} ms more a question" in said


@pytest.mark.skipif(not available("haystack"), reason="haystack is not installed")
def test_measured_again_on_a_few_questions() -> None:
    again = reproduce(Namespace(limit=4, seed=0, data=None), lambda _: None)
    for row in again["frameworks"].values():
        assert row["agree"][0] == row["leaves"] == 1.0
