"""How far a source is trusted, and how much room it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.types import Hit

__all__ = ["over_cap", "source_of", "trust"]


def source_of(hit: Hit, key: str = "") -> str:
    """Where a hit comes from: a metadata value of its document, or the document's id where the key is not there."""
    value = hit.document.metadata.get(key) if key else None
    return str(value) if value not in (None, "") else hit.doc


def trust(hit: Hit, table: Mapping[str, float], key: str = "") -> float:
    """The weight of the first pattern of the table that a hit's source or document id fits; 1 where none does.

    Args:
        hit: the hit.
        table: patterns with `*` and `?`, in order, and their weights; case counts.
        key: metadata key of the source.
    """
    names = (source_of(hit, key), hit.doc)
    for pattern, weight in table.items():
        if any(fnmatchcase(name, pattern) for name in names):
            return weight
    return 1.0


def over_cap(hits: Sequence[Hit], most: int, key: str = "") -> list[int]:
    """Places of the hits that come after the first `most` of their source, in order."""
    seen: dict[str, int] = {}
    found = []
    for i, hit in enumerate(hits):
        name = source_of(hit, key)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > most:
            found.append(i)
    return found
