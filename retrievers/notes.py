"""Search what was noted about each leaf, and return the leaf: propositions, questions, summaries as an index view."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import SkipValidation

from rag.doctree import DocTree, flat
from rag.models.embed import Embedder
from rag.notes import Note, notes_of
from rag.stage import Field, stage
from rag.store.corpus import Corpus
from rag.store.parts import bound_to, part_key, store_of
from rag.types import Document, Hit, Hits, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.store.corpus import Part, Store

__all__ = ["Notes"]

NAME = "retrievers/notes"
TREES = 64  # documents whose notes are kept at hand
DEEP = 4  # notes asked for, for each leaf wanted: several may belong to one


@stage
class Notes:
    """Match the question with every note of a field by itself, and give back the leaf that it was made from.

    A leaf of many statements matches a question about one of them weakly; the statement alone matches it well, but says
    too little to be read (Chen et al., "Dense X Retrieval", EMNLP 2024, https://arxiv.org/abs/2312.06648, propositions;
    Nogueira et al., "Document Expansion by Query Prediction", 2019, https://arxiv.org/abs/1904.08375, questions). So
    notes are an index view: each is an entry of its own, and what comes back is source text. A leaf counts with its
    best note. Notes that failed verification are left out; leaves without notes are not found here, so fuse this with
    a retriever over leaves (`retrievers/hybrid`).

    Args:
        query: scope and filters are honoured exactly.

    Returns:
        At most k leaves, best first; `why` names the note's range. With `spans: note` a hit keeps only the ranges of
        the source that its best note rests on, where the note says which.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("field", "embedder")

    field: str = Field(default="propositions", min_length=1, description="which notes: propositions, questions, ...")
    embedder: SkipValidation[Embedder | None] = Field(default=None, description="matches by vectors; without one, BM25")
    k: int = Field(default=100, ge=1, description="leaves returned")
    spans: Literal["leaf", "note"] = Field(
        default="leaf", description="what a hit keeps: the leaf, or the note's source"
    )

    def __post_init__(self) -> None:
        """An embedder is checked by its type alone, and llama-index's are taken too."""
        if self.embedder is not None:
            object.__setattr__(self, "embedder", Dense(embedder=self.embedder).embedder)

    def _inner(self, k: int) -> BM25 | Dense:
        return BM25(k=k, path=False) if self.embedder is None else Dense(embedder=self.embedder, k=k, path=False)

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write which note belongs to which leaf, and the index of the notes."""
        doc: list[int] = []
        leaf: list[int] = []
        for at, (ordinal, node) in enumerate(zip(corpus.doc.tolist(), corpus.node.tolist(), strict=True)):
            count = len(_kept(corpus.tree(ordinal), self.field, node))
            doc += [ordinal] * count
            leaf += [at] * count
        part.save("note-doc", np.array(doc, dtype=np.int32))
        part.save("note-leaf", np.array(leaf, dtype=np.int64))
        of_leaf = np.array(leaf, dtype=np.int64)
        reuse = _same_notes(of_leaf, corpus.reuse, part.old)
        view = _View.of(corpus, self.field, np.array(doc, dtype=np.int32), reuse)
        self._inner(1).build(view.notes, _Inside(part))

    def bind(self, store: Store, /) -> Notes:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _opened(self) -> tuple[Corpus, NDArray[np.int64], _View, Any]:
        store = store_of(self, NAME)
        part = store.part(part_key(self))
        view = _View.of(store.corpus, self.field, np.asarray(part.load("note-doc")))
        found = self._inner(DEEP * self.k).bind(_Shelf(view.notes, _Inside(part)))
        return store.corpus, np.asarray(part.load("note-leaf")), view, found

    def __call__(self, query: Query, /) -> Hits:
        """The leaves of the best notes."""
        corpus, leaf, view, inner = self._opened
        if not len(leaf):
            return Hits(query, notes={NAME: {"notes": 0}})
        hits: dict[int, Hit] = {}
        for one in inner(query):
            ordinal = corpus.ordinals[one.doc]
            number = int(view.first[ordinal]) + one.node - 1
            at = int(leaf[number])
            if at not in hits and len(hits) < self.k:
                hits[at] = self._hit(corpus, at, number - int(np.searchsorted(leaf, at)), one.score)
        return Hits(query, tuple(hits.values()), notes={NAME: {"notes": len(leaf)}})

    def _hit(self, corpus: Corpus, at: int, which: int, score: float) -> Hit:
        """A leaf, found by one of its notes."""
        hit = corpus.hit(at, score, NAME)
        note = _kept(hit.tree, self.field, hit.node)[which]
        start, end = hit.spans[0]
        inside = [(max(a, start), min(b, end)) for a, b in note.spans if max(a, start) < min(b, end)]
        why = f"{self.field} [{note.spans[0][0]}, {note.spans[-1][1]})" if note.spans else self.field
        spans = tuple(inside) if inside and self.spans == "note" else hit.spans
        return Hit(hit.tree, hit.node, spans, score, hit.scores, why)


def _kept(tree: DocTree, name: str, node: int) -> list[Note]:
    """Notes that may be searched."""
    return [note for note in notes_of(tree, name, node) if note.ok is not False and note.text.strip()]


@dataclass(frozen=True, eq=False)
class _View:
    """The notes of a corpus as a corpus: every document is the text of its notes, every note a leaf.

    Args:
        notes: that corpus.
        first: int64 (documents + 1,), index of each document's first note.
    """

    notes: Corpus
    first: NDArray[np.int64]

    @classmethod
    def of(cls, corpus: Corpus, name: str, doc: NDArray[np.int32], reuse: NDArray[np.int64] | None = None) -> _View:
        first = np.searchsorted(doc, np.arange(len(corpus.doc_ids) + 1)).astype(np.int64)
        node = (np.arange(len(doc)) - first[doc] + 1).astype(np.int32)

        @lru_cache(maxsize=TREES)
        def tree(ordinal: int) -> DocTree:
            low, high = np.searchsorted(corpus.doc, (ordinal, ordinal + 1)).tolist()
            whole = corpus.tree(ordinal)
            texts = [note.text + "\n" for one in corpus.node[low:high].tolist() for note in _kept(whole, name, one)]
            return _document(corpus.doc_ids[ordinal], texts)

        reuse = np.full(len(doc), -1, dtype=np.int64) if reuse is None else reuse
        return cls(Corpus(corpus.doc_ids, corpus.metadata, doc, node, reuse, tree), first)


def _same_notes(leaf: NDArray[np.int64], reuse: NDArray[np.int64], old: Part | None) -> NDArray[np.int64]:
    """int64 (m,), for each note the same note in the generation before, -1 where its leaf is new.

    Leaves with one key have the same notes in the same order (`rag.store.codec.leaf_keys`).
    """
    if old is None or not len(leaf):
        return np.full(len(leaf), -1, dtype=np.int64)
    rank = np.arange(len(leaf)) - np.searchsorted(leaf, leaf)
    before = reuse[leaf]
    return np.where(before >= 0, np.searchsorted(np.asarray(old.load("note-leaf")), before) + rank, -1)


def _document(name: str, texts: Sequence[str]) -> DocTree:
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    return flat(Document(name, "".join(texts)), list(itertools.pairwise(ends)))


@dataclass(frozen=True, eq=False)
class _Inside:
    """A place for the inner retriever's arrays within this one's part."""

    part: Part

    @property
    def old(self) -> _Inside | None:
        """The inner retriever's arrays in the generation before."""
        return None if self.part.old is None else _Inside(self.part.old)

    def save(self, name: str, array: NDArray[Any]) -> None:
        self.part.save(f"inner-{name}", array)

    def load(self, name: str) -> NDArray[Any]:
        return self.part.load(f"inner-{name}")

    def save_json(self, name: str, value: Any) -> None:
        self.part.save_json(f"inner-{name}", value)

    def load_json(self, name: str) -> Any:
        return self.part.load_json(f"inner-{name}")

    def path(self, name: str) -> Path | None:
        return self.part.path(f"inner-{name}")


@dataclass(frozen=True, eq=False)
class _Shelf:
    """The store that the inner retriever reads from."""

    corpus: Corpus
    inside: _Inside

    def part(self, _key: str) -> _Inside:
        return self.inside
