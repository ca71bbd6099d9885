"""The indexes that are served, the desk they are asked at, and the counts."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import RagError
from rag.serving import answering, told
from rag.serving.desk import Desk, Turn
from rag.serving.metrics import Metrics, resident
from rag.serving.problem import Problem
from rag.serving.problem import told as problem_of

if TYPE_CHECKING:
    from rag.serving.desk import Gone
    from rag.serving.live import Live, Opened
    from rag.serving.models import Ask

__all__ = ["Service"]

SILENT = ("silent", None)
LOG = logging.getLogger("rag.serving")
T = TypeVar("T")


class Service:
    """What the routes work with.

    Args:
        lives: the indexes, the default first; names differ.
        workers: questions worked on at a time.
        line: questions that may wait besides.
        seconds: for one question.
        watch: seconds between two looks at the folders; 0 never looks.
        tune: whether callers may change numbers of a pipeline.
        beat: seconds of silence after which a stream says that it lives, for proxies that end silent ones.
    """

    def __init__(
        self,
        lives: Sequence[Live],
        *,
        workers: int = 2,
        line: int = 256,
        seconds: float = 60.0,
        watch: float = 1.0,
        tune: bool = True,
        beat: float = 15.0,
    ) -> None:
        self.lives = {live.name: live for live in lives}
        self.default = lives[0].name
        self.desk = Desk(workers=workers, line=line, seconds=seconds)
        self.metrics = Metrics()
        self.watch, self.tune, self.beat = watch, tune, beat

    def live(self, name: str | None) -> Live:
        """An index by its name, or the default.

        Raises:
            Problem: there is none of that name.
        """
        if name is None:
            return self.lives[self.default]
        if name not in self.lives:
            known = ", ".join(map(repr, self.lives))
            raise Problem(404, "index", f"must be one of {known}, got {name[:80]!r}.", "Leave it out for the first.")
        return self.lives[name]

    async def read(self, name: str | None, work: Callable[[Opened, str, Turn], T], gone: Gone | None = None) -> T:
        """Do work on the newest generation of an index, in a thread; see `Desk.run`."""
        live = self.live(name)

        def begin(turn: Turn) -> T:
            return live.read(lambda opened: work(opened, live.name, turn))

        return await self.desk.run(begin, gone)

    async def ask(self, asked: Ask, gone: Gone | None = None) -> dict[str, Any]:
        """Answer one question."""
        self.may(asked.set)
        found = await self.read(asked.index, lambda opened, name, turn: answering.ask(opened, name, asked, turn), gone)
        self.metrics.answer(found["status"], found["usage"].items())
        return found

    async def stream(self, asked: Ask) -> AsyncIterator[bytes]:
        """Events of one question: `stage` as each ends, `words` of a model (`again`: void), then `answer`, or `error`.

        Raises:
            Problem: it failed before there was anything to tell.
        """
        self.may(asked.set)
        live, loop = self.live(asked.index), asyncio.get_running_loop()
        line: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()

        def put(kind: str, value: Any) -> None:
            loop.call_soon_threadsafe(line.put_nowait, (kind, value))

        def work(turn: Turn) -> dict[str, Any]:
            return live.read(lambda opened: answering.ask(opened, live.name, asked, turn, put))

        turn, future = self.desk.submit(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(line.put_nowait, None))
        try:
            async with asyncio.timeout(self.desk.seconds):
                first = await line.get()
                if first is None:
                    future.result()  # raises, for an answer comes after its stages
        except BaseException as error:
            turn.leave()
            future.cancel()
            if isinstance(error, TimeoutError):
                raise turn.over() from error
            raise
        return self._events(turn, future, line, first)

    async def _events(
        self, turn: Turn, future: Any, line: asyncio.Queue[Any], event: tuple[str, Any] | None
    ) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout(self.desk.seconds):
                while event is not None:
                    yield _event(*event)
                    while (event := await self._next(line)) == SILENT:
                        yield b": at work\n\n"
            found = future.result()
            self.metrics.answer(found["status"], found["usage"].items())
            yield _event("answer", found)
        except TimeoutError:
            yield _event("error", turn.over().body()["error"])
        except (RagError, Problem) as error:
            yield _event("error", self.problem(error).body()["error"])
        except Exception as error:
            yield _event("error", self.problem(error).body()["error"])
        finally:
            turn.leave()
            future.cancel()

    async def _next(self, line: asyncio.Queue[Any]) -> tuple[str, Any] | None:
        try:
            async with asyncio.timeout(self.beat):
                found: tuple[str, Any] | None = await line.get()
        except TimeoutError:
            return SILENT
        return found

    def problem(self, error: BaseException) -> Problem:
        """What the caller is told; what is our failure goes to the log with its cause."""
        cause: BaseException | None = error
        while cause is not None:  # a stage that was told to stop wraps what it was told
            if isinstance(cause, Problem):
                return cause
            cause = cause.__cause__
        found = problem_of(error)
        if found.status >= 500 and not isinstance(error, Problem):
            chain = []
            cause = error
            while cause is not None:
                chain.append(f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}")
                cause = cause.__cause__
            LOG.error("%s", " <- ".join(chain), exc_info=error if not isinstance(error, RagError) else None)
        return found

    def may(self, changes: Mapping[str, Any]) -> None:
        """Raise Problem where callers may change nothing."""
        if changes and not self.tune:
            raise Problem(403, "body.set", "settings are fixed on this service.", "Leave `set` out.")

    def health(self) -> list[dict[str, Any]]:
        """Name, generation and whether it is stale, of each index."""
        found = []
        for live in self.lives.values():
            with live.hold() as opened:
                found.append({"name": live.name, "generation": opened.generation, "stale": bool(live.problem)})
        return found

    def prometheus(self) -> str:
        """The page of counts."""
        gauges = [("rag_inside", "", float(self.desk.inside)), ("rag_resident_bytes", "", float(resident()))]
        for one in self.health():
            label = 'index="' + one["name"].replace("\\", "\\\\").replace('"', '\\"') + '"'
            gauges.append(("rag_index_generation", label, float(one["generation"])))
            gauges.append(("rag_index_stale", label, float(one["stale"])))
        return self.metrics.text(sorted(gauges))

    async def look(self) -> None:
        """Open what is new on disk, again and again."""
        while self.watch:
            await asyncio.sleep(self.watch)
            for live in self.lives.values():
                before = live.problem
                if await asyncio.to_thread(live.refresh):
                    LOG.info("index %r: a new generation answers", live.name)
                elif live.problem and live.problem != before:
                    LOG.warning("index %r: the last good generation answers: %s", live.name, live.problem)

    def close(self) -> None:
        """Begin nothing more, and close the indexes when they are idle."""
        self.desk.close()
        for live in self.lives.values():
            live.close()


def _event(kind: str, value: Any) -> bytes:
    return f"event: {kind}\ndata: {dumps(value).decode()}\n\n".encode()


def dumps(value: Any) -> bytes:
    """JSON in ASCII: a text may hold half a character, which UTF-8 cannot say."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=told.plain).encode()
