"""The units that evidence is chosen by: sentences, list items, table rows, each an exact range.

Sentences come by rule; within a sentence that spans lines, a list item or a table row is a unit of
its own. A table row needs the header rows above it: a row without its header says nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rag.sentences import sentence_spans
from rag.types import Hit

__all__ = ["Unit", "cut", "units"]

LINE = re.compile(r"[^\n]*\n?")
ITEM = re.compile(r"[^\S\n]*(?:[-*+•‣◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[^\S\n]+\S")
ROW = re.compile(r"[^\S\n]*\|")
RULE = re.compile(r"[^\S\n]*\|?[^\S\n]*:?-{2,}[-:|\s]*$")
CLAUSE = re.compile(r"(?<=[,;:—–])\s+")


class Unit(NamedTuple):
    """One range of one hit.

    Args:
        hit: position of the hit among the hits given.
        start: first code point in the document.
        end: one past the last.
        needs: range of the table's header rows that must be kept with it, or None.
    """

    hit: int
    start: int
    end: int
    needs: tuple[int, int] | None = None


def units(hits: Iterable[Hit]) -> list[Unit]:
    """The units of all hits, in the order given; what an earlier hit holds is not given again.

    Units of one hit are in source order; blank ones are left out. Linear in the text, but for
    overlapping hits.
    """
    found: list[Unit] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for i, hit in enumerate(hits):
        text, seen = hit.document.text, taken.setdefault(hit.doc, [])
        for start, end in hit.spans:
            near = [one for one in seen if one[1] > start and one[0] < end]
            for a, b, needs in cut(text, start, end):
                for free in _outside(a, b, near) if near else ((a, b),):
                    if text[free[0] : free[1]].strip():
                        found.append(Unit(i, *free, needs))  # noqa: PERF401 - a nested comprehension reads worse
        seen.extend(hit.spans)
    return found


def cut(text: str, start: int, end: int) -> Iterator[tuple[int, int, tuple[int, int] | None]]:
    """Sentences, list items and table rows of a range, as `(start, end, needs)`; they tile it."""
    header: tuple[int, int] | None = None
    for first, last in sentence_spans(text, start, end):
        if "\n" not in text[first : last - 1]:
            yield first, last, None
            continue
        lines = [(m.start(), m.end()) for m in LINE.finditer(text, first, last) if m.end() > m.start()]
        begin, i = first, 0
        while i < len(lines):
            a, b = lines[i]
            row = ROW.match(text, a, b)
            if not row:
                header = None
                if ITEM.match(text, a, b) and a > begin:
                    yield begin, a, None
                    begin = a
                i += 1
                continue
            if a > begin:
                yield begin, a, None
            if header is None and i + 1 < len(lines) and RULE.match(text[slice(*lines[i + 1])].rstrip()):
                i += 1
                header = (a, lines[i][1])
                yield *header, None
            else:
                yield a, b, header
            i += 1
            begin = lines[i - 1][1]
        if begin < last:
            yield begin, last, None


def clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A range cut behind its commas, semicolons, colons and dashes; the pieces tile it."""
    cuts = [start, *(m.end() for m in CLAUSE.finditer(text, start, end) if m.end() < end), end]
    return list(itertools.pairwise(cuts))


def _outside(start: int, end: int, taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a range lies in none of the taken ones."""
    free = [(start, end)]
    for a, b in taken:
        if b > start and a < end:
            free = [p for s, e in free for p in ((s, min(e, a)), (max(s, b), e)) if p[0] < p[1]]
    return free
