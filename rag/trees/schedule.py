"""Run a tree of steps bottom-up: a node runs as soon as its children are done; a slow leaf holds up its own branch."""

from __future__ import annotations

import contextvars
import heapq
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["bottom_up"]

T = TypeVar("T")


def bottom_up(
    parents: Mapping[int, int],
    work: Callable[[int, Sequence[T]], T],
    *,
    rank: Mapping[int, float],
    workers: int = 1,
) -> dict[int, T]:
    """Call `work(node, values of its children in the order of their indices)` once a node.

    There are no barriers between levels: ready nodes wait in one queue, highest `rank` first, then lowest index. The
    values do not depend on `workers`.

    Args:
        parents: node -> the node above; -1 above the last. A node above must be in it as well.
        work: raises what ends the run.
        rank: node -> its place in the queue; 0 where it is missing.
        workers: threads; 1 runs in the calling thread. They carry its context variables.

    Returns:
        Node -> value.
    """
    children: dict[int, list[int]] = {node: [] for node in parents}
    for node, up in parents.items():
        if up >= 0:
            children[up].append(node)
    waiting = {node: len(below) for node, below in children.items()}
    for below in children.values():
        below.sort()
    ready = [(-rank.get(node, 0.0), node) for node, count in waiting.items() if not count]
    heapq.heapify(ready)
    values: dict[int, T] = {}

    def done(node: int, value: T) -> None:
        values[node] = value
        up = parents[node]
        if up >= 0:
            waiting[up] -= 1
            if not waiting[up]:
                heapq.heappush(ready, (-rank.get(up, 0.0), up))

    if workers <= 1:
        while ready:
            node = heapq.heappop(ready)[1]
            done(node, work(node, [values[child] for child in children[node]]))
        return values
    with ThreadPoolExecutor(max_workers=workers) as pool:
        flying: dict[Future[T], int] = {}
        try:
            while ready or flying:
                while ready and len(flying) < workers:
                    node = heapq.heappop(ready)[1]
                    said = [values[child] for child in children[node]]
                    flying[pool.submit(contextvars.copy_context().run, work, node, said)] = node
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    done(flying.pop(future), future.result())
        finally:
            for future in flying:
                future.cancel()
    return values
