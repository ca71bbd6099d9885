"""The study of the recipe multihop: what is pinned and what the docstring says of it."""

from __future__ import annotations

import json
from pathlib import Path

from evals.reproduce.multihop import BUDGETS, SETS, recipe
from retrievers.multihop import MultiHop

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "multihop.json").read_text())


def test_it_is_ahead_of_both_bases_on_sets_its_constants_never_saw() -> None:
    assert set(PINNED["sets"]) == set(SETS)
    for row in PINNED["ahead"].values():
        assert row["R@5"]["delta"] >= 6
        assert row["AllR@5"]["delta"] >= 10
        assert min(row["R@5"]["low"], row["AllR@5"]["low"]) > 0


def test_plain_questions_lose_at_most_a_point() -> None:
    for row in PINNED["plain"].values():
        assert row["n"] == 0 or row["all_R@5"]["delta"] >= -1


def test_more_evidence_is_left_after_compression() -> None:
    for row in PINNED["sets"].values():
        for budget in BUDGETS:
            assert row["multihop"][f"AllSup@{budget}"]["mean"] >= row["hybrid+ce"][f"AllSup@{budget}"]["mean"]


def test_the_docstring_says_what_is_pinned() -> None:
    doc = " ".join((MultiHop.__doc__ or "").split())
    for base in ("dense", "hybrid+ce"):
        row = PINNED["ahead"][base]
        one, every = (row[name] for name in ("R@5", "AllR@5"))
        assert f"{one['delta']:+.1f} ({one['low']:+.1f} to {one['high']:+.1f})" in doc
        assert f"{every['delta']:+.1f} ({every['low']:+.1f} to {every['high']:+.1f})" in doc


def test_the_recipe_is_what_is_measured() -> None:
    assert isinstance(recipe(), MultiHop)
    assert recipe().route == "auto"
