"""Structure of source code: functions, classes, long branches, and the lines between them.

A definition opens a section (`function`, `class`): its block holds the comments, decorators and doc string that
describe it, and its signature; what follows are blocks of code, one a paragraph. In long functions a long branch or
loop opens one too (`group`), with its head line as title. Code behind an inner definition opens a `group` without a
title, so that it does not seem to belong to it. Nothing is rendered: every block is whole lines of the text.

Syntax trees come from tree-sitter (extra `code`). Without it Python is read by the `ast` module, and other
languages as paragraphs of code. Text that does not parse is read as far as it does.
"""

from __future__ import annotations

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.codemarks import Mark, Source, marks_of

__all__ = ["scan"]

DEEPEST = 6  # definitions inside definitions that open sections
GROUP, CODED = CODE["group"], CODE["code"]
CLOSING = frozenset("})]>;, \t")
WORDS = frozenset(("end", "fi", "done", "esac", "};", "})", "});"))


def scan(text: str, media_type: str) -> Blocks:
    """Find the blocks of source code.

    Args:
        text: any text; line ends of every system.
        media_type: one of `rag.loaders.languages.LANGUAGES`; others are read as paragraphs.

    Returns:
        Blocks of kinds function, class, group and code, from the start of a line to the end of one. Those of the
        first three open sections of their `level`; `inner` is the section's title, empty where it has none.
    """
    if not text.strip():
        return Blocks.of(())
    scanner = _Scan(text)
    return scanner.blocks(_nested(marks_of(scanner, media_type)))


class _Scan(Source):
    """The lines of a text, and the blocks found so far."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.rows: list[tuple[int, int, int, int, tuple[int, int]]] = []

    def add(self, first: int, last: int, kind: int, level: int, inner: tuple[int, int] | None) -> None:
        """Note a block of whole lines without the blank ones around it."""
        while first < last and not self.full[first]:
            first += 1
        while last > first and not self.full[last]:
            last -= 1
        if self.full[first]:
            whole = (self.first[first], self.end[last])
            self.rows.append((first, last, kind, level, whole if inner is None else inner))

    def code(self, first: int, last: int) -> None:
        """Note lines of code, a block a paragraph."""
        least, begin = 1 << 30, first
        for i in range(first, last + 1):
            if not self.full[i]:
                continue
            if i > begin and not self.full[i - 1] and self.indent[i] <= least:
                self.add(begin, i - 1, CODED, 0, None)
                begin = i
            least = min(least, self.indent[i])
        if begin <= last:
            self.add(begin, last, CODED, 0, None)

    def closes(self, first: int, last: int) -> bool:
        """Whether lines hold nothing but what closes blocks."""
        rows = (self.row(i).strip() for i in range(first, last + 1) if self.full[i])
        return all(not set(row) - CLOSING or row in WORDS for row in rows)

    def blocks(self, marks: list[Mark]) -> Blocks:
        """All blocks, given the outermost marks."""
        self._fill(0, len(self.start) - 1, marks, 1)
        if not self.rows:
            return Blocks.of(())
        columns = list(zip(*self.rows, strict=True))
        first, last = np.array(columns[0]), np.array(columns[1])
        kind, level = np.array(columns[2], dtype=np.uint8), np.array(columns[3], dtype=np.int16)
        inner = np.array(columns[4], dtype=np.int64).reshape(-1, 2)
        return Blocks(self.starts[first], np.array(self.end, dtype=np.int64)[last], kind, level, inner)

    def _fill(self, first: int, last: int, marks: list[Mark], level: int) -> None:
        """Note the blocks of a range of lines: its marks and what stands between them."""
        opened = False
        at = first
        for mark in marks:
            if mark.first > at:
                self._between(at, mark.first - 1, level, opened)
            opened = True
            self.add(mark.first, mark.head, mark.kind, level, mark.title)
            if mark.head < mark.last:
                self._fill(mark.head + 1, mark.last, mark.inside, level + 1)
            at = mark.last + 1
        if at <= last:
            self._between(at, last, level, opened)

    def _between(self, first: int, last: int, level: int, opened: bool) -> None:
        while first <= last and not self.full[first]:
            first += 1
        if first > last:
            return
        if opened and self.closes(first, last):
            a, _, kind, deep, inner = self.rows[-1]
            whole = kind == CODED
            self.rows[-1] = (a, last, kind, deep, (inner[0], self.end[last]) if whole else inner)
            while not self.full[self.rows[-1][1]]:
                self.rows[-1] = (a, self.rows[-1][1] - 1, kind, deep, self.rows[-1][4])
            return
        if opened:  # it belongs to none of the definitions before
            head = first
            while head < last and self.full[head + 1]:
                head += 1
            self.add(first, head, GROUP, level, (self.first[first], self.first[first]))
            first = head + 1
        if first <= last:
            self.code(first, last)


def _nested(marks: list[Mark]) -> list[Mark]:
    """The outermost marks, with the others inside them; marks that share lines with a neighbour are left out."""
    outer: list[Mark] = []
    open_: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.first, -m.last)):
        while open_ and open_[-1].last < mark.first:
            open_.pop()
        if len(open_) >= DEEPEST or (open_ and (mark.first <= open_[-1].first or mark.last > open_[-1].last)):
            continue
        row = open_[-1].inside if open_ else outer
        if row and row[-1].last >= mark.first:
            continue
        if open_:
            open_[-1].head = min(open_[-1].head, mark.first - 1)
        row.append(mark)
        open_.append(mark)
    return outer
