"""What a framework costs beside the work of its stages: rows of stages that do nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, ClassVar

from evals.bench.contest import Tell, in_turn, silent, table
from rag import trace
from rag.optional import available
from rag.pipeline import Pipeline
from rag.stage import stage
from rag.types import Hits, Query

__all__ = ["overhead"]

STAGES = 10
ITEMS = 200
DIRECT = "direct calls"


@stage
class _Find:
    """A retriever that finds nothing."""

    shapes_index: ClassVar[tuple[str, ...]] = ()

    def __call__(self, query: Query, /) -> Hits:
        return Hits(query)


@stage
class _Same:
    """A reranker that gives back what it got."""

    def __call__(self, hits: Hits, /) -> Hits:
        return hits


def overhead(repeat: int = 5, tell: Tell = silent) -> dict[str, Any]:
    """Microseconds a stage and item that each framework adds to a row of `STAGES` stages that do nothing.

    The time of calling the same functions one after the other is taken off. Frameworks that are not
    installed are left out and named.

    Args:
        repeat: rounds; medians are reported.
        tell: called with (done, total, label).
    """
    queries = [Query(f"q{i}", "question") for i in range(ITEMS)]
    row: tuple[Any, ...] = (_Find(), *(_Same() for _ in range(STAGES - 1)))
    pipe = Pipeline(stages=row)

    def direct() -> None:
        for query in queries:
            value: Any = query
            for step in row:
                value = step(value)

    def ours() -> None:
        for query in queries:
            pipe(query)

    def traced() -> None:
        for query in queries:
            with trace.record():
                pipe(query)

    contestants: dict[str, Callable[[], object]] = {DIRECT: direct, "ragtree": ours, "ragtree, traced": traced}
    peers = {"haystack": _haystack, "langchain_core": _langchain, "workflows": _workflows}
    missing = [name for name in peers if not available(name)]
    contestants |= {_NAMES[name]: make() for name, make in peers.items() if name not in missing}
    seconds = in_turn(contestants, repeat, tell, "overhead")
    base = seconds[DIRECT]
    micro = {name: (value - base) / (STAGES * ITEMS) * 1e6 for name, value in seconds.items() if name != DIRECT}
    rows: list[list[Any]] = [[name, value] for name, value in micro.items()]
    rows += [[_NAMES[name], "not installed"] for name in missing]
    title = f"Overhead of a row of {STAGES} stages that do nothing, {ITEMS} items (median of {repeat})"
    return {"table": table(title, ["framework", "us a stage and item"], rows), "figures": {"microseconds": micro}}


_NAMES = {"haystack": "haystack", "langchain_core": "langchain", "workflows": "llama-index workflows"}


def _haystack() -> Callable[[], object]:
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")  # its pipelines report home
    from haystack import Pipeline as Haystack
    from haystack import component

    @component
    class Same:
        @component.output_types(value=int)
        def run(self, value: int) -> dict[str, int]:
            return {"value": value}

    pipe = Haystack()
    for i in range(STAGES):
        pipe.add_component(f"s{i}", Same())
    for i in range(STAGES - 1):
        pipe.connect(f"s{i}.value", f"s{i + 1}.value")

    def run() -> None:
        for i in range(ITEMS):
            pipe.run({"s0": {"value": i}})

    return run


def _langchain() -> Callable[[], object]:
    from langchain_core.runnables import RunnableLambda

    def same(value: int) -> int:
        return value

    chain: Any = RunnableLambda(same)
    for _ in range(STAGES - 1):
        chain |= RunnableLambda(same)

    def run() -> None:
        for i in range(ITEMS):
            chain.invoke(i)

    return run


def _workflows() -> Callable[[], object]:
    from workflows import Workflow, step
    from workflows.events import Event, StartEvent, StopEvent

    events = [StartEvent, *(type(f"Event{i}", (Event,), {"__module__": __name__}) for i in range(1, STAGES)), StopEvent]

    def make(name: str, takes: Any, gives: Any) -> Any:
        async def run(self: Any, ev: Any) -> Any:
            return gives(result=1) if gives is StopEvent else gives()

        run.__annotations__ = {"ev": takes, "return": gives}
        run.__name__, run.__qualname__ = name, f"Row.{name}"  # `step` takes methods only, and tells by the name
        return step(run)

    steps = {f"s{i}": make(f"s{i}", events[i], events[i + 1]) for i in range(STAGES)}
    flow = type("Row", (Workflow,), steps)(timeout=None)

    async def many() -> None:
        for _ in range(ITEMS):
            await flow.run()

    return lambda: asyncio.run(many())
