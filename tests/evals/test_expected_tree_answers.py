"""What is pinned of the study of recipe `tree` says what the docs say; the part without models is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals.datasets import load
from evals.reproduce import trees
from evals.stats import paired
from retrievers.tree import TreeRetriever

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "trees.json").read_text())
BUDGETS = ("512", "1024")


def test_every_case_is_pinned_on_every_set_with_its_number_of_questions() -> None:
    assert set(PINNED["rows"]) == {*trees.CHOSEN_ON, *trees.CONFIRMED_ON}
    for row in PINNED["rows"].values():
        assert row["n"] >= 50
        assert set(row["recall"]) == set(trees.CASES)
    assert set(PINNED["pairs"]) == {f"{new} against {old}" for new, old in trees.AGAINST}


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_tree_is_ahead_on_the_mean_of_the_sets_and_behind_by_more_than_chance_on_none(budget: str) -> None:
    entry = PINNED["pairs"]["tree against quickstart"]
    mean, low, _ = entry["means"]["all"][budget]
    assert mean > 0
    assert low > 0
    assert min(gain[budget][2] for gain in entry["sets"].values()) >= 0


@pytest.mark.parametrize("budget", BUDGETS)
def test_sections_add_nothing_to_the_same_scores_as_the_docs_say(budget: str) -> None:
    mean, low, high = PINNED["pairs"]["tree against flat, neighbours"]["means"]["all"][budget]
    assert low < 0 < high
    told = f"{mean:.1f} points" if budget == "512" else f"{mean:.1f} ({low:.1f} to {high:.1f}) at 1,024"
    assert told in (TreeRetriever.__doc__ or "")


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_pinned_gains_are_the_differences_of_the_pinned_means(budget: str) -> None:
    at = BUDGETS.index(budget)
    for pair, entry in PINNED["pairs"].items():
        new, old = pair.split(" against ")
        for name, gain in entry["sets"].items():
            recall = PINNED["rows"][name]["recall"]
            assert gain[budget][0] == pytest.approx(recall[new][at] - recall[old][at], abs=0.11)
        means = [gain[budget][0] for gain in entry["sets"].values()]
        assert entry["means"]["all"][budget][0] == pytest.approx(np.mean(means), abs=0.02)


def test_the_bundled_set_gives_what_is_pinned_by_words_alone() -> None:
    assert trees.by_words() == PINNED["bundled, words alone"]


def test_the_case_tree_is_the_recipe() -> None:
    trees._same_as_the_recipe()


def test_the_mean_of_sets_draws_questions_within_each_set() -> None:
    one, other = np.array([1.0, 3.0]), np.full(50, 6.0)
    mean, low, high = trees.mean_of_sets([one, other], seed=0)
    assert mean == 4
    assert (low, high) == (3.5, 4.5)
    same = np.arange(40.0) % 7
    assert trees.mean_of_sets([same], seed=1)[0] == pytest.approx(paired(np.zeros(40), same, seed=1)[0], abs=0.01)


@pytest.mark.model
def test_questions_of_the_bundled_set_are_answered_no_worse_with_the_tree() -> None:
    data = load(trees.BUNDLED)
    items = data.items[::60]
    found = trees.scores(data, items, {name: trees.CASES[name] for name in ("quickstart", "tree")})
    assert found["tree"].shape == (len(items), 2)
    assert (found["tree"].mean(axis=0) >= found["quickstart"].mean(axis=0) - 15).all()
