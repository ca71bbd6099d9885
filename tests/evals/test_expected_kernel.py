from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import chunkers.kernel
from evals.reproduce.kernel import CASES, UNITS, cost, largest_gap, short_of_best

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "kernel.json").read_text())


def test_a_thousand_cases_equalled_brute_force_and_fifty_thousand_units_took_less_than_three_seconds() -> None:
    assert PINNED["n"] >= CASES == 1_000
    assert PINNED["largest_gap"] < 1e-9
    assert PINNED["short_of_best"] < 1e-9
    rows = {row["units"]: row for row in PINNED["rows"]}
    assert PINNED["intents"] == 50
    assert rows[50_000]["cpu"][2] < 3
    assert rows[50_000]["megabytes"][0] < 2.1 * rows[25_000]["megabytes"][0]
    assert f"{rows[50_000]['cpu'][0]:.1f} s of CPU" in " ".join((chunkers.kernel.__doc__ or "").split())


def test_a_hundred_cases_measured_again_are_equal() -> None:
    rng = np.random.default_rng(1)
    assert max(largest_gap(rng) for _ in range(100)) < 1e-9
    assert max(short_of_best(rng) for _ in range(20)) < 1e-9


def test_memory_measured_again_grows_no_faster_than_the_units() -> None:
    small, large = cost(1_000), cost(4_000)
    assert large["megabytes"] < 4 * small["megabytes"]
    assert UNITS[-1] == 50_000
