"""What is said of planted passages is what is pinned; the bundled sample is measured again."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

import rag
from evals.datasets import load
from evals.reproduce import poisoning
from evals.synth.poison import plant, write
from rerankers.verify import Verify

PINNED = json.loads((Path(poisoning.__file__).parents[1] / "expected" / "poisoning.json").read_text())
ROWS = PINNED["rows"]


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("flood")])
def test_floods_are_found_far_above_what_meteora_reports_and_few_honest_passages_go(name: str) -> None:
    row = ROWS[name]
    assert row["f1"][1] > 100 * PINNED["meteora_f1"]
    assert row["honest_loss"][2] < 5
    assert row["PoisonInContext"]["change"][2] < 0


def test_swapped_answers_are_found_above_it_on_most_sets_and_cost_little() -> None:
    found = {name: row for name, row in ROWS.items() if name.startswith("swap")}
    assert sum(row["f1"][0] > 100 * PINNED["meteora_f1"] for row in found.values()) > len(found) / 2
    assert all(row["honest_loss"][2] < 5 for row in found.values())
    assert all(row["PoisonInContext"]["change"][2] <= 0 for row in found.values())
    assert [name for name, row in found.items() if row["f1"][0] < 100 * PINNED["meteora_f1"]] == [
        "swap, nq_open: words"
    ]


@pytest.mark.parametrize("name", poisoning.UNSEEN_SWAPPED)
def test_swaps_of_sets_that_had_no_part_in_it_are_found_above_it_too(name: str) -> None:
    row = ROWS[f"swap, unseen, {name}: words"]
    assert row["f1"][0] > 100 * PINNED["meteora_f1"]
    assert row["HonestLoss"][0] < 5


@pytest.mark.parametrize("name", [*(f"flood, {name}" for name in poisoning.FLOODED), "swap, nq_open"])
def test_the_recipe_finds_more_than_meteora_and_loses_few_honest_passages(name: str) -> None:
    row = ROWS[f"{name}: guarded"]
    assert row["f1"][0] > 100 * PINNED["meteora_f1"]
    assert row["honest_loss"][2] < 5
    assert row["HonestLoss"][0] < 5
    assert row["PoisonInContext"]["change"][2] < 0


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("clean")])
def test_sets_with_nothing_planted_lose_less_than_five_of_a_hundred_passages(name: str) -> None:
    assert ROWS[name]["honest_loss"][2] < 5


def test_every_row_has_its_numbers() -> None:
    unseen = [name for name in ROWS if name.startswith("clean, unseen")]
    assert len(unseen) == len(poisoning.UNSEEN)
    for row in ROWS.values():
        assert row["n"] > 9
        for name in ("precision", "recall", "f1", "honest_loss", "gold_loss"):
            value, low, high = row.get(name, (0, 0, 0))
            assert low <= value <= high


def test_the_sample_measured_again_is_found_above_it(tmp_path: Path) -> None:
    data = load(poisoning.WIKIPEDIA)
    items = list(data.items[:60])
    write(data, plant(data, 0.3, 0, items), tmp_path, items)
    made = load(tmp_path)
    row = poisoning.figures(poisoning.cases(made, poisoning.WORDS, made.items), 0)
    assert row["planted"] == 18
    assert row["f1"][0] > 100 * poisoning.METEORA
    assert row["honest_loss"][0] < 5
    assert row["PoisonInContext"]["after"][0] < row["PoisonInContext"]["before"][0]


def test_what_is_planted_differs_in_the_answer_alone() -> None:
    data = load(poisoning.WIKIPEDIA)
    for one in plant(data, 0.1, 3):
        assert one.wrong in one.text
        assert one.right not in one.text or one.right in one.wrong
        assert len(one.text) <= 1300
    assert plant(data, 0.1, 3) == plant(data, 0.1, 3) != plant(data, 0.1, 4)


def test_the_recipe_has_one_guard_and_no_language_model() -> None:
    pipe = rag.load("guarded")
    (guard,) = (stage for stage in pipe.stages if isinstance(stage, Verify))
    assert guard.llm is None
    assert guard.embedder is not None
    assert len(poisoning.shown(pipe).stages) == len(pipe.stages) - 1


def test_the_page_says_what_is_pinned() -> None:
    page = (files("rag") / "docs" / "guard.md").read_text(encoding="utf-8")
    for name, row in ROWS.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        for column in ("precision", "recall", "f1", "honest_loss", "gold_loss"):
            if column in row:
                assert f"{row[column][0]:.1f}" in line, name
