"""What is said of set search is what is pinned; a part is searched again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.reproduce import combine

PINNED = json.loads((Path(combine.__file__).parents[1] / "expected" / "combine.json").read_text())


def test_no_budget_was_exceeded_in_a_hundred_thousand_cases() -> None:
    assert sum(one["cases"] for one in PINNED["over_budget"].values()) >= 100_000
    assert all(one["over"] == 0 for one in PINNED["over_budget"].values())


def test_more_evaluations_were_never_worse() -> None:
    assert {how: one["worse"] for how, one in PINNED["worse"].items()} == {"beam": 0, "mcts": 0}
    assert all(one["n"] == combine.SMALL for one in PINNED["worse"].values())


def test_small_sets_are_the_best_and_greedy_keeps_its_bound() -> None:
    for kind in PINNED["share"].values():
        for how in ("beam", "mcts"):
            assert (kind[how]["n"], kind[how]["least"], kind[how]["within_1"]) == (combine.SMALL, 100, 100)
        assert kind["greedy"]["mean"][0] < kind["beam"]["mean"][0]
    assert PINNED["share"]["monotone"]["greedy"]["least"] >= 100 * combine.BOUND


def test_larger_sets_are_proven_or_come_within_a_point() -> None:
    assert PINNED["larger"]["14"]["proven"] == combine.SMALL
    assert set(PINNED["larger"]) == {str(size) for size in combine.LARGER}
    assert all(one["mean"][1] >= 99.9 for one in PINNED["larger"].values())
    assert "101 with 30" in str(combine.__doc__)
    assert PINNED["larger"]["30"]["proven"] == 101
    assert round(100 - min(kind["greedy"]["least"] for kind in PINNED["share"].values()), 1) == 15.4


@pytest.mark.parametrize("how", combine.HOW)
def test_a_part_measured_again_agrees(how: combine.How) -> None:
    assert combine.over_budget(400, how, seed=1) == 0
    assert combine.anytime(10, how, seed=1) == 0
    shares = combine.nearness(12, monotone=True, seed=1)[how]
    assert min(shares) >= (combine.BOUND if how == "greedy" else 1 - 1e-6)
    told = combine.larger(4, 14, seed=1)
    assert (told["proven"], told["least"]) == (4, 100)
