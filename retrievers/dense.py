"""Nearest leaves by their vectors: exact while that is quick, through a graph above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError, StoreMismatch
from rag.models.embed import Embedder, adapt_embedder
from rag.stage import Field, stage
from rag.store.fields import note_rows, prefixed
from rag.store.parts import bound_to, part_key, store_of
from rag.store.top import top
from rag.types import Hits, Query
from retrievers.late import Reads, checked_reader, late_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Dense"]

NAME = "retrievers/dense"
WINDOW = 1024  # texts given to the embedder at once; decides no result
DIGITS = 6  # of a score; a dot product's last digits depend on the machine, and would order equal texts by chance


def _default() -> Embedder:
    from rag.models.onnx import OnnxEmbedder

    return OnnxEmbedder()


@stage
class Dense:
    """Find leaves whose vectors point where the question's does.

    Below `exact_below` leaves every vector is compared. Above, a graph is built with faiss: HNSW, Malkov and
    Yashunin, TPAMI 2020, https://arxiv.org/abs/1603.09320, in one thread, so that equal input gives an equal
    graph; what it finds is scored again, exactly. A question with a scope or filters is always compared with
    every leaf it may use, so nothing is missed and nothing else is seen.

    With `fields` the notes of growers are embedded too, in one of two forms. `prefix` puts them between the headings
    and the text of a leaf, `prefix_tokens` of cl100k at most, and the leaf keeps one vector: contextual retrieval
    (Anthropic, 2024). `vectors` gives every note a vector of its own, with the headings in front, `most` a leaf at
    most, and a leaf scores by the best of its vectors. Notes that failed verification are never embedded; hits are the
    leaves, never the notes.

    With `reads` a leaf's vector is pooled from the states of its word pieces after the whole section or document was
    read: late chunking (`rag.models.late`, `retrievers.late`), for embedders that average states. Off: on five
    sets it gained nowhere (`python -m evals.reproduce late-chunks`; in 512 tokens -2.9 points of recall with MiniLM by
    section, 95 %: -7.0 to +1.1, 307 questions; -14.3, -19.2 to -9.5, with bge-small asked for means).

    Args:
        query: its text is embedded as a question.

    Returns:
        At most k leaves, highest cosine first, rounded to 6 digits; ties in index order.

    Raises:
        StoreMismatch: the index holds vectors of another embedder.
    """

    shapes_index: ClassVar[tuple[str, ...]] = (
        *("embedder", "path", "exact_below", "links", "build_effort"),
        *("fields", "form", "prefix_tokens", "most", "reads"),
    )

    embedder: SkipValidation[Embedder] = Field(default_factory=_default, description="an embedder, or llama-index's")
    k: int = Field(default=100, ge=1, description="hits returned")
    path: bool = Field(default=True, description="embed the title and the headings above a leaf with it")
    fields: tuple[str, ...] = Field(default=(), description="notes by name, such as context; they are embedded too")
    form: Literal["prefix", "vectors"] = Field(default="prefix", description="in front of the text, or by themselves")
    prefix_tokens: int = Field(default=64, ge=1, description="of all notes in front of a text at most, in cl100k")
    most: int = Field(default=8, ge=1, description="vectors of a leaf's notes at most")
    reads: Reads = Field(default="leaf", description="what is read to embed a leaf: it, its section, or its document")
    exact_below: int = Field(default=50_000, ge=0, description="leaves from which a graph is used")
    links: int = Field(default=32, ge=2, le=256, description="graph: neighbours of a vector")
    build_effort: int = Field(default=80, ge=1, description="graph: candidates looked at to link a vector")
    search_effort: int = Field(default=128, ge=1, description="graph: candidates looked at for a question; at least k")

    def __post_init__(self) -> None:
        """Check by name only: reading an embedder's properties would open its weights."""
        kind = type(self.embedder)
        if not callable(getattr(kind, "embed", None)):
            if not callable(getattr(kind, "get_text_embedding_batch", None)):
                raise ConfigError(
                    f"{NAME}: embedder: must be an embedder such as {{use: embedders/onnx}} or a llama-index"
                    f" BaseEmbedding, got {kind.__name__}. Drop it to use the default."
                )
            object.__setattr__(self, "embedder", adapt_embedder(self.embedder))
        if self.reads != "leaf":
            checked_reader(self.embedder, NAME)
            if self.fields and self.form == "prefix":
                raise ConfigError(
                    f"{NAME}: fields: in front of a text they need reads: leaf, got reads: {self.reads}."
                    " Say form: vectors, or reads: leaf."
                )

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the vectors, and the graph where there is one; only new leaves are embedded."""
        new = np.arange(len(corpus)) if part.old is None else np.flatnonzero(corpus.reuse < 0)
        if self.reads == "leaf":
            vectors = self._own_vectors(corpus, part.old, new)
        else:
            vectors, read_with = late_vectors(self.embedder, corpus, self.reads, part.old, path=self.path)
            part.save("read-with", read_with)
        part.save("vectors", vectors)
        graphed = vectors
        if self._more:
            leaf, rows = self._note_vectors(corpus, part.old, new)
            part.save("note-leaves", leaf)
            part.save("note-vectors", rows)
            graphed = np.concatenate((vectors, rows))
        part.save_json("embedder", {"fingerprint": self.embedder.fingerprint, "dim": self.embedder.dim})
        file = part.path("graph.faiss")
        if file is not None and len(corpus) >= self.exact_below:
            import faiss

            faiss.write_index(self._graph(graphed), str(file))

    @property
    def _more(self) -> bool:
        """Whether notes have vectors of their own."""
        return bool(self.fields) and self.form == "vectors"

    def _texts(self, corpus: Corpus, leaves: NDArray[np.int64]) -> Iterator[str]:
        if self.fields and self.form == "prefix":
            return prefixed(corpus, leaves, self.fields, path=self.path, tokens=self.prefix_tokens)
        return corpus.texts(leaves, path=self.path)

    def _own_vectors(self, corpus: Corpus, old: Part | None, new: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 (n, d): each leaf read by itself; those that were there are copied."""
        vectors = np.empty((len(corpus), self.embedder.dim), dtype=np.float32)
        if old is not None:
            kept = np.flatnonzero(corpus.reuse >= 0)
            vectors[kept] = old.load("vectors")[corpus.reuse[kept]]
        at = 0
        for texts in _windows(self._texts(corpus, new)):
            vectors[new[at : at + len(texts)]] = self.embedder.embed(texts)
            at += len(texts)
        return vectors

    def _note_vectors(
        self, corpus: Corpus, old: Part | None, new: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """int32 (m,), ascending: whose note each row is; float32 (m, d). Notes of leaves that were there are copied."""
        pairs = list(note_rows(corpus, new.tolist(), self.fields, self.most, path=self.path))
        leaf = np.array([one for one, _ in pairs], dtype=np.int32)
        rows = np.empty((len(pairs), self.embedder.dim), dtype=np.float32)
        for at in range(0, len(pairs), WINDOW):
            rows[at : at + WINDOW] = self.embedder.embed([text for _, text in pairs[at : at + WINDOW]])
        if old is None:
            return leaf, rows
        kept = np.flatnonzero(corpus.reuse >= 0)
        before = np.asarray(old.load("note-leaves"))
        first = np.searchsorted(before, corpus.reuse[kept])
        lots = np.searchsorted(before, corpus.reuse[kept], side="right") - first
        source = np.repeat(first - (np.cumsum(lots) - lots), lots) + np.arange(int(lots.sum()))
        every = np.concatenate((leaf, np.repeat(kept, lots).astype(np.int32)))
        order = np.argsort(every, kind="stable")
        return every[order], np.concatenate((rows, old.load("note-vectors")[source]))[order]

    def _graph(self, vectors: NDArray[np.float32]) -> Any:
        import faiss

        graph = faiss.IndexHNSWFlat(vectors.shape[1], self.links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self.build_effort
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            graph.add(vectors)
        finally:
            faiss.omp_set_num_threads(threads)
        return graph

    def bind(self, store: Store, /) -> Dense:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _vectors(self) -> _Vectors:
        store = store_of(self, NAME)
        part = store.part(part_key(self))
        built, asked = part.load_json("embedder")["fingerprint"], self.embedder.fingerprint
        if built != asked:
            raise StoreMismatch(
                f"{NAME}: embedder: this index holds vectors of {built!r}, got {asked!r}. Ask with the embedder of the"
                " index, or index again."
            )
        vectors = np.asarray(part.load("vectors"))
        notes = (np.asarray(part.load("note-leaves")), np.asarray(part.load("note-vectors"))) if self._more else None
        graphed = len(vectors) >= self.exact_below
        return _Vectors(store.corpus, vectors, self._opened(part, vectors, notes) if graphed else None, notes)

    def _opened(self, part: Part, vectors: NDArray[np.float32], notes: tuple[Any, NDArray[np.float32]] | None) -> Any:
        import faiss

        file = part.path("graph.faiss")
        if file is not None:
            return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)
        return self._graph(vectors if notes is None else np.concatenate((vectors, notes[1])))

    def __call__(self, query: Query, /) -> Hits:
        """The k nearest leaves."""
        vectors = self._vectors
        if not query.text.strip() or not len(vectors.rows):
            return Hits(query)
        leaves, scores = self.nearest(self.embedder.embed([query.text], query=True)[0], query, self.k)
        return Hits(query, vectors.corpus.hits(leaves, scores, NAME))

    def nearest(self, asked: NDArray[np.float32], query: Query, k: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The k leaves nearest to any vector of length 1, best first, and their cosines; `query` gives the scope."""
        vectors = self._vectors
        mask = vectors.corpus.mask(query)
        if mask is not None:
            return vectors.among(asked, np.flatnonzero(mask), k)
        if vectors.graph is not None:
            return vectors.near(asked, k, max(k, self.search_effort))
        return top(vectors.scores(asked), k)

    @property
    def rows(self) -> NDArray[np.float32]:
        """float32 (n, d), rows of length 1: the leaves' own vectors, in index order."""
        rows: NDArray[np.float32] = self._vectors.rows
        return rows


@dataclass(frozen=True, eq=False)
class _Vectors:
    """The vectors of a corpus: float32 (n, d), rows of length 1, the graph over them if any, and those of notes."""

    corpus: Corpus
    rows: NDArray[np.float32]
    graph: Any
    notes: tuple[NDArray[np.int32], NDArray[np.float32]] | None = None

    def scores(self, asked: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (n,): the cosine of each leaf, of its best vector where its notes have some."""
        own = _dots(self.rows, asked)
        if self.notes is not None:
            np.maximum.at(own, self.notes[0], _dots(self.notes[1], asked))
        return own

    def among(
        self, asked: NDArray[np.float32], leaves: NDArray[np.int64], k: int
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The best of the given leaves, every one of them compared."""
        few = 2 * len(leaves) < len(self.rows)
        if not few:
            places, scores = top(self.scores(asked)[leaves], k)
            return leaves[places], scores
        own = _dots(self.rows[leaves], asked)
        if self.notes is not None:
            place = np.full(len(self.rows), -1, dtype=np.int64)
            place[leaves] = np.arange(len(leaves))
            mine = np.flatnonzero(place[self.notes[0]] >= 0)
            np.maximum.at(own, place[self.notes[0][mine]], _dots(self.notes[1][mine], asked))
        places, scores = top(own, k)
        return leaves[places], scores

    def near(self, asked: NDArray[np.float32], k: int, effort: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The best that the graph finds."""
        import faiss

        settings = faiss.SearchParametersHNSW(efSearch=effort)  # type: ignore[attr-defined]  # its stubs lack it
        more = 0 if self.notes is None else len(self.notes[0])
        _, found = self.graph.search(asked[None], min(effort if more else k, len(self.rows) + more), params=settings)
        near = np.sort(found[0][found[0] >= 0])
        if self.notes is not None:  # rows behind the leaves' own belong to notes
            note = near >= len(self.rows)
            near = np.unique(np.concatenate((near[~note], self.notes[0][near[note] - len(self.rows)])))
        return self.among(asked, near, k)


def _dots(rows: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float32]:
    """The dot product of each row, by itself: equal rows give equal numbers wherever they stand, as BLAS does not."""
    import faiss

    out = np.empty(len(rows), dtype=np.float32)
    if len(rows):
        values = map(faiss.swig_ptr, (out, np.ascontiguousarray(asked), np.ascontiguousarray(rows)))
        faiss.fvec_inner_products_ny(*values, rows.shape[1], len(rows))  # type: ignore[attr-defined]  # its stubs lack it
    return np.round(out, DIGITS)


def _windows(texts: Iterator[str]) -> Iterator[list[str]]:
    while window := list(islice(texts, WINDOW)):
        yield window
