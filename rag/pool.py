"""Ordered, bounded work in threads that keeps the caller's context variables."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ordered"]

In = TypeVar("In")
Out = TypeVar("Out")


def ordered(work: Callable[[In], Out], items: Iterable[In], *, workers: int = 1, ahead: int = 2) -> Iterator[Out]:
    """Map `work` over `items`, yielding results in the order of the items.

    Context variables (an open trace above all) are copied into every call, which a plain
    thread pool does not do. At most `workers * ahead` items are in flight, so an endless
    input is fine. An exception ends the iteration where its item would have come.

    Args:
        work: called once an item.
        items: read lazily, in the calling thread.
        workers: threads; 1 runs in the calling thread.
        ahead: items in flight for each worker.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        flying: deque[Future[Out]] = deque()
        try:
            for item in items:
                flying.append(pool.submit(contextvars.copy_context().run, work, item))
                if len(flying) >= workers * ahead:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()
