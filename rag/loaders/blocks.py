"""Blocks of one document as arrays, which read like a sequence of `Block`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np

from rag.doctree import CODE, KINDS
from rag.types import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Blocks"]


@dataclass(frozen=True, eq=False)
class Blocks(Sequence[Block]):
    """The structure of a text, block by block: ordered, disjoint, with nothing but white space between.

    Args:
        start: int64 (n,), first code point of each block.
        end: int64 (n,), one past the last.
        kind: uint8 (n,), index into `rag.doctree.KINDS`.
        level: int16 (n,), heading level from 1, nesting depth of a list item from 0.
        inner: int64 (n, 2), range of the content without its marks.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.uint8]
    level: NDArray[np.int16]
    inner: NDArray[np.int64]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Blocks:
        """The same blocks as arrays; pages and boxes are left behind."""
        if isinstance(blocks, cls):
            return blocks
        rows = list(blocks)
        return cls(
            np.array([b.start for b in rows], dtype=np.int64),
            np.array([b.end for b in rows], dtype=np.int64),
            np.array([CODE[b.kind] for b in rows], dtype=np.uint8),
            np.array([b.level for b in rows], dtype=np.int16),
            np.array([b.inner for b in rows], dtype=np.int64).reshape(len(rows), 2),
        )

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[Block]:
        columns = (self.start, self.end, self.kind, self.level, self.inner)
        for start, end, kind, level, (a, b) in zip(*(c.tolist() for c in columns), strict=True):
            yield Block(start, end, KINDS[kind], level, (a, b))

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Blocks: ...
    def __getitem__(self, index: int | slice) -> Block | Blocks:
        if isinstance(index, slice):
            return Blocks(self.start[index], self.end[index], self.kind[index], self.level[index], self.inner[index])
        a, b = self.inner[index].tolist()
        return Block(
            int(self.start[index]), int(self.end[index]), KINDS[int(self.kind[index])], int(self.level[index]), (a, b)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
