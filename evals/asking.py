"""Ask every question of a dataset, in order, and turn failures into records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from evals import score
from evals.datasets import Item
from evals.observe import Observer, Subject
from rag.errors import ConfigError, MissingExtra, MissingWeights, OverBudget, RagError, StageError, StoreError
from rag.index import Index
from rag.models.tokens import counter
from rag.pipeline import Pipeline

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer

__all__ = ["Mapper", "answer_all", "ask", "tokenizer_of"]

FATAL = (MissingExtra, MissingWeights, ConfigError, StoreError, OverBudget)  # the same for every question


class Mapper(Protocol):
    """Spreads questions over workers and gives results in order; a cluster may stand behind it."""

    def __call__(self, work: Callable[[Item], Any], items: Iterable[Item], /) -> Iterator[Any]:
        """`work(item)` for every item, in the order of the items."""


def tokenizer_of(pipeline: Pipeline) -> Callable[[], Tokenizer]:
    """The reader's tokenizer where it names one, else cl100k; opened when asked."""
    name = getattr(pipeline.stages[-1], "tokenizer", "cl100k") if pipeline.stages else "cl100k"
    return partial(counter, name if isinstance(name, str) else "cl100k")


def answer_all(
    index: Index,
    items: Iterable[Item],
    *,
    sizes: tuple[int, ...] = (),
    read: bool = True,
    mapper: Mapper,
    subject: Subject | None = None,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Record and trace line of every question, in order; a failed question is a record that says so.

    Args:
        index: what is asked.
        items: the questions.
        sizes: budgets to run.
        read: whether the reader runs.
        mapper: spreads the questions.
        subject: asked in place of the index's own pipeline, such as one with a cache.

    Raises:
        RagError: what would fail on every question: a missing extra, missing weights, a spent budget.
    """
    observe = Observer(subject or index.bound, index.store.corpus, tokenizer_of(index.pipeline), sizes, read)

    yield from mapper(partial(ask, observe), items)


def ask(observe: Observer, item: Item) -> tuple[dict[str, Any], dict[str, Any]]:
    """Record and trace line of one question; a failure is a record that says so.

    Raises:
        RagError: what would fail on every question.
    """
    began = time.perf_counter()
    try:
        record, spans = observe(item)
    except Exception as error:  # one question must not end the run
        if isinstance(_root(error), FATAL):
            raise
        record, spans = {**score.blank(item), "at": {}, "cuts": None, "failed": _failure(error)}, []
    seconds = time.perf_counter() - began
    inside = sum(s.seconds for s in spans if s.parent < 0) or seconds
    return record, {"id": item.id, "seconds": inside, "spans": [asdict(s) for s in spans]}


def _root(error: BaseException) -> BaseException:
    while isinstance(error, StageError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _failure(error: Exception) -> dict[str, str]:
    message = str(error).partition("\n")[0]
    if not isinstance(error, RagError):
        message = f"{type(error).__name__}: {message}"
    where = error.place if isinstance(error, StageError) else ""
    return {"place": where, "error": type(_root(error)).__name__, "message": message}
