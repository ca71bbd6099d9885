"""Nearest leaves by their vectors: exact while that is quick, through a graph above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError, StoreMismatch
from rag.models.embed import Embedder, adapt_embedder
from rag.stage import Field, stage
from rag.store.parts import bound_to, part_key, store_of
from rag.store.top import top
from rag.types import Hits, Query

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

    Args:
        query: its text is embedded as a question.

    Returns:
        At most k leaves, highest cosine first, rounded to 6 digits; ties in index order.

    Raises:
        StoreMismatch: the index holds vectors of another embedder.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("embedder", "path", "exact_below", "links", "build_effort")

    embedder: SkipValidation[Embedder] = Field(default_factory=_default, description="an embedder, or llama-index's")
    k: int = Field(default=100, ge=1, description="hits returned")
    path: bool = Field(default=True, description="embed the title and the headings above a leaf with it")
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

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the vectors, and the graph where there is one; only new leaves are embedded."""
        vectors = np.empty((len(corpus), self.embedder.dim), dtype=np.float32)
        new = np.arange(len(corpus))
        if part.old is not None:
            kept = np.flatnonzero(corpus.reuse >= 0)
            vectors[kept] = part.old.load("vectors")[corpus.reuse[kept]]
            new = np.flatnonzero(corpus.reuse < 0)
        at = 0
        for texts in _windows(corpus.texts(new, path=self.path)):
            vectors[new[at : at + len(texts)]] = self.embedder.embed(texts)
            at += len(texts)
        part.save("vectors", vectors)
        part.save_json("embedder", {"fingerprint": self.embedder.fingerprint, "dim": self.embedder.dim})
        file = part.path("graph.faiss")
        if file is not None and len(corpus) >= self.exact_below:
            import faiss

            faiss.write_index(self._graph(vectors), str(file))

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
        return _Vectors(
            store.corpus, vectors, self._opened(part, vectors) if len(vectors) >= self.exact_below else None
        )

    def _opened(self, part: Part, vectors: NDArray[np.float32]) -> Any:
        import faiss

        file = part.path("graph.faiss")
        return self._graph(vectors) if file is None else faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)

    def __call__(self, query: Query, /) -> Hits:
        """The k nearest leaves."""
        vectors = self._vectors
        if not query.text.strip() or not len(vectors.rows):
            return Hits(query)
        asked = self.embedder.embed([query.text], query=True)[0]
        mask = vectors.corpus.mask(query)
        if mask is not None:
            leaves, scores = vectors.among(asked, np.flatnonzero(mask), self.k)
        elif vectors.graph is not None:
            leaves, scores = vectors.near(asked, self.k, max(self.k, self.search_effort))
        else:
            leaves, scores = top(_dots(vectors.rows, asked), self.k)
        return Hits(query, vectors.corpus.hits(leaves, scores, NAME))


@dataclass(frozen=True, eq=False)
class _Vectors:
    """The vectors of a corpus: float32 (n, d), rows of length 1, and the graph over them if any."""

    corpus: Corpus
    rows: NDArray[np.float32]
    graph: Any

    def among(
        self, asked: NDArray[np.float32], leaves: NDArray[np.int64], k: int
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The best of the given leaves, every one of them compared."""
        few = 2 * len(leaves) < len(self.rows)
        places, scores = top(_dots(self.rows[leaves], asked) if few else _dots(self.rows, asked)[leaves], k)
        return leaves[places], scores

    def near(self, asked: NDArray[np.float32], k: int, effort: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The best that the graph finds."""
        import faiss

        settings = faiss.SearchParametersHNSW(efSearch=effort)  # type: ignore[attr-defined]  # its stubs lack it
        _, found = self.graph.search(asked[None], min(k, len(self.rows)), params=settings)
        return self.among(asked, np.sort(found[0][found[0] >= 0]), k)


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
