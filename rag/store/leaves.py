"""The leaves of a generation as arrays, and which of them the generation before had too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.store.codec import KEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Leaves", "gather", "reused"]


@dataclass(frozen=True)
class Leaves:
    """Every leaf of a generation, in order of document id and source position.

    Args:
        row: int64 (d,), what identifies the version of each document.
        doc: int32 (n,), ordinal of each leaf's document.
        node: int32 (n,), index of the leaf in its tree.
        keys: uint64 (n, 2), content keys, see `rag.store.codec.leaf_keys`.
    """

    row: NDArray[np.int64]
    doc: NDArray[np.int32]
    node: NDArray[np.int32]
    keys: NDArray[np.uint64]


def gather(rows: Sequence[int], leaves: Sequence[bytes], keys: Sequence[bytes]) -> Leaves:
    """Join the leaves of documents, given one after the other.

    Args:
        rows: what identifies each document's version.
        leaves: for each document its leaves as packed int32.
        keys: for each document its keys, 16 bytes a leaf.
    """
    sizes = np.fromiter((len(one) // 4 for one in leaves), dtype=np.int64, count=len(leaves))
    return Leaves(
        row=np.asarray(rows, dtype=np.int64).reshape(-1),
        doc=np.repeat(np.arange(len(rows), dtype=np.int32), sizes),
        node=np.frombuffer(b"".join(leaves), dtype="<i4").astype(np.int32, copy=False),
        keys=np.frombuffer(b"".join(keys), dtype=KEY).reshape(-1, 2),
    )


def reused(new: Leaves, old: Leaves) -> NDArray[np.int64]:
    """int64 (n,), for each leaf the same leaf before, -1 where there was none.

    Documents that did not change map one to one. Any other leaf maps to the first leaf before
    with its content key, so a paragraph that moved, or a file that was renamed, is found too.
    """
    found = np.full(len(new.doc), -1, dtype=np.int64)
    starts_new, starts_old = _starts(new), _starts(old)
    at: Mapping[int, int] = {row: i for i, row in enumerate(old.row.tolist())}
    for i, row in enumerate(new.row.tolist()):
        if row in at:
            first = starts_old[at[row]]
            found[starts_new[i] : starts_new[i + 1]] = np.arange(first, starts_old[at[row] + 1])
    open_ = np.flatnonzero(found < 0)
    if len(open_) and len(old.keys):
        before = _joined(old.keys)
        order = np.argsort(before, kind="stable")  # so that the first of equals is the earliest leaf
        table = before[order]
        wanted = _joined(new.keys[open_])
        place = np.searchsorted(table, wanted)
        place_ok = np.minimum(place, len(table) - 1)
        same = table[place_ok] == wanted
        found[open_[same]] = order[place_ok[same]]
    return found


def _starts(leaves: Leaves) -> NDArray[np.int64]:
    return np.searchsorted(leaves.doc, np.arange(len(leaves.row) + 1)).astype(np.int64)


def _joined(keys: NDArray[np.uint64]) -> NDArray[np.void]:
    """Both halves as one comparable value."""
    return np.ascontiguousarray(keys.astype(">u8")).view("V16").reshape(-1)
