"""Vectors of the units of a scaffold, a bounded number of units at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from chunkers.kernel import directions
from rag.errors import ConfigError
from rag.models.embed import Embedder, adapt_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chunkers.scaffold import Scaffold, Units

__all__ = ["SPAN", "Usual", "batches", "checked_embedder", "embedded", "small_embedder"]

SPAN = 16_384  # units whose vectors are held at once; a longer stretch is divided here


def small_embedder() -> Embedder:
    """The default: bge-small, on the CPU."""
    from rag.models.onnx import OnnxEmbedder

    return OnnxEmbedder()


def checked_embedder(model: Any, by: str) -> Embedder:
    """An embedder, or llama-index's adapted, by looking at its type alone, so that no weights open.

    Raises:
        ConfigError: it is neither.
    """
    kind = type(model)
    if callable(getattr(kind, "embed", None)):
        return cast("Embedder", model)
    if not callable(getattr(kind, "get_text_embedding_batch", None)):
        raise ConfigError(
            f"{by}: embedder: must be an embedder such as {{use: embedders/onnx}} or a llama-index"
            f" BaseEmbedding, got {kind.__name__}. Drop it to use the default."
        )
    return adapt_embedder(model)


def embedded(embedder: Embedder, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float64]:
    """float64 (n, d), rows of length 1, or 0 where the embedder gave no direction; equal texts are embedded once."""
    known = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    rows = directions(np.asarray(embedder.embed(list(known), query=query)).reshape(len(known), -1))
    return rows[[known[text] for text in texts]]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some stretches and the vectors of their units, one after the other.

    Args:
        parts: (index of the stretch, first and last unit of it, its units).
        vectors: float64 (n, d), of all units of the parts, in order.
    """

    parts: Sequence[tuple[int, int, int, Units]]
    vectors: NDArray[np.float64]


def batches(scaffold: Scaffold, embedder: Embedder, *, cap: int | None = None) -> Iterator[Batch]:
    """The stretches that leave a choice, with vectors, at most `SPAN` units at a time.

    Args:
        scaffold: a document.
        embedder: makes the vectors; units are given without the blanks around them.
        cap: stretches of at most so many tokens leave no choice; None takes all of more than one unit.
    """
    text = scaffold.document.text
    waiting: list[tuple[int, int, int, Units]] = []
    held = 0

    def flush() -> Batch:
        spans = [span for _, low, high, units in waiting for span in units.spans()[low:high]]
        return Batch(tuple(waiting), embedded(embedder, [text[a:b].strip() for a, b in spans]))

    for index, stretch in enumerate(scaffold.stretches):
        count = len(stretch.marks) - 1
        if count < 2 or (cap is not None and _tokens(scaffold, stretch.marks) <= cap):
            continue
        units = scaffold.units(stretch)
        for low in range(0, count, SPAN):
            high = min(low + SPAN, count)
            if held + high - low > SPAN:
                yield flush()
                waiting, held = [], 0
            waiting.append((index, low, high, units))
            held += high - low
    if waiting:
        yield flush()


def _tokens(scaffold: Scaffold, marks: Sequence[int]) -> int:
    return scaffold.columns.left[marks[0]] + scaffold.columns.right[marks[-1]]


@dataclass
class Usual:
    """What is usual in a document so far: the mean pairwise cosine of its units, and how many have no direction.

    Of a document that fits in one batch it is the mean over the whole; of a longer one a running mean, so that
    memory stays bounded.
    """

    total: NDArray[np.float64] | None = None
    count: int = 0
    own: float = 0.0
    lost: int = field(default=0)

    def add(self, vectors: NDArray[np.float64]) -> None:
        """Take more units into account."""
        here = vectors.sum(axis=0)
        squares = np.einsum("ij,ij->i", vectors, vectors)
        self.total = here if self.total is None else self.total + here
        self.count += len(vectors)
        self.own += float(squares.sum())
        self.lost += int((squares == 0).sum())

    @property
    def pairwise(self) -> float:
        """Mean cosine of two different units; 0 where there are not two."""
        if self.total is None or self.count < 2:
            return 0.0
        return (float(self.total @ self.total) - self.own) / (self.count * (self.count - 1))

    def to(self, intents: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 (M,), mean cosine of each intent to the units."""
        if self.total is None:
            return np.zeros(len(intents))
        mean: NDArray[np.float64] = intents @ (self.total / self.count)
        return mean

    def reasons(self) -> list[str]:
        """What was given up, for the notes."""
        if not self.lost:
            return []
        return [f"{self.lost} of {self.count} units have a vector of zeros: nothing was learnt from them"]
