"""Vectors of leaves pooled from the states of what they stand in, not from the leaf read alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from rag.errors import ConfigError
from rag.models.embed import unit
from rag.models.late import TokenVectors, pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree
    from rag.store.corpus import Corpus, Part

__all__ = ["Reads", "Stretch", "checked_reader", "late_vectors", "stretches"]

Reads = Literal["leaf", "section", "document"]
FILLED = 0.8  # of a window in word pieces is as much text as fits, counted in the tree's tokens
TOGETHER = 1_000_000  # characters of stretches that are read at once: bounds memory, decides no vector


class Stretch(NamedTuple):
    """Neighbouring leaves that are read together.

    Args:
        low: the first leaf, by its place among the document's leaves.
        high: one past the last.
        start: first code point of the document that is read.
        end: one past the last.
        before: title and headings above, read in front.
    """

    low: int
    high: int
    start: int
    end: int
    before: str


def checked_reader(embedder: Any, by: str) -> None:
    """See by type and settings, without opening weights, that an embedder shows its states.

    Raises:
        ConfigError: it does not.
    """
    if not callable(getattr(type(embedder), "token_vectors", None)):
        raise ConfigError(
            f"{by}: reads: needs an embedder with token vectors, such as {{use: embedders/onnx, pooling: mean}}, got"
            f" {type(embedder).__name__}. Take one, or say reads: leaf."
        )
    if getattr(embedder, "pooling", "mean") != "mean":
        raise ConfigError(
            f"{by}: reads: needs an embedder whose vector is the mean of its states, got pooling"
            f" {embedder.pooling!r}. Say pooling: mean, or reads: leaf."
        )


def stretches(tree: DocTree, reads: Reads, room: int, *, path: bool) -> list[Stretch]:
    """What is read together: all leaves, or those of the highest section that has at most `room` tokens.

    Leaves whose own section is longer are read with their neighbours in it.

    Args:
        tree: a document's tree.
        reads: `section` or `document`.
        room: tokens of the tree's tokenizer; four characters are taken for one where it did not count.
        path: read the document's title and the headings above in front.
    """
    leaves = tree.leaf_ids
    inner = np.ones(len(tree), dtype=bool)
    inner[leaves] = False
    size = np.where(tree.tokens >= 0, tree.tokens, (tree.end - tree.start) // 4)
    over: list[int] = []  # of each node the one it is read with
    for node, above in enumerate(tree.parent.tolist()):
        if above >= 0 and size[over[above]] <= room:
            over.append(over[above])
        else:
            over.append(node if inner[node] and size[node] <= room else max(above, 0))
    found = []
    low = 0
    for node, row in groupby(leaves.tolist(), key=lambda leaf: 0 if reads == "document" else over[leaf]):
        some = list(row)
        high = low + len(some)
        start, end = int(tree.start[some[0]]), int(tree.end[some[-1]])
        found.append(Stretch(low, high, start, end, _before(tree, node, start) if path else ""))
        low = high
    return found


def _before(tree: DocTree, node: int, start: int) -> str:
    """Title and headings above, each once; one that the text itself begins with is not said twice."""
    lines = list(dict.fromkeys(head for head in (tree.document.title, *tree[node].path) if head))
    if lines and tree.document.text[start : start + 4096].lstrip("#=* \t\r\n\ufeff").startswith(lines[-1]):
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def late_vectors(
    embedder: Any, corpus: Corpus, reads: Reads, old: Part | None, *, path: bool
) -> tuple[NDArray[np.float32], NDArray[np.uint64]]:
    """The vector of every leaf: the mean of the states of its word pieces, scaled to length 1.

    A leaf without word pieces gets the vector of its own text. Where neither a leaf nor what it is read with has
    changed since the generation before, its vector is copied.

    Args:
        embedder: a `rag.models.late.TokenEmbedder` that is an `Embedder` too.
        corpus: the leaves.
        reads: `section` or `document`.
        old: the part of the generation before, with arrays `vectors` and `read-with`.
        path: see `stretches`.

    Returns:
        float32 (n, d), and uint64 (n,), which stands for all that each vector depends on.
    """
    out = np.empty((len(corpus), embedder.dim), dtype=np.float32)
    digests = np.empty(len(corpus), dtype=np.uint64)
    before = None if old is None else (old.load("vectors"), old.load("read-with"))
    waiting: list[tuple[int, DocTree, Stretch]] = []
    held = 0
    for first, tree, some in _documents(corpus, reads, int(FILLED * embedder.max_tokens), path=path):
        for one in some:
            rows = slice(first + one.low, first + one.high)
            digests[rows] = _digests(tree, one)
            known = corpus.reuse[rows]
            if before is not None and np.all(known >= 0) and np.array_equal(before[1][known], digests[rows]):
                out[rows] = before[0][known]
                continue
            waiting.append((first, tree, one))
            held += one.end - one.start
            if held >= TOGETHER:
                _read(embedder, waiting, out)
                waiting, held = [], 0
    _read(embedder, waiting, out)
    return out, digests


def _documents(corpus: Corpus, reads: Reads, room: int, *, path: bool) -> Iterator[tuple[int, DocTree, list[Stretch]]]:
    """(its first leaf in the corpus, its tree, what is read together) of each document with leaves."""
    bounds = np.flatnonzero(np.diff(corpus.doc, prepend=-1))
    for first in bounds.tolist():
        tree = corpus.tree(int(corpus.doc[first]))
        yield first, tree, stretches(tree, reads, room, path=path)


def _digests(tree: DocTree, one: Stretch) -> NDArray[np.uint64]:
    """For each leaf of a stretch a number over the words read and its place among them."""
    words = f"{len(one.before)}\0{one.before}{tree.document.text[one.start : one.end]}"
    base = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16)
    found = []
    for leaf in tree.leaf_ids[one.low : one.high].tolist():
        mine = base.copy()
        mine.update(f"\0{tree.start[leaf] - one.start}:{tree.end[leaf] - one.start}".encode())
        found.append(int.from_bytes(mine.digest()[:8], "big"))
    return np.array(found, dtype=np.uint64)


def _read(embedder: Any, waiting: Sequence[tuple[int, DocTree, Stretch]], out: NDArray[np.float32]) -> None:
    """Embed stretches and write the rows of their leaves."""
    texts = [tree.document.text[one.start : one.end] for _, tree, one in waiting]
    parts = embedder.token_vectors(texts, before=[one.before for _, _, one in waiting])
    seen = 0
    for index, some in groupby(parts, key=lambda part: part[0]):
        for empty in waiting[seen:index]:
            _pool(embedder, empty, iter(()), out)
        _pool(embedder, waiting[index], (part for _, part in some), out)
        seen = index + 1
    for empty in waiting[seen:]:
        _pool(embedder, empty, iter(()), out)


def _pool(
    embedder: Any, which: tuple[int, DocTree, Stretch], parts: Iterator[TokenVectors], out: NDArray[np.float32]
) -> None:
    first, tree, one = which
    leaves = tree.leaf_ids[one.low : one.high]
    start, end = tree.start[leaves], tree.end[leaves]
    sums, mass = pooled(parts, start - one.start, end - one.start, out.shape[1])
    rows = np.arange(first + one.low, first + one.high)
    full = (mass > 0) & np.any(sums != 0, axis=1)
    if full.any():
        out[rows[full]] = unit(sums[full].astype(np.float32), int(full.sum()), embedder.name)
    if not full.all():
        texts = [tree.document.text[a:b] for a, b in zip(start[~full].tolist(), end[~full].tolist(), strict=True)]
        out[rows[~full]] = embedder.embed(texts)
