"""The study of hops: what is pinned, what the docstring says of it, and the time of a hop on fewer vectors."""

from __future__ import annotations

import json
from pathlib import Path

from evals.reproduce.hop import FIXED, SETS, hop_milliseconds
from retrievers.hop import Hop

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "hop.json").read_text())


def test_a_hop_finds_more_in_the_first_five_on_every_set() -> None:
    assert set(PINNED["sets"]) == set(SETS)
    for bases in PINNED["sets"].values():
        for row in bases.values():
            assert row["ahead"]["R@5"]["delta"] > 0
    assert all(row["R@5"]["low"] > 0 for row in PINNED["pooled"].values())


def test_the_docstring_says_what_is_pinned() -> None:
    doc = " ".join((Hop.__doc__ or "").split())
    for row in PINNED["pooled"].values():
        one = row["R@5"]
        assert f"{one['delta']:+.1f} ({one['low']:+.1f} to {one['high']:+.1f})" in doc


def test_a_hop_takes_little_time() -> None:
    if "time" in PINNED:
        assert PINNED["time"]["hop_ms"] <= 10
    assert hop_milliseconds(2000, 5)["hop_ms"] < 50


def test_no_question_fixed_a_constant() -> None:
    assert not set(SETS) & set(FIXED)
    assert sum(row["vectors"]["plain"]["n"] for row in PINNED["sets"].values()) == PINNED["pooled"]["vectors"]["n"]
    assert f"{PINNED['pooled']['words']['n']} questions" in " ".join((Hop.__doc__ or "").split())
