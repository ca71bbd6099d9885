"""An index that answers: a pipeline bound to the store it built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag import config, indexing
from rag.errors import ConfigError, RagError, StoreMismatch
from rag.pipeline import Pipeline, Progress, bound, retrievers_of
from rag.registry import name_of
from rag.store.folder import open_store
from rag.store.parts import part_key
from rag.types import Answer, Citation, Document, Query

if TYPE_CHECKING:
    from rag.indexing import IndexReport
    from rag.store.corpus import Store

__all__ = ["MAX_QUESTION", "Index", "build", "open_index"]

SHOWN = 50  # documents in a notebook's table
MAX_QUESTION = 20_000  # characters; longer ones are a pasted document, not a question


@dataclass(frozen=True, eq=False)
class Index:
    """Documents one can ask.

    Args:
        pipeline: the stages, as configured.
        store: the opened index.
        folder: where it lives; None in memory.
        report: what building it did; None when it was only opened.
    """

    pipeline: Pipeline
    store: Store
    folder: Path | None = None
    report: IndexReport | None = None

    @cached_property
    def bound(self) -> Pipeline:
        """The pipeline with its retrievers reading from this index."""
        ready: Pipeline = bound(self.pipeline, self.store)
        return ready

    def __len__(self) -> int:
        return len(self.store.corpus.doc_ids)

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else str(self.folder)
        return f"Index({len(self)} documents, {len(self.store.corpus)} chunks, {where})"

    def _repr_html_(self) -> str:
        from rag.display import flow, fold, shell, table, told

        corpus = self.store.corpus
        counts = np.bincount(corpus.doc, minlength=len(corpus.doc_ids)).tolist()
        rows = [(told(doc), f"{n:,}") for doc, n in zip(corpus.doc_ids[:SHOWN], counts, strict=False)]
        more = f", the first {SHOWN}" if len(self) > SHOWN else ""
        body = flow(self.pipeline.boxes()) + fold(f"documents{more}", table(("document", "chunks"), rows, ("", "n")))
        said = "" if self.report is None else self.report.summary()
        where = "in memory" if self.folder is None else str(self.folder)
        return shell(body, "Index", f"{len(self):,} documents", f"{len(corpus):,} chunks", where, said)

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of the documents, in index order."""
        return tuple(self.store.corpus.doc_ids)

    def document(self, doc: str) -> Document:
        """One document, with the text that every offset refers to."""
        corpus = self.store.corpus
        if doc not in corpus.ordinals:
            raise RagError(f"no document {doc!r} in this index of {len(self)}. See `Index.documents`.")
        return corpus.tree(corpus.ordinals[doc]).document

    def ask(self, question: str | Query) -> Answer:
        """Answer one question, with citations, context and trace.

        Raises:
            RagError: the question is empty or longer than `MAX_QUESTION` characters.
            StageError: a stage failed on it.
        """
        return self.bound.ask(check(question if isinstance(question, Query) else Query("question", question)))

    def run(self, question: str | Query) -> Any:
        """The last stage's value, with no trace: `Answer`, or `Hits` without a reader."""
        return self.bound(check(question if isinstance(question, Query) else Query("question", question)))

    def batch(self, queries: Iterable[Query], *, workers: int = 1) -> Iterator[Any]:
        """Values in the order of the questions; a question that failed is a `Failed` value."""
        return self.bound.batch(queries, workers=workers)

    def verify(self, citation: Citation) -> bool:
        """Whether a citation is the slice it says it is."""
        return self.document(citation.doc).text[citation.start : citation.end] == citation.quote

    def add(self, sources: Sequence[str | Path | Document] | str | Path, **options: Any) -> Index:
        """This index with more documents; what is there and unchanged costs nothing."""
        given = [sources] if isinstance(sources, (str, Path)) else list(sources)
        return build(self.pipeline, given, out=self.folder, base=self.store, **options)

    def delete(self, *docs: str) -> Index:
        """This index without some documents."""
        return build(self.pipeline, [], out=self.folder, base=self.store, delete=docs)

    def tuned(self, *changes: str, allow: Sequence[str] = ()) -> Index:
        """The same index under other query-time settings.

        Args:
            changes: overrides such as `stages[1].k=5`.
            allow: modules outside the installed stages that the config may name.

        Raises:
            StoreMismatch: a change would need another index.
        """
        located = config.read(config.spec(self.pipeline), set=changes)
        return self.under(config.build(located, allow=allow))

    def under(self, pipeline: Pipeline) -> Index:
        """The same index asked through another pipeline: other stages after the search, another language model.

        Raises:
            StoreMismatch: the pipeline's chunker, growers or retrievers would need another index.
        """
        have, want = shape(self.pipeline), shape(pipeline)
        have_told, want_told = _told(self.pipeline), _told(pipeline)
        for place, made in have.items():
            if want.get(place) != made:
                built, asked = _apart(have_told[place], want_told.get(place))
                raise StoreMismatch(
                    f"{_named(place, have_told)}: this index was built with {built}, the change asks for {asked}."
                    " Index again, with --out to another folder."
                )
        if len(want) > len(have):
            extra = next(place for place in want if place not in have)
            raise StoreMismatch(
                f"{_named(extra, want_told)}: not part of this index. Index again, with --out to another folder."
            )
        return replace(self, pipeline=pipeline)


