"""Several pipelines over one question, each stage run once for all that share it and what comes before.

Two pipelines share a stage when the index, every setting of every stage before it, its own settings and
the budget are equal. What a shared stage gave is kept for one question only, so memory is flat in the
number of questions; its time and facts are counted for every pipeline that used it, as if it had run alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rag import config, trace
from rag.errors import RagError, StageError
from rag.pipeline import Pipeline
from rag.registry import name_of
from rag.stage import fields_of
from rag.types import Hits, Query

__all__ = ["Memo", "Shared", "attempt", "interned", "prefixes", "replay"]


def prefixes(index: str, pipeline: Pipeline) -> tuple[str, ...]:
    """For each stage a digest of the index and of all stages up to it."""
    state = hashlib.sha256(index.encode())
    found = []
    for stage in pipeline.stages:
        state.update(json.dumps(config.spec(stage), sort_keys=True, default=str).encode())
        found.append(state.hexdigest())
    return tuple(found)


def interned(step: Any, known: dict[str, Any]) -> Any:
    """The same stage, with every equal part of it the very object in `known`: a model is opened once."""
    if isinstance(step, (list, tuple)):
        return type(step)(interned(one, known) for one in step)
    if not hasattr(step, "__dataclass_fields__") or isinstance(step, type):
        return step
    key = json.dumps(config.spec(step), sort_keys=True, default=str)
    if key not in known:
        inner = {name: (value, interned(value, known)) for name, value in fields_of(step).items()}
        changed = {name: new for name, (old, new) in inner.items() if new is not old and _holds(old)}
        known[key] = replace(step, **changed) if changed else step
    return known[key]


def _holds(value: Any) -> bool:
    """Whether a setting is a stage or holds some."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds, value))
    return hasattr(value, "__dataclass_fields__")


@dataclass
class Memo:
    """What stages gave on the question at hand, and how often that saved a call."""

    question: str = ""
    values: dict[tuple[str, int | None], tuple[Any, list[trace.TraceSpan]]] = field(default_factory=dict)
    calls: int = 0
    saved: int = 0

    def turn(self, question: str) -> None:
        """Forget the question before."""
        if question != self.question:
            self.question = question
            self.values.clear()


@dataclass(frozen=True, eq=False)
class Shared:
    """A bound pipeline whose stages look into a memo first.

    Args:
        pipeline: bound to its index.
        keys: from `prefixes`.
        memo: shared by all pipelines of a sweep.
    """

    pipeline: Pipeline
    keys: tuple[str, ...]
    memo: Memo

    @property
    def stages(self) -> tuple[Any, ...]:
        """The pipeline's stages."""
        return self.pipeline.stages

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(name_of(type(stage)) for stage in self.stages)

    def steps(self, query: Query) -> Iterator[tuple[str, str, Any]]:
        """As `Pipeline.steps`."""
        self.memo.turn(query.id)
        value: Any = query
        for i, name in enumerate(self._names):
            value = self.apply(i, value, query)
            yield f"stages[{i}]", name, value

    def apply(self, i: int, value: Any, query: Query) -> Any:
        """Stage `i` on a value that came from the stages before it, on this question and budget."""
        key = (self.keys[i], query.budget)
        kept = self.memo.values.get(key)
        if kept is None:
            self.memo.calls += 1
            kept = attempt(self.stages[i], f"stages[{i}]", self._names[i], value, query)
            self.memo.values[key] = kept
        else:
            self.memo.saved += 1
        return replay(*kept)


def attempt(stage: Any, place: str, name: str, value: Any, query: Query) -> tuple[Any, list[trace.TraceSpan]]:
    """Run a stage apart: what it gave, or the error it failed with, and its part of the trace."""
    with trace.record() as spans, trace.span(name, place) as opened:
        opened.facts["items_in"] = len(value) if isinstance(value, Hits) else 1
        try:
            given: Any = stage(value)
        except Exception as error:
            reason = str(error) if isinstance(error, RagError) else f"{type(error).__name__}: {error}"
            given = error if isinstance(error, StageError) else StageError(name, place, query.id, reason)
            given.__cause__ = given.__cause__ or error if given is not error else given.__cause__
        else:
            opened.facts["items_out"] = len(given) if isinstance(given, Hits) else 1
            if isinstance(given, Hits) and given.tokens is not None:
                opened.facts["tokens_out"] = given.tokens
    return given, list(spans)


def replay(given: Any, spans: list[trace.TraceSpan]) -> Any:
    """What a stage gave before, with its part of the trace in the open recording; its error is raised again."""
    recorder = trace.current()
    if recorder is not None:
        base = len(recorder)
        recorder += [replace(s, parent=s.parent + base if s.parent >= 0 else -1) for s in spans]
    if isinstance(given, StageError):
        raise given
    return given
