"""Ordered, bounded work: in threads that keep the caller's context variables, or in processes."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from rag.errors import RagError

__all__ = ["Ordered", "ordered", "processes"]

In = TypeVar("In")
Out = TypeVar("Out")


class Ordered(Protocol):
    """A lazy map whose results come in the order of the items."""

    def __call__(self, work: Callable[[In], Out], items: Iterable[In], /) -> Iterator[Out]:
        """Call `work` once an item."""


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
        yield from _fly(lambda item: pool.submit(contextvars.copy_context().run, work, item), items, workers * ahead)


def _fly(submit: Callable[[In], Future[Out]], items: Iterable[In], most: int) -> Iterator[Out]:
    """Keep at most so many items in flight."""
    flying: deque[Future[Out]] = deque()
    try:
        for item in items:
            flying.append(submit(item))
            if len(flying) >= most:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        for future in flying:
            future.cancel()


@contextmanager
def processes(workers: int, prepare: Callable[..., None], args: tuple[Any, ...] = ()) -> Iterator[Ordered]:
    """Processes that do ordered, bounded work; several maps may run at once.

    They are started afresh, because a fork would copy locks that threads of model libraries hold,
    and they end when the process that started them is killed.

    Args:
        workers: processes; two items a process are in flight.
        prepare: called once in each process, with `args`; both must pickle, as must work and items.
        args: what it is given.

    Raises:
        RagError: a process died.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(prepare, args))
    try:
        yield lambda work, items: _fly(lambda item: pool.submit(work, item), items, workers * 2)
    except BrokenProcessPool as error:
        raise RagError(
            "a worker process died, from too little memory or from a script without"
            " `if __name__ == '__main__':`. Start again with workers=1."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(prepare: Callable[..., None], args: tuple[Any, ...]) -> None:
    import threading

    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*args)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    import multiprocessing
    import os

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