def check(query: Query) -> Query:
    """The query, if it is one: neither empty nor a pasted document."""
    if not query.text.strip():
        raise RagError(f"question {query.id!r}: must hold at least one character that is not a space, got none.")
    if len(query.text) > MAX_QUESTION:
        raise RagError(
            f"question {query.id!r}: must be at most {MAX_QUESTION:,} characters, got {len(query.text):,}."
            " Put long text into a document and index it."
        )
    return query


def shape(pipeline: Pipeline) -> Mapping[str, Any]:
    """What of a pipeline decides the content of its index: chunker, growers, retrievers' parts."""
    made: dict[str, Any] = {"chunker": config.spec(pipeline.chunker)}
    made |= {f"growers[{i}]": config.spec(grower) for i, grower in enumerate(pipeline.growers)}
    made |= {f"retrievers[{i}]": part_key(one) for i, one in enumerate(retrievers_of(pipeline))}
    return made


def _told(pipeline: Pipeline) -> Mapping[str, Any]:
    """As `shape`, for a person: of each retriever the settings that decide its part, models by name."""
    told = dict(shape(pipeline))
    for i, one in enumerate(retrievers_of(pipeline)):
        values = ((name, getattr(one, name)) for name in one.shapes_index)
        told[f"retrievers[{i}]"] = {"use": name_of(type(one))} | {
            name: str(value.fingerprint) if hasattr(value, "fingerprint") else config.spec(value)
            for name, value in values
        }
    return told


def _named(place: str, told: Mapping[str, Any]) -> str:
    """A retriever by its name, anything else by its place."""
    return str(told[place]["use"]) if place.startswith("retrievers") else place


def _apart(made: Any, asked: Any) -> tuple[str, str]:
    """Two descriptions of a stage, only what differs where it is the same stage."""
    if isinstance(made, Mapping) and isinstance(asked, Mapping) and made.get("use") == asked.get("use"):
        names = [name for name in made if made[name] != asked.get(name)]
        built, wanted = (", ".join(f"{name} {_short(one.get(name))}" for name in names) for one in (made, asked))
        return built, wanted
    return _short(made), _short(asked)


def _short(value: Any) -> str:
    if value is None:
        return "none"
    used = value.get("use") if isinstance(value, Mapping) else None
    return used or json.dumps(value, ensure_ascii=False, default=str)[:200]


def build(
    pipeline: Pipeline,
    sources: Sequence[str | Path | Document],
    *,
    out: Path | None = None,
    base: Store | None = None,
    delete: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
    **options: Any,
) -> Index:
    """Load, chunk, grow and build an index; see `Pipeline.index`."""
    if pipeline.chunker is None:
        raise ConfigError("this pipeline has no chunker, so it cannot index documents. Give it `chunker:`.")
    store, report = indexing.index(
        pipeline.chunker,
        pipeline.growers,
        retrievers_of(pipeline),
        sources,
        out=out,
        base=base,
        config=_written(pipeline, out),
        shape=shape(pipeline),
        delete=delete,
        workers=workers,
        progress=progress,
        **options,
    )
    return Index(pipeline, store, out, report)


def _written(pipeline: Pipeline, out: Path | None) -> str:
    """The pipeline as YAML, which a folder needs; in memory, stages that YAML cannot hold are no obstacle."""
    try:
        return config.dump(pipeline)
    except ConfigError as error:
        if out is None:
            return ""
        raise ConfigError(
            f"{error} A folder keeps its pipeline as YAML: index with a pipeline that has no such stage, then ask"
            " through yours with `index.under(pipeline)`."
        ) from error


def open_index(folder: str | Path, *, set: Sequence[str] = (), allow: Sequence[str] = ()) -> Index:  # noqa: A002 - the command line's word
    """Open an index folder, optionally under other query-time settings.

    Raises:
        StoreError: it is not an index, or it is damaged.
        StoreMismatch: a setting in `set` would need another index.
    """
    path = Path(folder)
    store = open_store(path)
    pipeline = config.build(config.parse_text(store.config, f"{path / 'manifest.json'}"), allow=allow)
    index = Index(pipeline, store, path)
    return index.tuned(*set, allow=allow) if set else index
