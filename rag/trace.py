"""What happened, when, and how much of it: spans with times and counts.

Only `Pipeline`, language models and embedders open spans; stages have no logging lines. Outside
`record` opening a span costs one lookup. Facts are numbers and ids; the text of questions and
documents is kept only under `record(text=True)`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rag.optional import require

__all__ = ["Recorder", "TraceSpan", "current", "record", "span", "table", "to_otel", "write_jsonl"]


@dataclass(slots=True)
class TraceSpan:
    """One step.

    Args:
        name: the stage's or the model's name.
        place: where it stands, such as `stages[1]`; "" for a model call.
        parent: index of the span it ran inside, -1 at the top.
        start: seconds since the recording began.
        seconds: wall time; -1 while it is running.
        facts: numbers and ids: `items_in`, `items_out`, `tokens_in`, `cost`, `error` and so on.
    """

    name: str
    place: str = ""
    parent: int = -1
    start: float = 0.0
    seconds: float = -1.0
    facts: dict[str, Any] = field(default_factory=dict)


class Recorder(list[TraceSpan]):
    """The spans of one recording, in the order they began."""

    def __init__(self, *, text: bool = False) -> None:
        super().__init__()
        self.text = text
        self.began = time.perf_counter()


_recorder: ContextVar[Recorder | None] = ContextVar("rag_recorder", default=None)
_parent: ContextVar[int] = ContextVar("rag_parent", default=-1)


def current() -> Recorder | None:
    """The open recording, or None."""
    return _recorder.get()


@contextmanager
def record(*, text: bool = False) -> Iterator[Recorder]:
    """Keep every span that opens inside, in this thread and in the pool's threads.

    Args:
        text: also keep the text of questions, prompts and answers among the facts.
    """
    recorder = Recorder(text=text)
    token, parent = _recorder.set(recorder), _parent.set(-1)
    try:
        yield recorder
    finally:
        _recorder.reset(token)
        _parent.reset(parent)


@contextmanager
def span(name: str, place: str = "", **facts: Any) -> Iterator[TraceSpan]:
    """Open a span; add to its `facts` while it runs. Outside `record` nothing is kept."""
    recorder = _recorder.get()
    if recorder is None:
        yield TraceSpan(name, place, facts=facts)
        return
    began = time.perf_counter()
    opened = TraceSpan(name, place, _parent.get(), began - recorder.began, facts=facts)
    recorder.append(opened)
    token = _parent.set(len(recorder) - 1)
    try:
        yield opened
    except Exception as error:
        opened.facts["error"] = type(error).__name__
        raise
    finally:
        opened.seconds = time.perf_counter() - began
        _parent.reset(token)


def write_jsonl(spans: Iterable[TraceSpan], path: Path, **common: Any) -> None:
    """Append the spans to a file, one JSON object a line.

    Args:
        spans: from a recording.
        path: the file; made when it is not there.
        common: keys written into every line, such as the id of the question.
    """
    with path.open("a", encoding="utf-8", newline="\n") as out:
        for one in spans:
            out.write(json.dumps({**common, **asdict(one)}, ensure_ascii=False, sort_keys=True, default=str) + "\n")


def table(spans: Iterable[TraceSpan]) -> str:
    """The spans as aligned text: stage, seconds, items in and out, tokens in and out, cost."""
    columns = ("items_in", "items_out", "tokens_in", "tokens_out", "cost")
    rows = [("stage", "seconds", "items in", "items out", "tokens in", "tokens out", "cost")]
    depths: list[int] = []
    for one in spans:
        depths.append(0 if one.parent < 0 else depths[one.parent] + 1)
        facts = ["" if one.facts.get(c) is None else f"{one.facts[c]:g}" for c in columns]
        rows.append(("  " * depths[-1] + one.name, f"{one.seconds:.4f}", *facts))  # type: ignore[arg-type]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))).rstrip() for row in rows)
    return "\n".join(lines)


def to_otel(spans: Iterable[TraceSpan], *, began: float, tracer: Any = None) -> None:
    """Send the spans to OpenTelemetry, with their times, nesting and facts.

    Args:
        spans: from one recording, in order.
        began: wall-clock seconds since the epoch at which the recording began.
        tracer: an OpenTelemetry tracer; by default the global provider's tracer "ragtree".

    Raises:
        MissingExtra: OpenTelemetry is not installed.
    """
    otel = require("opentelemetry.trace", extra="otel", by="rag.trace.to_otel")
    tracer = tracer or otel.get_tracer("ragtree")
    opened: list[Any] = []
    for one in spans:
        start = int((began + one.start) * 1e9)
        inside = otel.set_span_in_context(opened[one.parent]) if one.parent >= 0 else None
        sent = tracer.start_span(one.name, context=inside, start_time=start)
        for key, value in {"place": one.place, **one.facts}.items():
            sent.set_attribute(f"rag.{key}", value if isinstance(value, (bool, int, float, str)) else str(value))
        opened.append(sent)
    for one, sent in zip(spans, opened, strict=True):
        sent.end(end_time=int((began + one.start + max(one.seconds, 0.0)) * 1e9))
