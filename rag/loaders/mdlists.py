"""Lists in Markdown: items, their nesting, and the fences in them."""

from __future__ import annotations

import re
from typing import Protocol

from rag.doctree import CODE

__all__ = ["ITEM", "read_list"]

ITEM = re.compile(r"([-+*]|(\d{1,9})[.)])([ \t]++|$)")
FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
RULE = re.compile(r"([-*_])[ \t]*+(?:\1[ \t]*+){2,}$")
LIST = CODE["list"]


class Scan(Protocol):
    """What is read of a scan over lines."""

    size: int
    full: list[bool]
    lead: list[int]
    indent: list[int]
    first: list[int]
    end: list[int]
    next_full: list[int]

    def row(self, i: int, /) -> str:
        """Line i without its indent."""

    def add(self, first: int, last: int, kind: int, level: int = 0, inner: tuple[int, int] | None = None) -> int:
        """Note a block."""

    def fence(self, i: int, level: int, found: re.Match[str], base: int) -> int:
        """Note a fence; the line behind it."""

    def interrupts(self, j: int, /) -> bool:
        """Whether line j ends the paragraph before it."""


def read_list(scan: Scan, i: int) -> int:
    """Note the items of the list that begins at line i, and of the lists in it; the line behind it."""
    return _List(scan, i).read()


class _List:
    """One outermost list; `columns` holds where the content of each open item begins."""

    def __init__(self, scan: Scan, i: int) -> None:
        self.scan, self.i = scan, i
        self.columns: list[int] = []
        self.first = i  # first line of the open block
        self.last = -1  # its last full line so far; -1 where no block is open
        self.level = 0
        self.mark = 0  # where its content begins

    def read(self) -> int:
        scan = self.scan
        while self.i < scan.size:
            fresh = self.last < 0
            if not scan.full[self.i]:
                if self._skip():
                    break
                fresh = True
            i = self.i
            depth = len(self.columns)
            while depth and scan.indent[i] < self.columns[depth - 1]:
                depth -= 1
            base = self.columns[depth - 1] if depth else 0
            row = scan.row(i) if scan.lead[i] < 128 else ""
            near = scan.indent[i] - base < 4
            # an item without content cannot interrupt a paragraph
            free = fresh or depth < len(self.columns) or self.last == self.first
            if near and (found := ITEM.match(row)) and not RULE.match(row) and (free or found.end() < len(row)):
                self._item(found, row, depth)
                continue
            if depth < len(self.columns) and (fresh or scan.interrupts(i)):
                if depth == 0:
                    break
                del self.columns[depth:]
            if near and depth == len(self.columns) and (found := FENCE.match(row)):
                self._close()
                self.i = scan.fence(i, depth, found, base)
                self.level = max(depth - 1, 0)
                continue
            if self.last < 0:
                self.first, self.mark = i, scan.first[i]
            self.last = i
            self.i += 1
        self._close()
        return self.i

    def _skip(self) -> bool:
        """Pass over blank lines; whether the list ends with them."""
        scan, columns = self.scan, self.columns
        if columns and self.last == self.first and self.mark >= scan.end[self.first]:
            columns.pop()  # an item may begin with one blank line only
        self.i = scan.next_full[self.i]
        if self.i >= scan.size:
            return True
        row = scan.row(self.i)
        item = scan.indent[self.i] < 4 and ITEM.match(row) and not RULE.match(row)
        return not item and (not columns or scan.indent[self.i] < columns[0])

    def _item(self, found: re.Match[str], row: str, depth: int) -> None:
        """Open an item, and pass over a fence that begins right behind its mark."""
        scan, i = self.scan, self.i
        self._close()
        del self.columns[depth:]
        self.columns.append(_content(found, scan.indent[i], row))
        self.level = depth
        self.first = self.last = i
        self.mark = scan.first[i] + found.end()
        self.i = i + 1
        if fence := FENCE.match(row[found.end() :]):
            mark = fence[1] or fence[2]
            j = i + 1
            while j < scan.size and (not scan.full[j] or scan.indent[j] >= self.columns[-1]):
                j += 1
                line = scan.row(j - 1).rstrip()
                if line.startswith(mark) and not line.strip(mark[0]):
                    break
            while not scan.full[j - 1]:
                j -= 1
            self.last, self.i = j - 1, j

    def _close(self) -> None:
        if self.last >= 0:
            self.scan.add(self.first, self.last, LIST, self.level, (self.mark, self.scan.end[self.last]))
        self.last = -1


def _content(found: re.Match[str], indent: int, row: str) -> int:
    """Column at which the content of a list item begins."""
    width = indent + len(found[1])
    gap = len((" " * (width % 4) + found[3]).expandtabs(4)) - width % 4
    return width + (gap if 1 <= gap <= 4 and found.end() < len(row) else 1)
