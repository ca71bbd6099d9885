"""Comparisons: refused over different questions, "no winner" when there is none, found when there is one."""

import json

import numpy as np
import pytest
from small_stages import First, Lines, Words

from evals import run as runs
from evals.compare import changes, compare, compare_folders
from evals.metrics.names import parse_all
from evals.score import Table
from rag.errors import DataError
from rag.pipeline import Pipeline

METRICS = tuple(parse_all("EM,R@5"))


def table(values, ids=None):
    values = np.asarray(values, dtype=float)
    ids = tuple(ids or (f"q{i}" for i in range(len(values))))
    return Table(ids, METRICS, values, np.zeros(values.shape, dtype=bool), ())


def test_two_identical_pipelines_have_no_winner_in_95_of_100_repetitions():
    rng = np.random.default_rng(0)
    none = 0
    for i in range(100):
        a, b = rng.random((200, 2)) < 0.7, rng.random((200, 2)) < 0.7
        none += compare({"a": table(a), "b": table(b)}, resamples=500, seed=i).verdict().startswith("no winner")
    assert none >= 95


def test_a_planted_gain_is_found_as_often_as_the_stated_power_says():
    rng = np.random.default_rng(1)
    found = 0
    detectable = []
    for i in range(100):
        base = (rng.random(200) < 0.6).astype(float)
        better = base.copy()
        lost = rng.random(200) < 0.02
        gained = rng.random(200) < 0.21  # of the wrong ones: 8.4 points, less the 1.2 that were lost
        better[(base == 0) & gained] = 1.0
        better[(base == 1) & lost] = 0.0
        result = compare(
            {"a": table(np.stack([base, base], 1)), "b": table(np.stack([better, base], 1))}, resamples=500, seed=i
        )
        detectable.append(result.pairs[0].found.detectable)
        found += result.winners()["EM"] == "b"
    assert 0.055 < np.median(detectable) < 0.072  # the planted 7.2 points are just above it: power 0.8 and a little
    assert 76 <= found < 100


def test_the_correction_covers_all_pairs_and_metrics():
    rng = np.random.default_rng(2)
    a = rng.random((60, 2))
    result = compare({"a": table(a), "b": table(a + rng.normal(0.02, 0.1, a.shape)), "c": table(a)}, resamples=500)
    assert len(result.pairs) == 6
    assert all(pair.p >= pair.found.p for pair in result.pairs)


def test_runs_over_different_questions_are_refused():
    with pytest.raises(DataError, match=r"holds 3 questions and 'b' 2, 2 of them shared. Run both over the same"):
        compare({"a": table(np.ones((3, 2))), "b": table(np.ones((2, 2)))})
    with pytest.raises(DataError, match="at least 2 runs"):
        compare({"a": table(np.ones((3, 2)))})


def test_a_metric_that_applies_to_other_questions_is_left_out_by_name():
    a, b = np.ones((3, 2)), np.ones((3, 2))
    b[0, 1] = np.nan
    result = compare({"a": table(a), "b": table(b)}, resamples=50)
    assert "different questions" in result.off["R@5"]
    assert {p.metric for p in result.pairs} == {"EM"}


def test_a_metric_where_low_is_better_is_won_by_the_lower():
    costs = tuple(parse_all("Context"))
    values = np.full((50, 1), 10.0) + np.arange(50)[:, None] % 3

    def make(found):
        return Table(tuple(map(str, range(50))), costs, found, np.zeros((50, 1), dtype=bool), ())

    assert compare({"a": make(values + 5), "b": make(values)}, resamples=200).winners() == {"Context": "b"}


def test_run_folders_are_compared_with_their_config_difference(data, tmp_path):
    good = Pipeline(chunker=Lines(), stages=(Words(), First()))
    bad = Pipeline(chunker=Lines(), stages=(Words(k=3), First(silent=True)))
    runs.run(good, data, tmp_path / "good", metrics="EM,R@1")
    runs.run(bad, data, tmp_path / "bad", metrics="EM,R@1")
    result = compare_folders([tmp_path / "bad", tmp_path / "good"])
    assert result.verdict() == "good wins by EM"
    assert result.json()["winners"] == {"EM": "good", "R@1": None}
    assert changes([tmp_path / "bad", tmp_path / "good"]) == [
        ("stages[0].k", ("3", "5")),
        ("stages[1].silent", ("True", "False")),
    ]
    json.dumps(result.json(), allow_nan=False)


def test_runs_over_other_data_are_refused(data, tmp_path):
    pipe = Pipeline(chunker=Lines(), stages=(Words(), First()))
    runs.run(pipe, data, tmp_path / "a", metrics="EM", limit=3)
    runs.run(pipe, data, tmp_path / "b", metrics="EM", limit=3)
    manifest = tmp_path / "b" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "data": "other"}))
    with pytest.raises(DataError, match="different data"):
        compare_folders([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(DataError, match="is not the folder of a run"):
        compare_folders([tmp_path / "a", tmp_path / "nowhere"])


def test_identical_results_are_called_that_and_promise_nothing():
    rng = np.random.default_rng(3)
    a = rng.random((40, 2))
    result = compare({"a": table(a), "b": table(a)}, resamples=50)
    assert result.verdict() == "identical results: no question has another score"
    assert [row["detectable"] for row in result.json()["pairs"]] == [None, None]
    other = a.copy()
    other[0, 1] += 0.1
    partly = compare({"a": table(a), "b": table(other)}, resamples=50)
    assert partly.verdict().startswith("no winner; these questions show differences from about R@5 0.0")
    assert [row["same"] for row in partly.json()["pairs"]] == [True, False]


def test_the_table_of_two_equal_runs_shows_no_detectable_difference(data, tmp_path):
    from typer.testing import CliRunner

    from rag.cli import app

    pipe = Pipeline(chunker=Lines(), stages=(Words(), First()))
    for name in ("a", "b"):
        runs.run(pipe, data, tmp_path / name, metrics="EM,R@1,Seconds", limit=9)
    shown = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "b")]).stdout
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.startswith(("EM", "R@1"))}
    assert {name: row[-2:] for name, row in rows.items()} == {"EM": ["-", "identical"], "R@1": ["-", "identical"]}
    assert shown.splitlines()[-1] == "identical results: no question has another score"


def test_a_verdict_over_several_runs_names_each_metric_once_and_counts_what_is_told_apart():
    rng = np.random.default_rng(5)
    a = rng.random((60, 2))
    found = compare({"a": table(a), "b": table(a[::-1].copy()), "c": table(a - 0.5)}, resamples=500)
    assert found.verdict().startswith("no winner over all; 4 of 6 pairs are told apart; these questions show")
    for metric in {pair.metric for pair in found.pairs}:
        assert found.verdict().count(metric) == 1
    shown = [pair.found.detectable for pair in found.pairs if pair.metric == "R@5"]
    least = max(value for value in shown if np.isfinite(value))
    assert f"R@5 {least:.3f}" in found.verdict()
