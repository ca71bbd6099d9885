"""Pipeline: stages in a row, itself a stage. Joins are checked when it is built."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from rag import pool, trace
from rag.doctree import DocTree
from rag.errors import ConfigError, RagError, StageError
from rag.registry import name_of
from rag.stage import Chunker, Field, Grower, Retriever, Stage, fields_of, stage
from rag.types import Answer, Document, Failed, Hits, Query

if TYPE_CHECKING:
    from rag.display import Box
    from rag.index import Index
    from rag.store.corpus import Store

__all__ = ["Pipeline", "bound", "kind_of", "retrievers_of"]

Progress = Callable[[int, int, str], None]
SINGULAR = {"trees": "grower"}  # the folder's name and the kind's name differ here only


@stage
class Pipeline:
    """Stages in a row: a chunker and growers for documents, then what answers a question.

    The row is `retriever, (reranker | compressor)*, reader?`. Without a reader a question gives
    `Hits`, so a pipeline can stand where a retriever can.

    Args:
        item: a `Query`.

    Returns:
        The last stage's value: `Answer` with a reader, else `Hits`.

    Raises:
        StageError: a stage failed; names the stage, its place and the question.
    """

    chunker: Chunker | None = Field(default=None, description="cuts documents into trees")
    growers: tuple[Grower, ...] = Field(default=(), description="add levels and notes to the trees, in order")
    stages: tuple[Stage, ...] = Field(default=(), description="retriever, rerankers and compressors, reader")

    def __post_init__(self) -> None:
        """Check the joins."""
        check_joins(self)

    @cached_property
    def _row(self) -> tuple[tuple[str, str, Any], ...]:
        return tuple((f"stages[{i}]", name_of(type(s)), s) for i, s in enumerate(self.stages))

    @property
    def reads(self) -> bool:
        """Whether the last stage is a reader."""
        return bool(self.stages) and kind_of(self.stages[-1]) == "reader"

    def __call__(self, query: Query, /) -> Any:
        """Run every stage on one question."""
        if trace.current() is not None:
            for _, _, value in self.steps(query):  # noqa: B007 - the last value is what counts
                pass
            return value
        value = query
        for place, name, step in self._row:
            try:
                value = step(value)
            except Exception as error:
                raise _stage_error(error, name, place, query.id) from error
        return value

    def steps(self, query: Query) -> Iterator[tuple[str, str, Any]]:
        """Run the stages one by one, yielding `(place, name, value)` after each."""
        value: Any = query
        for place, name, step in self._row:
            with trace.span(name, place) as opened:
                opened.facts["items_in"] = len(value) if isinstance(value, Hits) else 1
                try:
                    value = step(value)
                except Exception as error:
                    raise _stage_error(error, name, place, query.id) from error
                opened.facts["items_out"] = len(value) if isinstance(value, Hits) else 1
                if isinstance(value, Hits) and value.tokens is not None:
                    opened.facts["tokens_out"] = value.tokens
            yield place, name, value

    def batch(self, queries: Iterable[Query], workers: int = 1) -> Iterator[Any]:
        """Run many questions, yielding values in their order; a failure is a `Failed` value.

        Args:
            queries: read lazily.
            workers: threads. Numpy, faiss and ONNX release the interpreter lock while they work.
        """

        def one(query: Query) -> Any:
            try:
                return self(query)
            except RagError as error:
                return Failed(query.id, error)

        return pool.ordered(one, queries, workers=workers)

    def _repr_html_(self) -> str:
        from rag.display import flow, shell

        return shell(flow(self.boxes()), "Pipeline")

    def boxes(self) -> list[Box]:
        """Every stage as a drawing shows it, in the order data passes them."""
        from rag.display import Box

        rows = [self.chunker, *self.growers, *self.stages]
        return [Box(kind_of(one), name_of(type(one)), _does(one), fields_of(one)) for one in rows if one is not None]

    def tree(self, document: Document) -> DocTree:
        """Chunk a document and grow its tree."""
        if self.chunker is None:
            raise ConfigError("this pipeline has no chunker, so it cannot read documents. Give it `chunker:`.")
        grown = self.chunker(document)
        for grower in self.growers:
            grown = grower(grown)
        return grown

    def index(
        self,
        sources: Sequence[str | Path | Document] | str | Path,
        out: str | Path | None = None,
        *,
        delete: Sequence[str] = (),
        workers: int = 1,
        progress: Progress | None = None,
    ) -> Index:
        """Load, chunk, grow and build; incremental where `out` already holds an index.

        Args:
            sources: files, folders, dataset folders or `Document`s.
            out: the index folder; None keeps the index in memory.
            delete: ids of documents to remove from an index that is there.
            workers: processes that load and chunk.
            progress: called with (done, total, label).
        """
        from rag.index import build

        given = [sources] if isinstance(sources, (str, Path)) else list(sources)
        folder = None if out is None else Path(out)
        return build(self, given, out=folder, delete=delete, workers=workers, progress=progress)

    def ask(self, query: Query) -> Answer:
        """Run one question and always give an `Answer`, with its time and trace."""
        began = time.perf_counter()
        with trace.record() as spans:
            value = self(query)
        seconds = time.perf_counter() - began
        if isinstance(value, Answer):
            return replace(value, seconds=seconds, trace=tuple(spans))
        return Answer(query, "", "retrieved", context=value, seconds=seconds, trace=tuple(spans))


def _does(step: Any) -> str:
    return " ".join((type(step).__doc__ or "").partition("\n\n")[0].split())


def _stage_error(error: Exception, name: str, place: str, item: str) -> StageError:
    if isinstance(error, StageError):
        return error
    reason = str(error) if isinstance(error, RagError) else f"{type(error).__name__}: {error}"
    return StageError(name, place, item, reason.partition("\n")[0])


def kind_of(step: Any) -> str:
    """The kind of a stage: from its registered name, else from what `__call__` takes and gives.

    Raises:
        ConfigError: it is not registered and its `__call__` is not annotated as any kind.
    """
    if isinstance(step, Pipeline):
        return "reader" if step.reads else "retriever"
    folder, slash, _ = name_of(type(step)).partition("/")
    if slash and ":" not in folder:
        return SINGULAR.get(folder, folder.removesuffix("s"))
    try:
        hints = get_type_hints(type(step).__call__)
    except (NameError, TypeError):
        hints = {}
    gives = hints.pop("return", None)
    takes = next(iter(hints.values()), None)
    kinds = {
        (Document, DocTree): "chunker",
        (DocTree, DocTree): "grower",
        (Query, Hits): "retriever",
        (Hits, Hits): "reranker",
        (Hits, Answer): "reader",
    }
    if (takes, gives) not in kinds:
        raise ConfigError(
            f"{type(step).__name__}: cannot tell its kind. Annotate __call__ as one of: "
            + ", ".join(f"{a.__name__} -> {b.__name__} ({kind})" for (a, b), kind in kinds.items())
        )
    return kinds[takes, gives]  # type: ignore[index]


def check_joins(pipeline: Pipeline) -> None:
    """Raise ConfigError where one stage does not take what the one before gives."""
    places: list[tuple[str, Any, set[str]]] = []
    if pipeline.chunker is not None:
        places.append(("chunker", pipeline.chunker, {"chunker"}))
    places += [(f"growers[{i}]", grower, {"grower"}) for i, grower in enumerate(pipeline.growers)]
    for i, step in enumerate(pipeline.stages):
        last = i == len(pipeline.stages) - 1
        fit = {"retriever"} if i == 0 else {"reranker", "compressor", "reader"} if last else {"reranker", "compressor"}
        places.append((f"stages[{i}]", step, fit))
    for place, step, fit in places:
        kind = kind_of(step)
        if kind not in fit:
            why = "a reader ends the row" if kind == "reader" else "see `rag show stages`"
            raise ConfigError(
                f"{place} ({name_of(type(step))}): must be a {' or a '.join(sorted(fit))}, got a {kind}; {why}."
            )


def retrievers_of(step: Any) -> list[Retriever]:
    """Every retriever in a stage or below it, nested ones first, each once."""
    found: list[Retriever] = []

    def visit(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                visit(one)
        elif is_dataclass(value):
            for one in fields_of(value).values():
                visit(one)
            if isinstance(value, Retriever) and value not in found:
                found.append(value)

    visit(step)
    return found


def bound(step: Any, store: Store) -> Any:
    """The same stage with every retriever in it, or below it, reading from an opened store."""
    if isinstance(step, Retriever):
        return step.bind(store)
    if isinstance(step, (list, tuple)):
        return type(step)(bound(one, store) for one in step)
    changed = {name: bound(value, store) for name, value in fields_of(step).items() if retrievers_of(value)}
    return replace(step, **changed) if changed else step
