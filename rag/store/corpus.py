"""What a retriever sees: the leaves of every tree as arrays, and a place to keep its own arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rag.doctree import DocTree
from rag.types import Hit, Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Corpus", "MemoryPart", "Part", "Store", "in_memory"]


class Part(Protocol):
    """The arrays one retriever keeps in one generation of an index."""

    @property
    def old(self) -> Part | None:
        """The same part in the generation before, or None; see `Corpus.reuse`."""

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Keep an array under a name (letters, digits, `-` and `_`)."""

    def load(self, name: str) -> NDArray[Any]:
        """The array, read-only; mapped from disk where the index is a folder."""

    def save_json(self, name: str, value: Any) -> None:
        """Keep JSON values under a name."""

    def load_json(self, name: str) -> Any:
        """The JSON value."""

    def path(self, name: str) -> Path | None:
        """Where a library may write a file of its own; None for an index in memory."""


@dataclass
class MemoryPart:
    """A `Part` that lives in memory."""

    old: MemoryPart | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Keep an array; it is made read-only."""
        array = np.ascontiguousarray(array)
        array.setflags(write=False)
        self.values[name] = array

    def load(self, name: str) -> NDArray[Any]:
        """The array that was kept."""
        return self.values[name]  # type: ignore[no-any-return]

    def save_json(self, name: str, value: Any) -> None:
        """Keep a JSON value."""
        self.values[name] = value

    def load_json(self, name: str) -> Any:
        """The JSON value that was kept."""
        return self.values[name]

    def path(self, name: str) -> Path | None:
        """No files here."""
        return None


@dataclass(frozen=True, eq=False)
class Corpus:
    """The leaves of all documents, in document order.

    Args:
        doc_ids: id of each document, by ordinal.
        metadata: metadata of each document, by ordinal.
        doc: int32 (n,), ordinal of each leaf's document; non-decreasing.
        node: int32 (n,), index of the leaf in its document's tree.
        reuse: int64 (n,), index of the same leaf (same text, same path) in the generation before, -1 where
            it is new; lets `build` copy what it computed last time.
        tree: ordinal -> DocTree; may read from disk, keeps the recent ones.
    """

    doc_ids: Sequence[str]
    metadata: Sequence[Mapping[str, Any]]
    doc: NDArray[np.int32]
    node: NDArray[np.int32]
    reuse: NDArray[np.int64]
    tree: Callable[[int], DocTree]

    def __len__(self) -> int:
        return len(self.doc)

    @cached_property
    def ordinals(self) -> Mapping[str, int]:
        """Document id -> ordinal."""
        return {doc_id: i for i, doc_id in enumerate(self.doc_ids)}

    def texts(self, leaves: Sequence[int] | NDArray[np.int64] | None = None, *, path: bool = False) -> Iterator[str]:
        """Text of the given leaves (default all), one after the other.

        Args:
            leaves: indices into this corpus, ascending where reading should be cheap.
            path: put the document's title and the headings above the leaf in front, as retrievers
                and rankers like to see it (`indexed_text`).
        """
        chosen = range(len(self)) if leaves is None else leaves
        for leaf in chosen:
            tree = self.tree(int(self.doc[leaf]))
            node = tree[int(self.node[leaf])]
            yield indexed_text(tree, int(self.node[leaf])) if path else node.text

    def mask(self, query: Query) -> NDArray[np.bool_] | None:
        """bool (n,), the leaves a restricted query may use; None when it may use all."""
        if not query.restricted:
            return None
        allowed = np.zeros(len(self.doc_ids), dtype=bool)
        if query.scope is not None and not query.filters:
            allowed[[self.ordinals[d] for d in query.scope if d in self.ordinals]] = True
        else:
            allowed[:] = [query.allows(d, m) for d, m in zip(self.doc_ids, self.metadata, strict=True)]
        return allowed[self.doc]

    def hit(self, leaf: int, score: float, stage: str) -> Hit:
        """The leaf as a hit of the named stage."""
        tree = self.tree(int(self.doc[leaf]))
        node = int(self.node[leaf])
        span = (int(tree.start[node]), int(tree.end[node]))
        return Hit(tree, node, (span,), score, {stage: score})

    def hits(self, leaves: NDArray[Any], scores: NDArray[Any], stage: str) -> tuple[Hit, ...]:
        """`hit` for each of many leaves, in their order, at about half the cost."""
        found = []
        places = zip(self.doc[leaves].tolist(), self.node[leaves].tolist(), scores.tolist(), strict=True)
        for doc, node, score in places:
            tree = self.tree(doc)
            found.append(Hit(tree, node, ((tree.start.item(node), tree.end.item(node)),), score, {stage: score}))
        return tuple(found)


class Store(Protocol):
    """An opened index."""

    @property
    def corpus(self) -> Corpus:
        """Its leaves."""

    def part(self, key: str) -> Part:
        """The arrays kept under a key; StoreMismatch when there are none."""


def indexed_text(tree: DocTree, node: int) -> str:
    """The document's title and the headings above a node, then its text.

    Lines are joined by newlines; a heading that the text itself begins with is not said twice.
    """
    view = tree[node]
    heads = [h for h in (tree.document.title, *view.path) if h]
    lines = [h for i, h in enumerate(heads) if h not in heads[:i]]
    body = view.text
    if lines and body.lstrip("#=* \t\r\n\ufeff").startswith(lines[-1]):
        lines.pop()
    return "\n".join((*lines, body))


@dataclass(frozen=True, eq=False)
class MemoryStore:
    """A `Store` that lives in memory; made by `in_memory`."""

    corpus: Corpus
    parts: dict[str, MemoryPart] = field(default_factory=dict)

    def part(self, key: str) -> MemoryPart:
        """The part under a key, made when it is not there yet."""
        return self.parts.setdefault(key, MemoryPart())


def in_memory(trees: Sequence[DocTree]) -> MemoryStore:
    """A store over trees at hand; retrievers build into its parts."""
    sizes = [len(t.leaf_ids) for t in trees]
    doc = np.repeat(np.arange(len(trees), dtype=np.int32), sizes)
    nodes = [t.leaf_ids for t in trees] or [np.zeros(0, dtype=np.int64)]
    corpus = Corpus(
        doc_ids=[t.document.id for t in trees],
        metadata=[t.document.metadata for t in trees],
        doc=doc,
        node=np.concatenate(nodes).astype(np.int32),
        reuse=np.full(len(doc), -1, dtype=np.int64),
        tree=trees.__getitem__,
    )
    return MemoryStore(corpus)
