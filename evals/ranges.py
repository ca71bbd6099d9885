"""Half-open ranges of code points: union, overlap and what is left over, in linear time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["by_document", "cut", "left", "length", "merge", "overlap"]

Range = tuple[int, int]


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same characters as ordered, disjoint ranges that do not touch; empty ones are left out."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def length(ranges: Iterable[Range]) -> int:
    """Characters in all ranges together; what overlaps counts twice."""
    return sum(end - start for start, end in ranges)


def cut(a: Sequence[Range], b: Sequence[Range]) -> list[Range]:
    """The characters in both; `a` and `b` as `merge` gives them."""
    found: list[Range] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            found.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return found


def overlap(a: Sequence[Range], b: Sequence[Range]) -> int:
    """How many characters are in both; `a` and `b` as `merge` gives them."""
    return length(cut(a, b))


def left(a: Sequence[Range], b: Sequence[Range]) -> list[Range]:
    """The characters of `a` that are not in `b`; both as `merge` gives them."""
    found: list[Range] = []
    for start, end in a:
        at = start
        for s, e in cut([(start, end)], b):
            if s > at:
                found.append((at, s))
            at = e
        if at < end:
            found.append((at, end))
    return found


def by_document(spans: Iterable[Sequence[Any]]) -> Mapping[str, list[Range]]:
    """Merged ranges of `(doc, start, end)` triples, by document."""
    found: dict[str, list[Range]] = {}
    for doc, start, end in spans:
        found.setdefault(str(doc), []).append((int(start), int(end)))
    return {doc: merge(ranges) for doc, ranges in found.items()}
