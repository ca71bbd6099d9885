"""The trees read most recently, bounded by their size, and columns that are read when asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

from rag.doctree import DocTree
from rag.store.codec import unpack_document, unpack_tree

__all__ = ["CACHE_CHARACTERS", "Column", "TreeCache"]

CACHE_CHARACTERS = 100_000_000
NODE_COST = 64  # bytes of arrays a node, counted as characters
T = TypeVar("T")


class TreeCache:
    """Ordinal -> tree; keeps the trees asked for last while they fit.

    Args:
        load: ordinal -> (id, packed document, packed tree).
        limit: characters of text (and bytes of outline) to keep; one tree is always kept.
    """

    def __init__(self, load: Callable[[int], tuple[str, bytes, bytes]], limit: int = CACHE_CHARACTERS) -> None:
        self._load, self._limit = load, limit
        self._kept: OrderedDict[int, DocTree] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __call__(self, ordinal: int) -> DocTree:
        """The tree of one document."""
        try:
            tree = self._kept[ordinal]
            self._kept.move_to_end(ordinal)
        except KeyError:  # not kept, or another thread has just let it go
            return self._read(ordinal)
        return tree

    def _read(self, ordinal: int) -> DocTree:
        id_, document, packed = self._load(ordinal)
        tree = unpack_tree(unpack_document(id_, document), packed)
        with self._lock:
            if ordinal not in self._kept:
                self._kept[ordinal] = tree
                self._size += _cost(tree)
            while self._size > self._limit and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._size -= _cost(dropped)
        return tree


def _cost(tree: DocTree) -> int:
    return len(tree.document.text) + NODE_COST * len(tree)


class Column(Sequence[T], Generic[T]):
    """A sequence whose values are read on first use; its length is known before."""

    def __init__(self, size: int, load: Callable[[], Sequence[T]]) -> None:
        self._size, self._load = size, load

    @cached_property
    def _values(self) -> Sequence[T]:
        return self._load()

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> Any:
        return self._values[at]
