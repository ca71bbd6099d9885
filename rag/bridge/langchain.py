"""The bridge to langchain: text splitters, document compressors, retrievers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.bridge.carry import Piece, anchored, doc_of, document_of, kept, pieces
from rag.errors import ConfigError
from rag.types import Document, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Store

__all__ = ["rank", "ranker", "retrieve", "retriever", "split", "splitter", "stage_of"]

SCORE = "relevance_score"  # where langchain's own compressors write a score


def splitter(chunker: Any, **options: Any) -> Any:
    """A `TextSplitter`: a document a leaf, with `start_index` and its exact end."""
    return _kinds()["splitter"](chunker, options)


def ranker(step: Any, store: Store | None, **options: Any) -> Any:
    """A `BaseDocumentCompressor`."""
    return _kinds()["compressor"](step, store, options)


def retriever(ask: Callable[[Query], Hits], **options: Any) -> Any:
    """A `BaseRetriever`."""
    return _kinds()["retriever"](ask, options)


def stage_of(held: Any, options: dict[str, Any]) -> Any:
    """The stage around an object of langchain."""
    from langchain_core.documents.compressor import BaseDocumentCompressor
    from langchain_core.retrievers import BaseRetriever
    from langchain_text_splitters import TextSplitter

    from rag.bridge.foreign import ForeignChunker, ForeignRanker, ForeignRetriever, theirs

    if isinstance(held, TextSplitter):
        overlap = int(getattr(held, "_chunk_overlap", 0))
        return ForeignChunker(theirs=theirs("langchain", held), **{"overlap": overlap, **options})
    for kind, made in ((BaseDocumentCompressor, ForeignRanker), (BaseRetriever, ForeignRetriever)):
        if isinstance(held, kind):
            return made(theirs=theirs("langchain", held), **options)
    raise ConfigError(
        f"from_langchain: must be a TextSplitter, BaseDocumentCompressor or BaseRetriever, got {type(held).__name__}."
    )


def split(held: Any, document: Document) -> list[tuple[str, int]]:
    """A document's pieces; langchain's splitters give strings alone."""
    from rag.models.tokens import clean

    return [(piece, -1) for piece in held.split_text(clean(document.text))]


def rank(held: Any, question: str, given: Sequence[Piece]) -> list[tuple[int, str, float | None]]:
    """Number, text and score of what comes back."""
    from langchain_core.documents import Document as Source

    sources = [Source(one.text, metadata={**one.facts, "rag_number": i}) for i, one in enumerate(given)]
    made = held.compress_documents(sources, question)
    return [
        (one.metadata["rag_number"], one.page_content, _score(one.metadata))
        for one in made
        if isinstance(one.metadata.get("rag_number"), int)
    ]


def retrieve(held: Any, question: str, _: int) -> list[Piece]:
    """What a retriever finds."""
    return [piece_of(one) for one in held.invoke(question)]


def piece_of(document: Any) -> Piece:
    """A document as a piece."""
    metadata = dict(document.metadata)
    start = metadata.get("start", metadata.get("start_index", -1))
    start = start if isinstance(start, int) else -1
    return Piece(document.page_content, doc_of(metadata, document.id or ""), start, _score(metadata), metadata)


def document_from(piece: Piece) -> Any:
    """A piece as a document."""
    from langchain_core.documents import Document as Source

    facts = piece.facts
    metadata = {**piece.metadata, **facts, "start_index": facts["start"], SCORE: piece.score}
    return Source(piece.text, metadata=metadata, id=f"{piece.doc}:{piece.start}")


def _score(metadata: dict[str, Any]) -> float | None:
    score = metadata.get(SCORE)
    return float(score) if isinstance(score, (int, float)) else None


@cache
def _kinds() -> dict[str, Any]:
    """The subclasses, made when langchain is first needed."""
    from langchain_core.documents import Document as Source
    from langchain_core.documents.compressor import BaseDocumentCompressor
    from langchain_core.retrievers import BaseRetriever
    from langchain_text_splitters import TextSplitter
    from pydantic import PrivateAttr

    class RagtreeTextSplitter(TextSplitter):
        """One of our chunkers in langchain's clothes; sizes are the chunker's."""

        def __init__(self, chunker: Any, options: dict[str, Any]) -> None:
            super().__init__(**{"chunk_overlap": 0, "add_start_index": True, **options})
            self._chunker = chunker

        def split_text(self, text: str) -> list[str]:
            return [leaf.text for leaf in self._chunker(Document("text", text)).leaves()]

        def create_documents(self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None) -> list[Any]:
            found = []
            for i, text in enumerate(texts):
                metadata = dict(metadatas[i]) if metadatas else {}
                doc = doc_of(metadata, str(i))
                for leaf in self._chunker(document_of(doc, text, metadata)).leaves():
                    path = {"path": " > ".join(leaf.path)} if leaf.path else {}
                    place = {"doc": doc, "start": leaf.start, "end": leaf.end, "start_index": leaf.start}
                    found.append(Source(leaf.text, metadata={**metadata, **path, **place}))
            return found

        def split_documents(self, documents: Iterable[Any]) -> list[Any]:
            given = list(documents)
            named = [{**({"doc": one.id} if one.id else {}), **one.metadata} for one in given]
            return self.create_documents([one.page_content for one in given], named)

    class RagtreeCompressor(BaseDocumentCompressor):
        """One of our rerankers or compressors in langchain's clothes."""

        _step: Any = PrivateAttr()
        _store: Any = PrivateAttr()

        def __init__(self, step: Any, store: Any, options: dict[str, Any]) -> None:
            super().__init__(**options)
            self._step, self._store = step, store

        def compress_documents(self, documents: Sequence[Any], query: str, callbacks: Any = None) -> list[Any]:
            given = [piece_of(one) for one in documents]
            hits, number = anchored(Query("question", query), given, self._store)
            made = self._step(hits) if len(hits) else hits
            return [document_from(one.piece) for one in kept(made, given, number)]

    class RagtreeRetriever(BaseRetriever):
        """Our retrieval in langchain's clothes."""

        _ask: Any = PrivateAttr()

        def __init__(self, ask: Callable[[Query], Hits], options: dict[str, Any]) -> None:
            super().__init__(**options)
            self._ask = ask

        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Any]:
            return [document_from(piece) for piece in pieces(self._ask(Query("question", query)))]

    return {"splitter": RagtreeTextSplitter, "compressor": RagtreeCompressor, "retriever": RagtreeRetriever}
