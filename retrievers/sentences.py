"""Nearest leaves by three views of each: its own vector, its neighbours', and that of its best sentence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError, StoreMismatch
from rag.models.embed import Embedder, adapt_embedder
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.store.parts import bound_to, part_key, store_of
from rag.store.top import top
from rag.types import Hits, Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Sentences", "lifted"]

NAME = "retrievers/sentences"
WINDOW = 1024  # texts given to the embedder at once; decides no result
DIGITS = 6  # of a score; a product's last digits depend on the machine, and would order equal texts by chance
LEAST = 12  # characters of a sentence that has a vector


def _default() -> Embedder:
    from rag.models.onnx import OnnxEmbedder

    return OnnxEmbedder()


@stage
class Sentences:
    """Find leaves whose vector, or whose best sentence, points where the question's does.

    One vector for a passage blurs the sentence that answers, one for a sentence lacks what it is about. So a leaf
    scores

        (1 - sentence) * cos(q, v) + sentence * max over its sentences s of cos(q, s),
        v = own + neighbour * (the leaf before + the leaf behind), of the same document, scaled to length 1.

    The largest of many vectors is the late interaction of ColBERT (Khattab and Zaharia, SIGIR 2020,
    https://arxiv.org/abs/2004.12832) with sentences in the place of words; neighbours are blended in as by Koutsiaris,
    https://arxiv.org/abs/2602.14784, there at 0.15 a side. Leaves of one sentence have their own vector alone. An
    index holds a vector a sentence: some five times what `retrievers/dense` keeps, and about twice the time to embed.
    Every vector is compared.

    Both weights were chosen on Chroma's questions with all-MiniLM-L6-v2 (`evals/reproduce/chroma_best.py`): recall in
    five chunks rises from 75.6 to 81.4 with langchain's recursive splitter and from 78.7 to 85.1 with
    `chunkers/structure` at 220, in 1,024 tokens from 78.5 to 84.0 and from 77.3 to 83.3. With bge-small on SQuAD
    articles, 300 questions, not looked at for the choice (`evals/reproduce/sentence_vectors.py`), recall of gold
    characters rises against `retrievers/dense` in 256 tokens from 82.0 to 87.3 (+5.3, 95 %: 2.0 to 9.0), in 512 from
    91.7 to 94.7 (+3.0, 95 %: 0.3 to 5.7), in 1,024 from 95.0 to 97.3 (+2.3, 95 %: 0.3 to 4.7).

    Args:
        query: its text is embedded as a question.

    Returns:
        At most k leaves, best first, rounded to 6 digits; ties in index order.

    Raises:
        StoreMismatch: the index holds vectors of another embedder.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("embedder", "path")

    embedder: SkipValidation[Embedder] = Field(default_factory=_default, description="an embedder, or llama-index's")
    k: int = Field(default=100, ge=1, description="hits returned")
    path: bool = Field(default=True, description="embed the title and the headings above a leaf with it")
    sentence: float = Field(default=0.4, ge=0, le=1, description="weight of the best sentence")
    neighbour: float = Field(default=0.2, ge=0, le=1, description="weight of each neighbour in a leaf's vector")

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
        """Write the vectors of leaves and of sentences; only new leaves are embedded."""
        old = part.old
        new = np.arange(len(corpus)) if old is None else np.flatnonzero(corpus.reuse < 0)
        vectors = np.empty((len(corpus), self.embedder.dim), dtype=np.float32)
        vectors[new] = self._embedded(corpus.texts(new, path=self.path), len(new))
        bodies = [_sentences(text) for text in corpus.texts(new)]
        leaf = np.repeat(new, [len(some) for some in bodies]).astype(np.int32)
        rows = self._embedded((one for some in bodies for one in some), len(leaf))
        if old is not None:
            kept = np.flatnonzero(corpus.reuse >= 0)
            vectors[kept] = old.load("vectors")[corpus.reuse[kept]]
            leaf, rows = _joined(leaf, rows, kept, corpus.reuse[kept], old)
        part.save("vectors", vectors)
        part.save("sentence-leaves", leaf)
        part.save("sentence-vectors", rows)
        part.save("beside", _beside(vectors, corpus.doc))
        part.save_json("embedder", {"fingerprint": self.embedder.fingerprint, "dim": self.embedder.dim})

    def _embedded(self, texts: Iterator[str], count: int) -> NDArray[np.float32]:
        """float32 (count, d)."""
        rows = np.empty((count, self.embedder.dim), dtype=np.float32)
        at = 0
        while window := list(islice(texts, WINDOW)):
            rows[at : at + len(window)] = self.embedder.embed(window)
            at += len(window)
        return rows

    def bind(self, store: Store, /) -> Sentences:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _opened(self) -> _Opened:
        store = store_of(self, NAME)
        part = store.part(part_key(self))
        built, asked = part.load_json("embedder")["fingerprint"], self.embedder.fingerprint
        if built != asked:
            raise StoreMismatch(
                f"{NAME}: embedder: this index holds vectors of {built!r}, got {asked!r}. Ask with the embedder of the"
                " index, or index again."
            )
        names = ("vectors", "beside", "sentence-leaves", "sentence-vectors")
        return _Opened(store.corpus, *(np.asarray(part.load(name)) for name in names))

    def __call__(self, query: Query, /) -> Hits:
        """The k best leaves."""
        opened = self._opened
        if not query.text.strip() or not len(opened.vectors):
            return Hits(query)
        asked = self.embedder.embed([query.text], query=True)[0]
        own = _dots(opened.vectors, asked)
        wide = _blended(own, opened.beside, opened.corpus.doc, self.neighbour)
        best = lifted(own, opened.leaf, _dots(opened.sentences, asked))
        scores = np.round((1 - self.sentence) * wide + self.sentence * best, DIGITS).astype(np.float32)
        mask = opened.corpus.mask(query)
        leaves = np.arange(len(scores)) if mask is None else np.flatnonzero(mask)
        places, values = top(scores[leaves], self.k)
        return Hits(query, opened.corpus.hits(leaves[places], values, NAME))


class _Opened(NamedTuple):
    """What an index holds.

    Args:
        corpus: its leaves.
        vectors: float32 (n, d), of leaves.
        beside: float32 (n, 3), `_beside`.
        leaf: int32 (m,), ascending, whose sentence each row is.
        sentences: float32 (m, d).
    """

    corpus: Corpus
    vectors: NDArray[np.float32]
    beside: NDArray[np.float32]
    leaf: NDArray[np.int32]
    sentences: NDArray[np.float32]


def lifted(own: NDArray[np.float64], leaf: NDArray[np.int32], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (n,): the best of each leaf's sentences; its own score where it has none.

    Args:
        own: float64 (n,), of leaves.
        leaf: int32 (m,), ascending, whose sentence each score is.
        scores: float64 (m,), of sentences.
    """
    best = own.copy()
    if len(leaf):
        first = np.flatnonzero(np.diff(leaf, prepend=-1))
        best[leaf[first]] = np.maximum.reduceat(scores, first)
    return best


def _sentences(text: str) -> list[str]:
    """The sentences of a leaf, where there is more than one."""
    found = [one for a, b in sentence_spans(text) if len(one := text[a:b].strip()) >= LEAST]
    return found if len(found) > 1 else []


def _joined(
    leaf: NDArray[np.int32], rows: NDArray[np.float32], kept: NDArray[np.int64], source: NDArray[np.int64], old: Part
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Vectors of new sentences and those of leaves that were there, in the order of leaves."""
    before = np.asarray(old.load("sentence-leaves"))
    first = np.searchsorted(before, source)
    lots = np.searchsorted(before, source, side="right") - first
    places = np.repeat(first - (np.cumsum(lots) - lots), lots) + np.arange(int(lots.sum()))
    every = np.concatenate((leaf, np.repeat(kept, lots).astype(np.int32)))
    order = np.argsort(every, kind="stable")
    return every[order], np.concatenate((rows, old.load("sentence-vectors")[places]))[order]


def _beside(vectors: NDArray[np.float32], doc: NDArray[np.int32]) -> NDArray[np.float32]:
    """float32 (n, 3): |own|^2, own.n and |n|^2 of each leaf, n being the sum of its neighbours' vectors.

    With them the length of `own + w n` is known for any w: sqrt(|own|^2 + 2 w own.n + w^2 |n|^2).
    """
    near = np.zeros_like(vectors)
    same = (doc[1:] == doc[:-1])[:, None]
    near[1:] += vectors[:-1] * same
    near[:-1] += vectors[1:] * same
    pairs = ((vectors, vectors), (vectors, near), (near, near))
    return np.stack([np.einsum("ij,ij->i", a, b) for a, b in pairs], axis=1)


def _blended(
    own: NDArray[np.float64], beside: NDArray[np.float32], doc: NDArray[np.int32], weight: float
) -> NDArray[np.float64]:
    """float64 (n,), cosine of the question to each leaf's vector with its neighbours'."""
    near = np.zeros(len(own))
    same = doc[1:] == doc[:-1]
    near[1:] += own[:-1] * same
    near[:-1] += own[1:] * same
    square = beside.astype(np.float64) @ np.array([1.0, 2 * weight, weight * weight])
    scale: NDArray[np.float64] = (own + weight * near) / np.sqrt(np.maximum(square, 1e-12))
    return scale


def _dots(rows: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float64]:
    """The product of each row with the question, by itself: equal rows give equal numbers, as BLAS does not."""
    values: NDArray[np.float32] = np.einsum("ij,j->i", rows, asked.astype(np.float32), optimize=False)
    wide: NDArray[np.float64] = values.astype(np.float64)
    return wide.round(DIGITS + 1)
