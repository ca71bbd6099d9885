"""A bounded number of questions at a time, in threads, each with a limit of time.

A thread cannot be stopped from outside. A question that is over its time is answered with an error at once; its
thread goes on until the stage it is in ends, and holds its place until then, so the work under way stays bounded.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from rag.serving.problem import Problem

__all__ = ["Desk", "Turn"]

T = TypeVar("T")
Gone = Callable[[], Awaitable[None]]


class Turn:
    """One question's time: stages ask it between two of them whether to go on."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.seconds = seconds
        self._left = threading.Event()

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        self._left.set()

    def check(self) -> None:
        """Raise Problem when the time is over or nobody waits."""
        if self._left.is_set() or time.monotonic() > self.ends:
            raise self.over()

    def over(self) -> Problem:
        """What the caller is told."""
        return Problem(
            504, "question", f"took longer than {self.seconds:g} s.", "Ask a narrower question, or later.", retry=1
        )


class Desk:
    """Threads that work, and a line in front of them.

    Args:
        workers: questions worked on at a time.
        line: questions that may wait besides.
        seconds: for one question, waiting included.
    """

    def __init__(self, *, workers: int, line: int, seconds: float) -> None:
        self.workers, self.line, self.seconds = workers, line, seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="rag-serve")
        self._lock = threading.Lock()
        self.inside = 0

    def submit(self, work: Callable[[Turn], T]) -> tuple[Turn, Future[T]]:
        """Start work, or stand in line.

        Raises:
            Problem: the line is full.
        """
        with self._lock:
            if self.inside >= self.workers + self.line:
                raise Problem(503, "service", f"{self.inside} questions are under way.", "Ask again soon.", retry=1)
            self.inside += 1
        turn = Turn(self.seconds)

        def begin() -> T:
            turn.check()
            return work(turn)

        try:
            future = self._pool.submit(contextvars.copy_context().run, begin)
        except RuntimeError as error:  # it is shutting down
            self._done()
            raise Problem(503, "service", "is stopping.", "Ask again soon.", retry=5) from error
        future.add_done_callback(self._done)
        return turn, future

    async def run(self, work: Callable[[Turn], T], gone: Gone | None = None) -> T:
        """The value of `work`.

        Args:
            work: called in a thread.
            gone: what it gives ends when nobody waits for the answer any more; what has not begun then never does.

        Raises:
            Problem: the line is full, the time is over, or nobody waits.
        """
        turn, future = self.submit(work)
        answer = asyncio.wrap_future(future)
        waits: list[asyncio.Future[Any]] = [answer, *([asyncio.ensure_future(gone())] if gone is not None else [])]
        try:
            await asyncio.wait(waits, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise turn.over()
        finally:
            turn.leave()
            for one in waits:
                one.cancel()

    def close(self) -> None:
        """Begin nothing more; what is under way ends in its own time."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, _: object = None) -> None:
        with self._lock:
            self.inside -= 1
