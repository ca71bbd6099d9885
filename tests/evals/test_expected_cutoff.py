"""What the docstring says of each rule is what is pinned; a small sample is measured again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.datasets import load
from evals.reproduce import cutoff
from rerankers.cutoff import Cutoff

PINNED = json.loads((Path(cutoff.__file__).parents[1] / "expected" / "cutoff.json").read_text())
SHOWN = ["gap, 2 to 20", "chord", "ratio", "drop", "kneedle", "meteora", "the first 2", "the first 10"]


@pytest.mark.parametrize("name", SHOWN)
def test_the_stage_shows_the_pinned_row(name: str) -> None:
    shown = re.search(rf"^ +{re.escape(name)}((?: +[\d.]+){{8}})$", Cutoff.__doc__ or "", re.MULTILINE)
    assert shown
    pinned = [one[0] for scores in ("bm25", "pagerank") for one in PINNED[scores]["rows"][name]]
    assert [float(v) for v in shown[1].split()] == pytest.approx(pinned, abs=0.051)


def test_the_earlier_table_is_met_as_said() -> None:
    assert PINNED["bm25"]["n"] == PINNED["pagerank"]["n"] == 400
    assert set(PINNED["differences"]) == set(cutoff.EXPECTED)
    for name, (bm25, pagerank) in PINNED["differences"].items():
        assert abs(bm25) <= 1.5
        assert abs(pagerank) <= {"gap, 4 to 20": 4.25, "drop": 1.85}.get(name, 1.5)


def test_intervals_hold_their_means_and_the_claims_against_others_are_beyond_chance() -> None:
    for scores in ("bm25", "pagerank"):
        for row in PINNED[scores]["rows"].values():
            assert all(low <= value <= high for value, low, high in row)
    assert PINNED["pagerank"]["against"]["gap, 2 to 20 less meteora, F1"][1] > 0
    assert PINNED["bm25"]["against"]["chord less the first 10, recall"][1] > 0


def test_the_sample_measured_again_has_the_same_order_of_rules() -> None:
    questions = cutoff.rankings(load(cutoff.WIKIPEDIA))["bm25"][:60]
    made = cutoff.judged(questions, 0)
    assert made == cutoff.judged(questions, 0)
    k, recall, _, f1 = ([row[i][0] for row in made["rows"].values()] for i in range(4))
    assert k[0] == min(k)
    assert max(recall) <= 100
    assert f1[-1] == min(f1)
