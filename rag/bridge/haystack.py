"""The bridge to haystack: splitters, rankers and retrievers as components."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.bridge.carry import Piece, anchored, doc_of, document_of, kept, pieces
from rag.errors import ConfigError
from rag.optional import require
from rag.types import Document, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Store

__all__ = ["rank", "ranker", "retrieve", "retriever", "split", "splitter", "stage_of"]


def splitter(chunker: Any, **options: Any) -> Any:
    """A component `documents -> documents`: a document a leaf, with `source_id` and `split_idx_start`."""
    return _kinds()["splitter"](chunker, **options)


def ranker(step: Any, store: Store | None, **options: Any) -> Any:
    """A component `query, documents -> documents`."""
    return _kinds()["ranker"](step, store, **options)


def retriever(ask: Callable[[Query], Hits], **options: Any) -> Any:
    """A component `query -> documents`."""
    return _kinds()["retriever"](ask, **options)


def stage_of(held: Any, options: dict[str, Any]) -> Any:
    """The stage around a component, by what its `run` takes."""
    from rag.bridge.foreign import ForeignChunker, ForeignRanker, ForeignRetriever, theirs

    run = getattr(held, "run", None)
    takes = set(inspect.signature(run).parameters) if callable(run) else set()
    if "documents" in takes and type(held).__module__.startswith("haystack.components.preprocessors"):
        overlap = int(getattr(held, "split_overlap", 0))
        return ForeignChunker(theirs=theirs("haystack", held), **{"overlap": overlap, **options})
    if "documents" in takes:
        return ForeignRanker(theirs=theirs("haystack", held), **options)
    if "query" in takes:
        return ForeignRetriever(theirs=theirs("haystack", held), **options)
    raise ConfigError(
        f"from_haystack: must be a component whose run takes documents or a query, got {type(held).__name__}."
    )


def split(held: Any, document: Document) -> list[tuple[str, int]]:
    """A document's pieces and where the splitter says they begin."""
    from rag.models.tokens import clean

    made = held.run(documents=[_haystack().Document(content=clean(document.text), id=document.id)])["documents"]
    return [(one.content or "", one.meta.get("split_idx_start", -1)) for one in made]


def rank(held: Any, question: str, given: Sequence[Piece]) -> list[tuple[int, str, float | None]]:
    """Number, text and score of what comes back."""
    kind = _haystack().Document
    sources = [kind(id=str(i), content=one.text, meta=one.facts, score=one.score) for i, one in enumerate(given)]
    asked = {"query": question} if "query" in inspect.signature(held.run).parameters else {}
    made = held.run(documents=sources, **asked)["documents"]
    return [(int(one.id), one.content or "", one.score) for one in made if one.id.isdigit()]


def retrieve(held: Any, question: str, k: int) -> list[Piece]:
    """What a retriever finds."""
    asked = {"top_k": k} if "top_k" in inspect.signature(held.run).parameters else {}
    return [piece_of(one) for one in held.run(query=question, **asked)["documents"]]


def piece_of(document: Any) -> Piece:
    """A document as a piece."""
    meta = dict(document.meta)
    start = meta.get("start", meta.get("split_idx_start", -1))
    start = start if isinstance(start, int) else -1
    return Piece(document.content or "", doc_of(meta, document.id), start, document.score, meta)


def document_from(piece: Piece) -> Any:
    """A piece as a document."""
    facts = piece.facts
    meta = {**piece.metadata, **facts, "source_id": piece.doc, "split_idx_start": facts["start"]}
    return _haystack().Document(
        id=f"{piece.doc}:{piece.start}:{len(piece.text)}", content=piece.text, meta=meta, score=piece.score
    )


def _haystack() -> Any:
    """The package; its reports home are switched off before it is imported."""
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    return require("haystack", extra="peers", by="rag.bridge.haystack")


@cache
def _kinds() -> dict[str, Any]:
    """The components, made when haystack is first needed; it reads the types of `run` when they are made."""
    library = _haystack()
    documents_type: Any = list[library.Document]  # type: ignore[name-defined]  # the package may be absent
    gives = library.component.output_types(documents=documents_type)

    def component(kind: type) -> Any:
        run = kind.run  # type: ignore[attr-defined]
        typed = {"documents": documents_type, "query": str, "return": dict[str, documents_type]}
        run.__annotations__ = {name: typed[name] for name in run.__annotations__}
        kind.run = gives(run)  # type: ignore[attr-defined]
        return library.component(kind)

    class RagtreeSplitter:
        """One of our chunkers as a component."""

        def __init__(self, chunker: Any) -> None:
            self.chunker = chunker

        def run(self, documents: list[Any]) -> dict[str, Any]:
            found = []
            for source in documents:
                doc, text = doc_of(source.meta, source.id), source.content or ""
                for number, leaf in enumerate(self.chunker(document_of(doc, text, source.meta)).leaves()):
                    meta = {**source.meta, "split_id": number, "path": " > ".join(leaf.path)}
                    found.append(document_from(Piece(leaf.text, doc, leaf.start, None, meta)))
            return {"documents": found}

    class RagtreeRanker:
        """One of our rerankers or compressors as a component."""

        def __init__(self, step: Any, store: Any) -> None:
            self.step, self.store = step, store

        def run(self, query: str, documents: list[Any]) -> dict[str, Any]:
            given = [piece_of(one) for one in documents]
            hits, number = anchored(Query("question", query), given, self.store)
            made = self.step(hits) if len(hits) else hits
            return {"documents": [document_from(one.piece) for one in kept(made, given, number)]}

    class RagtreeRetriever:
        """Our retrieval as a component."""

        def __init__(self, ask: Callable[[Query], Hits]) -> None:
            self.ask = ask

        def run(self, query: str) -> dict[str, Any]:
            return {"documents": [document_from(piece) for piece in pieces(self.ask(Query("question", query)))]}

    made = {"splitter": RagtreeSplitter, "ranker": RagtreeRanker, "retriever": RagtreeRetriever}
    return {name: component(kind) for name, kind in made.items()}
