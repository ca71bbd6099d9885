"""The study of the recipe multihop: what is pinned and what the docstring says of it."""

from __future__ import annotations

import json
from pathlib import Path

from evals.reproduce.multihop import BUDGETS, PLAIN, SETS, recipe, walking
from retrievers.graph import Graph
from retrievers.multihop import MultiHop
from retrievers.questions import Questions

PAGE = (Path(__file__).parents[2] / "rag" / "docs" / "multihop.md").read_text(encoding="utf-8")
PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "multihop.json").read_text())


def test_it_is_ahead_of_both_bases_also_on_questions_that_chose_nothing() -> None:
    assert set(PINNED["sets"]) == set(SETS)
    for base in ("dense", "hybrid+ce", "dense fresh", "hybrid+ce fresh"):
        row = PINNED["ahead"][base]
        assert row["R@5"]["delta"] >= 6
        assert row["AllR@5"]["delta"] >= 10
        assert min(row["R@5"]["low"], row["AllR@5"]["low"]) > 0


def test_steps_lose_nowhere_and_gain_on_the_mean() -> None:
    assert PINNED["ahead"]["walk"]["R@5"]["low"] > 0
    for row in PINNED["sets"].values():
        assert row["multihop"]["R@5"]["mean"] >= row["walk"]["R@5"]["mean"]


def test_plain_questions_of_eight_sets_lose_at_most_a_point() -> None:
    assert set(PINNED["plain"]) == set(PLAIN)
    worst = min(row["all_R@5"]["delta"] for row in PINNED["plain"].values() if row["n"])
    assert worst >= -1
    assert f"none loses more than {-worst:.1f} points" in " ".join((MultiHop.__doc__ or "").split())


def test_more_evidence_is_left_after_compression() -> None:
    for row in PINNED["sets"].values():
        for budget in BUDGETS:
            assert row["multihop"][f"AllSup@{budget}"]["mean"] >= row["hybrid+ce"][f"AllSup@{budget}"]["mean"]


def told(row: dict[str, float]) -> str:
    return f"{row['delta']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"


def test_the_docstring_says_what_is_pinned() -> None:
    doc = " ".join((MultiHop.__doc__ or "").split())
    for base in ("dense", "hybrid+ce", "hybrid+ce fresh"):
        assert told(PINNED["ahead"][base]["R@5"]) in doc
        assert told(PINNED["ahead"][base]["AllR@5"]) in doc
    assert f"add {told(PINNED['ahead']['walk']['R@5'])} to the walk" in doc
    one, two, three = (PINNED["sets"][name]["multihop"]["n"] for name in SETS)
    assert f"on {one}, {two} and {three} questions" in doc
    assert PINNED["fresh"] == {"musique": False, "twowiki": True, "hotpotqa": True}


def test_the_page_says_what_is_pinned() -> None:
    for name, ways in PINNED["sets"].items():
        for way, row in ways.items():
            cuts = ("R@2", "R@5", "AllR@5", "AllSup@512", "AllSup@256", "AIC@512", "AIC@256")
            cells = " | ".join(f"{row[cut]['mean']:.1f}" if cut in row else "" for cut in cuts)
            assert f"| {name} | {row['n']} | {way} | {cells} |" in PAGE
    for name, row in PINNED["plain"].items():
        assert f"| {name} | {row['questions']} | {row['sent']}" in PAGE
        assert f"| {told(row['all_R@5'])} |" in PAGE


def test_the_recipe_is_what_is_measured() -> None:
    whole = recipe()
    assert isinstance(whole, MultiHop)
    assert whole.route == "auto"
    assert [type(one) for one in whole.ways] == [Questions]
    assert [type(one) for one in walking().ways] == [Graph]
