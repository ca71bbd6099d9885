"""A text's word pieces as vectors that have read what stands around them, and their means over spans.

Günther et al., "Late Chunking: Contextual Chunk Embeddings Using Long-Context Embedding Models", 2024,
https://arxiv.org/abs/2409.04701, section 3: the whole text goes through the encoder, and a chunk's vector is the mean
of the states of its word pieces. Departures: a text that is longer than the model reads goes through in windows that
overlap by a fifth, and where they do a piece's state is the mean of both, each weighing by how far the piece is from
the edge of its window (the paper drops the later window's states there); words may be put before every window
(title, headings), which are read and not pooled; a piece belongs to the span in which it begins, so that spans that
tile a text share its pieces out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pieces", "TokenEmbedder", "TokenVectors", "pooled", "read", "slices", "windows"]

SHARED = 5  # one in so many pieces of a window stands in the next one too
HELD = 32  # windows whose states are held at once
FRONT = 8  # one in so many pieces of a window may be taken by the words before it
SLICE = 100_000  # code points that are divided into pieces at once


class Pieces(NamedTuple):
    """The word pieces of a text.

    Args:
        ids: int64 (t,), their numbers in the vocabulary.
        at: int64 (t,), first code point of each, never descending.
    """

    ids: NDArray[np.int64]
    at: NDArray[np.int64]


class TokenVectors(NamedTuple):
    """The states of some neighbouring word pieces of a text.

    Args:
        at: int64 (t,), first code point of each piece in the text, never descending.
        rows: float32 (t, d).
        weight: float64 (t,), above 0; over all windows of a text the weights of a piece add up to 1.
    """

    at: NDArray[np.int64]
    rows: NDArray[np.float32]
    weight: NDArray[np.float64]


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder whose vectors are means of states, and which shows them."""

    def token_vectors(
        self, texts: Sequence[str], *, before: Sequence[str] | None = None
    ) -> Iterator[tuple[int, TokenVectors]]:
        """(index of the text, the states of one window of it), texts and windows in order.

        Args:
            texts: of any length; one without word pieces has no window.
            before: words that are read before each window of a text; they are not among its pieces.
        """


def windows(count: int, room: int) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """Half-open windows over `count` pieces, of at most `room` each, and each piece's sum of edge distances.

    Windows are as long as they may be, the last one too, and share a fifth with the next one at least. A piece
    stands `min(from the left edge, from the right edge)` inside a window, counted from 1; an edge that is the text's
    own end is none.
    """
    if count <= room:
        return ([(0, count)] if count else []), np.ones(count)
    step = max(1, room - max(1, room // SHARED))
    starts = [*range(0, count - room, step), count - room]
    found = [(start, start + room) for start in starts]
    total = np.zeros(count)
    for low, high in found:
        total[low:high] += edge(low, high, count)
    return found, total


def edge(low: int, high: int, count: int) -> NDArray[np.float64]:
    """float64 (high - low,): how far each piece of a window is from its edges; 1 everywhere in an only window."""
    place = np.arange(low, high)
    left = place - low + 1 if low else np.full(high - low, high - low)
    right = high - place if high < count else np.full(high - low, high - low)
    return np.minimum(left, right).astype(np.float64) if low or high < count else np.ones(high - low)


def slices(text: str) -> Iterator[tuple[int, int]]:
    """The text in slices of at most `SLICE`, divided where white space ends, so that no word is cut where one ends."""
    at = 0
    while at < len(text):
        end = min(at + SLICE, len(text))
        if end < len(text):
            cut = max(text.rfind(" ", at + 1, end), text.rfind("\n", at + 1, end))
            end = cut if cut > 0 else end
        yield at, end
        at = end


def read(
    texts: Sequence[str],
    before: Sequence[str] | None,
    *,
    pieces: Callable[[str], Pieces],
    states: Callable[[list[list[int]]], Sequence[NDArray[np.float32]]],
    marks: tuple[Sequence[int], Sequence[int]],
    limit: int,
) -> Iterator[tuple[int, TokenVectors]]:
    """What `TokenEmbedder.token_vectors` gives, from a tokenizer and a network.

    Args:
        texts: see there.
        before: see there; cut to an eighth of a window.
        pieces: a text's word pieces, without marks.
        states: rows of ids -> float32 (len(row), d) each, one row independent of the others.
        marks: ids in front of and behind every row.
        limit: ids of a row at most, marks among them.
    """
    waiting: list[tuple[int, list[int], int, NDArray[np.int64], NDArray[np.float64]]] = []

    def flush() -> Iterator[tuple[int, TokenVectors]]:
        found = states([row for _, row, _, _, _ in waiting])
        for (text, _, skip, at, weight), rows in zip(waiting, found, strict=True):
            yield text, TokenVectors(at, rows[skip : skip + len(at)], weight)
        waiting.clear()

    for index, text in enumerate(texts):
        front = [*marks[0]]
        if before is not None and before[index]:
            front += pieces(before[index]).ids[: limit // FRONT].tolist()
        ids, at = pieces(text)
        spans, total = windows(len(ids), limit - len(front) - len(marks[1]))
        for low, high in spans:
            weight = edge(low, high, len(ids)) / total[low:high]
            waiting.append((index, [*front, *ids[low:high].tolist(), *marks[1]], len(front), at[low:high], weight))
            if len(waiting) == HELD:
                yield from flush()
    if waiting:
        yield from flush()


def pooled(
    parts: Iterator[TokenVectors], start: NDArray[np.int64], end: NDArray[np.int64], dim: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of the states of the pieces that begin in each span, and how many pieces that are.

    Args:
        parts: the windows of one text.
        start: int64 (n,), first code point of each span, never descending.
        end: int64 (n,), one past the last, never descending.
        dim: d.

    Returns:
        float64 (n, d) and (n,), 0 for a span without pieces.
    """
    sums, mass = np.zeros((len(start), dim)), np.zeros(len(start))
    for part in parts:
        first = int(np.searchsorted(end, part.at[0], side="right"))
        last = int(np.searchsorted(start, part.at[-1], side="right"))
        low, high = np.searchsorted(part.at, start[first:last]), np.searchsorted(part.at, end[first:last])
        run = np.zeros((len(part.at) + 1, dim))
        np.cumsum(part.rows * part.weight[:, None], axis=0, out=run[1:])
        many = np.concatenate(([0.0], np.cumsum(part.weight)))
        sums[first:last] += run[high] - run[low]
        mass[first:last] += many[high] - many[low]
    return sums, mass
