from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice

import pytest

from rag import pool, trace


@pytest.mark.parametrize("workers", [1, 4])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(pool.ordered(lambda n: n * n, range(50), workers=workers)) == [n * n for n in range(50)]


def test_an_endless_input_is_read_only_a_little_ahead() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for n in count():
            read.append(n)
            yield n

    assert list(islice(pool.ordered(abs, numbers(), workers=2, ahead=2), 5)) == [0, 1, 2, 3, 4]
    assert len(read) <= 10


def test_an_error_comes_where_its_item_would_have_come() -> None:
    results = pool.ordered(lambda n: 1 // (n - 2), range(4), workers=3)
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_see_the_open_recording() -> None:
    def work(n: int) -> str:
        with trace.span(f"work {n}"):
            return threading.current_thread().name

    with trace.record() as spans:
        names = set(pool.ordered(work, range(8), workers=2))
    assert threading.current_thread().name not in names
    assert sorted(one.name for one in spans) == [f"work {n}" for n in range(8)]
