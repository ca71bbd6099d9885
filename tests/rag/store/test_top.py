"""The best scores are those of a full sort, ties by position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.store.top import top


def sorted_fully(scores: np.ndarray, k: int, above: float) -> list[tuple[int, float]]:
    rows = [(i, float(s)) for i, s in enumerate(scores) if s > above]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:k]


@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(1, 50), st.sampled_from([-np.inf, 0.0]))
def test_few_scores_come_as_a_full_sort_gives_them(values: list[int], k: int, above: float) -> None:
    scores = np.array(values, dtype=np.float32)
    places, best = top(scores, k, above=above)
    assert list(zip(places.tolist(), best.tolist(), strict=True)) == sorted_fully(scores, k, above)


@pytest.mark.parametrize("n", [512, 513, 5_000, 20_011])
@pytest.mark.parametrize("k", [1, 10, 100, 4_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 1.0])
def test_many_scores_come_as_a_full_sort_gives_them(n: int, k: int, share: float) -> None:
    rng = np.random.default_rng(n + k)
    scores = np.where(rng.random(n) < share, rng.integers(1, 60, n), 0).astype(np.float32)
    for above in (-np.inf, 0.0):
        places, best = top(scores, k, above=above)
        assert list(zip(places.tolist(), best.tolist(), strict=True)) == sorted_fully(scores, k, above)
