from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.segment import BLOCK, partition

VALUES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, -np.inf])


def every_way(count: int) -> list[list[int]]:
    return [
        [0, *(k + 1 for k, cut in enumerate(inner) if cut)]
        for inner in itertools.product([False, True], repeat=max(count - 1, 0))
    ]


def value(starts: list[int], gain: np.ndarray, cut: np.ndarray, longest: np.ndarray) -> float:
    total = 0.0
    for i, j in itertools.pairwise([*starts, len(longest)]):
        if j - i > max(1, longest[i]):
            return -np.inf
        total += gain[i, j - i - 1] - (cut[i] if i else 0.0)
    return total


@settings(max_examples=200, deadline=None)
@given(count=st.integers(1, 9), data=st.data())
def test_the_partition_is_the_best_of_all(count: int, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, count))
    gain = np.array(
        [data.draw(st.lists(VALUES, min_size=width, max_size=width)) for _ in range(count)], dtype=np.float64
    )
    gain[:, 0] = np.maximum(gain[:, 0], -1.0)
    cut = np.array(data.draw(st.lists(st.sampled_from([-0.5, 0.0, 0.25, 1.0]), min_size=count + 1, max_size=count + 1)))
    longest = np.array(data.draw(st.lists(st.integers(0, width), min_size=count, max_size=count)))
    found = partition(gain, cut, longest)
    starts = found.starts.tolist()
    assert starts[0] == 0
    assert value(starts, gain, cut, longest) == found.value
    ways = sorted(every_way(count), key=lambda way: value(way, gain, cut, longest))
    assert value(ways[-1], gain, cut, longest) == found.value
    assert (found.margin >= 0).all()
    assert len(found.margin) == len(starts)


def test_of_equal_ways_the_one_with_the_shorter_last_segment_wins() -> None:
    assert partition(np.zeros((3, 3)), np.zeros(4), np.full(3, 3)).starts.tolist() == [0, 1, 2]


def test_the_margin_is_what_the_best_beat() -> None:
    gain = np.array([[1.0, 2.5], [1.0, -np.inf]])
    found = partition(gain, np.zeros(3), np.array([2, 1]))
    assert found.starts.tolist() == [0]
    assert found.margin.tolist() == [0.5]
    assert partition(gain[:1, :1], np.zeros(2), np.array([1])).margin.tolist() == [np.inf]


def test_a_unit_that_is_worth_nothing_is_still_a_segment() -> None:
    found = partition(np.full((3, 1), -np.inf), np.zeros(4), np.zeros(3, dtype=np.int64))
    assert found.starts.tolist() == [0, 1, 2]


def test_nothing_is_divided_into_nothing() -> None:
    assert partition(np.zeros((0, 1)), np.zeros(1), np.zeros(0, dtype=np.int64)).starts.tolist() == []


def test_rows_that_are_made_when_asked_for_give_the_same() -> None:
    rng = np.random.default_rng(0)
    count, width = 2 * BLOCK + 17, 7
    gain, cut = rng.normal(size=(count, width)), rng.normal(size=count + 1)
    longest = rng.integers(1, width + 1, size=count)
    whole, asked = partition(gain, cut, longest), partition(lambda a, b: gain[a:b], cut, longest)
    assert whole.starts.tolist() == asked.starts.tolist()
    assert whole.value == pytest.approx(asked.value)
