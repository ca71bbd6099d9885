from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from chunkers.kernel import Kernel, best_intent, directions, mean_pairwise
from chunkers.segment import partition


def brute(vectors: np.ndarray, intents: np.ndarray, start: int, length: int) -> tuple[float, float, float, np.ndarray]:
    """Squared norm, similarity within, mean pairwise cosine and cosines of one segment, one by one."""
    part = vectors[start : start + length]
    total = part.sum(axis=0)
    within = sum(float(a @ b) for i, a in enumerate(part) for j, b in enumerate(part) if i != j)
    norm = float(np.sqrt(total @ total))
    cosines = intents @ total / norm if norm > 1e-9 else np.zeros(len(intents))
    return norm**2, within, within / max(length * (length - 1), 1), cosines


def test_a_thousand_random_segments_equal_brute_force() -> None:
    rng = np.random.default_rng(7)
    checked = 0
    while checked < 1_000:
        count, dim, width, intents = (int(rng.integers(1, high)) for high in (30, 9, 12, 6))
        vectors = directions(rng.normal(size=(count, dim)))
        vectors[rng.random(count) < 0.1] = 0.0
        asked = directions(rng.normal(size=(intents, dim)))
        kernel = Kernel(vectors, width, asked)
        base, weight = kernel.usual(), rng.random(intents) + 0.1
        low = int(rng.integers(0, count))
        high = int(rng.integers(low + 1, count + 1))
        squares, within = kernel.squares(low, high), kernel.within(low, high)
        cohesion, relevance = kernel.cohesion(low, high), kernel.relevance(low, high, base, weight)
        for i in range(low, high):
            for length in range(1, min(width, count - i) + 1):
                n2, inside, mean, cosines = brute(vectors, asked, i, length)
                at = (i - low, length - 1)
                assert squares[at] == pytest.approx(n2, abs=1e-9)
                assert within[at] == pytest.approx(inside, abs=1e-9)
                assert cohesion[at] == pytest.approx(mean, abs=1e-9)
                if n2 > 1e-9 or not vectors[i : i + length].any():
                    assert relevance[at] == pytest.approx(float(((cosines - base) * weight).max()), abs=1e-7)
                checked += 1


def test_the_mean_of_all_pairs_needs_no_table() -> None:
    vectors = directions(np.random.default_rng(1).normal(size=(20, 5)))
    gram = vectors @ vectors.T
    assert mean_pairwise(vectors) == pytest.approx((gram.sum() - 20) / 380)
    assert mean_pairwise(vectors[:1]) == 0.0


def test_a_constant_added_to_every_cosine_changes_no_relevance() -> None:
    rng = np.random.default_rng(2)
    cosine, weight = rng.integers(-64, 64, size=(5, 8, 6)) / 128, rng.random(5) + 0.1
    for constant in (0.25, -0.5, 8.0):
        before = best_intent(cosine, cosine[:, :, 0].mean(axis=1), weight)
        after = best_intent(cosine + constant, (cosine + constant)[:, :, 0].mean(axis=1), weight)
        assert after == pytest.approx(before, abs=1e-12)


def test_rows_of_zeros_and_of_no_numbers_have_cosine_zero() -> None:
    vectors = directions(np.array([[0.0, 0.0], [np.nan, 1.0], [3.0, 4.0]]))
    assert vectors.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.6, 0.8]]
    kernel = Kernel(vectors, 3, vectors[2:])
    assert kernel.relevance(0, 3, np.zeros(1), np.ones(1))[0].tolist() == pytest.approx([0.0, 0.0, 1.0])
    assert np.isfinite(kernel.cohesion(0, 3)).all()


def test_without_intents_nothing_is_relevant() -> None:
    kernel = Kernel(directions(np.eye(3)), 2)
    assert not kernel.relevance(0, 3, np.zeros(0), np.zeros(0)).any()
    assert len(kernel.usual()) == 0


def row(count: int) -> tuple[float, int]:
    """CPU seconds of tables and cuts for so many units with 50 intents, and the most memory held beside the vectors."""
    rng = np.random.default_rng(0)
    vectors, intents = directions(rng.normal(size=(count, 384))), directions(rng.normal(size=(50, 384)))
    kernel = Kernel(vectors, 16, intents)
    base, weight = kernel.usual(), np.ones(50)

    def cut() -> float:
        begin = time.process_time()
        partition(
            lambda low, high: kernel.relevance(low, high, base, weight) + kernel.cohesion(low, high),
            np.full(count + 1, 0.05),
            np.full(count, 16),
        )
        return time.process_time() - begin

    seconds = min(cut(), cut())
    tracemalloc.start()  # slows what it watches
    cut()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, most


def test_time_and_memory_grow_no_faster_than_the_text() -> None:
    small, large = row(1_000), row(8_000)
    assert large[0] < 16 * small[0] + 0.2
    assert large[1] < 8 * small[1]


@pytest.mark.slow
def test_fifty_thousand_units_with_fifty_intents_take_less_than_three_seconds() -> None:
    assert row(50_000)[0] < 3
