"""Intervals and tests against their definitions and against scipy."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import stats


def test_a_bootstrap_interval_is_close_to_scipys():
    values = np.random.default_rng(1).random(200)
    ours = stats.interval(values, seed=3)
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=3)
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.002)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.002)


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        found = stats.interval(rng.random(60), resamples=500)
        held += found.low <= 0.5 <= found.high
    assert 180 <= held <= 199


def test_every_column_sees_the_same_resamples():
    values = np.random.default_rng(1).random((50, 3))
    together = stats.intervals(values, resamples=500)
    alone = [stats.interval(values[:, j], resamples=500) for j in range(3)]
    assert [t.value for t in together] == [a.value for a in alone]
    assert np.allclose(together, alone)


def test_large_inputs_are_resampled_in_blocks_with_the_same_result(monkeypatch):
    values = np.random.default_rng(1).random(40)
    whole = stats.interval(values, resamples=300)
    monkeypatch.setattr(stats, "CELLS", 400)
    assert stats.interval(values, resamples=300) == pytest.approx(whole)


def test_nothing_to_average_is_nan_not_zero():
    assert math.isnan(stats.interval([]).value)
    assert stats.interval([]).n == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=9))
def test_p_agrees_with_all_sign_patterns(differences):
    moved = np.asarray(differences)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(moved))).reshape(len(moved), -1).T
    exact = np.mean(np.abs(signs @ moved) >= abs(moved.sum()) - 1e-9)
    assert stats.permutation_p(differences, resamples=4000) == pytest.approx(exact, abs=0.04)


def test_p_is_never_zero():
    assert stats.permutation_p(np.ones(100), resamples=999) == 1 / 1000


def test_two_equal_systems_are_told_apart_no_more_often_than_alpha():
    rng = np.random.default_rng(5)
    false = sum(stats.permutation_p(rng.normal(size=80), resamples=400, seed=i) < 0.05 for i in range(200))
    assert false <= 20


def test_a_difference_of_the_stated_size_is_found_with_the_stated_power():
    rng = np.random.default_rng(7)
    noise = rng.normal(size=200)
    noise = 0.3 * (noise - noise.mean()) / noise.std(ddof=1)
    reach = stats.minimum_detectable(noise)
    found = sum(stats.permutation_p(rng.normal(reach, 0.3, 200), resamples=400, seed=i) < 0.05 for i in range(300))
    assert 0.72 <= found / 300 <= 0.88


def test_paired_scores_of_different_questions_are_refused():
    with pytest.raises(ValueError, match="different questions"):
        stats.paired([1.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="NaN"):
        stats.paired([1.0, math.nan], [1.0, 0.0])


def test_paired_gives_the_difference_of_the_second_over_the_first():
    found = stats.paired([0.0, 0.5, 0.0, 1.0], [1.0, 0.5, 1.0, 1.0], resamples=200)
    assert found.delta == 0.5
    assert found.low <= 0.5 <= found.high
    assert found.n == 4


@given(st.dictionaries(st.integers(0, 20), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_rule(ps):
    adjusted = stats.holm(ps)
    order = sorted(ps, key=ps.get)
    expected = np.minimum(1, np.maximum.accumulate([(len(ps) - i) * ps[k] for i, k in enumerate(order)]))
    assert [adjusted[k] for k in order] == pytest.approx(list(expected))
    assert list(adjusted) == list(ps)


def test_percentiles_of_nothing_are_nan():
    assert stats.percentiles([1.0, 2.0, 3.0], [50.0]) == [2.0]
    assert all(math.isnan(p) for p in stats.percentiles([]))
