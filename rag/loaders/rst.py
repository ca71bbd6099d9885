"""Structure of reStructuredText, read from the text as it stands; nothing is rendered.

The rules are those of the reStructuredText Markup Specification, https://docutils.sourceforge.io/docs/ref/rst/. A
section's level comes from the order in which its adornments first appear. Descriptions of functions, classes and the
like (Sphinx's `.. function::`) open sections of kinds function and class; text behind them opens a `group`, so that it
does not seem to belong to them. Other directives give their content as blocks of its own.
"""

from __future__ import annotations

import re

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.lines import code_points, lines_of
from rag.loaders.rstnames import CLASSES, CODED, FLAT, LISTS, OBJECTS, PICTURES

__all__ = ["scan"]

ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")
EXPLICIT = re.compile(r"\.\.(?:[ \t]+|$)")
DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|]*\|[ \t]+)?([A-Za-z][\w.+:-]*?)[ \t]?::(?:[ \t]+|$)")
TARGET = re.compile(r"(?:\.\.[ \t]+_(?![ \t])|__[ \t]|\.\.[ \t]+index::)")
NOTE = re.compile(r"\.\.[ \t]+\[[^\]]+\](?:[ \t]|$)")
ITEM = re.compile(r"(?:[-*+•‣⁃]|\(?(?:\d{1,3}|#|[A-Za-z]|[ivxIVX]{1,5})[.)])(?:[ \t]+|$)")
FIELD = re.compile(r":(?![: ])(?:\\.|[^:\\])*?[^ ]:(?:[ \t]|$)")
GRID = re.compile(r"\+(?:[-=]+\+)+[ \t]*$")
SIMPLE = re.compile(r"=+(?:[ \t]+=+)+[ \t]*$")
DEEPEST = 40  # indents inside indents that are read
TEXT, HEADING, LIST, TABLE, CODE_, QUOTE, RULED, FIGURE, FOOTNOTE, FUNCTION, CLASS, GROUP, ASIDE = (
    CODE[k]
    for k in (
        *("text", "heading", "list", "table", "code", "quote", "rule", "figure", "footnote", "function", "class"),
        *("group", "supplement"),
    )
)


def scan(text: str) -> Blocks:
    """Find the blocks of a reStructuredText document.

    Args:
        text: any text; line ends of every system.

    Returns:
        Blocks from the start of a line to the end of one, with nothing but blank lines between.
    """
    return _Scan(text).run() if text.strip() else Blocks.of(())


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = lines_of(text, code_points(text))
        self.first: list[int] = self.lines.first.tolist()
        self.end: list[int] = self.lines.end.tolist()
        self.indent: list[int] = self.lines.indents(text).tolist()
        full = self.lines.first < self.lines.end
        self.full: list[bool] = full.tolist()
        size = len(full)
        where = np.where(full, np.arange(size), size)
        self.next_full: list[int] = [*np.minimum.accumulate(where[::-1])[::-1].tolist(), size]
        self.styles: dict[tuple[str, bool], int] = {}
        self.level = 0  # of the section that is open
        self.after: set[int] = set()  # levels at which a description has ended in this section
        self.rows: list[tuple[int, int, int, int, tuple[int, int]]] = []

    def run(self) -> Blocks:
        self._body(0, len(self.full), 0, 0, TEXT)
        if not self.rows:
            return Blocks.of(())
        columns = list(zip(*self.rows, strict=True))
        first, last = np.array(columns[0]), np.array(columns[1])
        inner = np.array(columns[4], dtype=np.int64).reshape(-1, 2)
        kind, level = np.array(columns[2], dtype=np.uint8), np.array(columns[3], dtype=np.int16)
        return Blocks(self.lines.start[first], self.lines.end[last], kind, level, inner)

    def row(self, i: int) -> str:
        """Line i without its indent."""
        return self.text[self.first[i] : self.end[i]]

    def add(self, first: int, last: int, kind: int, level: int = 0, inner: tuple[int, int] | None = None) -> int:
        """Note a block; the line behind it."""
        if kind not in (HEADING, FUNCTION, CLASS, GROUP, RULED) and (deep := self._closed()):
            at = self.first[first]
            self.rows.append((first, last, GROUP, deep, (at, at)))
            return last + 1
        whole = (self.first[first], self.end[last])
        self.rows.append((first, last, kind, level, whole if inner is None else inner))
        return last + 1

    def _closed(self) -> int:
        """The level of a description that has ended here, 0 where none has; it is told once."""
        if not self.after:
            return 0
        level = min(self.after)
        self.after.clear()
        return level

    def _body(self, i: int, stop: int, base: int, depth: int, kind: int) -> None:
        """Read lines i to stop - 1, whose content begins at column `base`; paragraphs are of `kind`."""
        if depth > DEEPEST:
            if (i := self.next_full[i]) < stop:
                self.add(i, self._trim(i, stop), kind)
            return
        while (i := self.next_full[i] if i < stop else stop) < stop:
            if self.indent[i] > base:
                j = self._extent(i, stop, base)
                self._body(i, j, min(self.indent[k] for k in range(i, j) if self.full[k]), depth + 1, QUOTE)
                i = j
            else:
                i = self._block(i, stop, base, depth, kind)

    def _extent(self, i: int, stop: int, base: int) -> int:
        """The line behind those from i on that are blank or indented deeper than `base`."""
        while i < stop and (not self.full[i] or self.indent[i] > base):
            i += 1
        return i

    def _trim(self, i: int, stop: int) -> int:
        """The last full line of a range that has one."""
        while not self.full[stop - 1] and stop - 1 > i:
            stop -= 1
        return stop - 1

    def _block(self, i: int, stop: int, base: int, depth: int, kind: int) -> int:  # noqa: PLR0911 - one kind a line
        """Read the block that begins at line i; the line behind it."""
        row = self.row(i)
        lead = row[0]
        if depth == 0 and (behind := self._title(i, stop)):
            return behind
        if lead == "." and EXPLICIT.match(row):
            return self._explicit(i, stop, depth)
        if lead == "_" and row.startswith("__ "):
            return self.add(i, i, ASIDE)
        if lead == "+" and GRID.match(row):
            return self._table(i, stop, GRID)
        if lead == "=" and SIMPLE.match(row):
            return self._table(i, stop, SIMPLE)
        if ADORNMENT.match(row) and len(row.rstrip()) >= 4 and (i + 1 >= stop or not self.full[i + 1]):
            return self.add(i, i, RULED)
        if row.startswith(">>>"):
            j = i
            while j < stop and self.full[j]:
                j += 1
            return self.add(i, j - 1, CODE_)
        if (found := ITEM.match(row)) and (found.end() < len(row) or i + 1 >= stop or not self.full[i + 1]):
            return self._item(i, stop, found.end(), depth)
        if lead == ":" and FIELD.match(row):
            j = self._extent(i + 1, stop, self.indent[i])
            return self.add(i, self._trim(i, j), LIST, min(depth, 9))
        return self._paragraph(i, stop, base, depth, kind)

    def _title(self, i: int, stop: int) -> int:
        """A section title at line i: the line behind it, or 0."""
        row = self.row(i)
        over = bool(ADORNMENT.match(row)) and i + 2 < stop and self.full[i + 1] and self.full[i + 2]
        at, under = (i + 1, i + 2) if over else (i, i + 1)
        if under >= stop or not self.full[under] or self.indent[under] or (not over and self.indent[i]):
            return 0
        line, title = self.row(under).rstrip(), self.row(at).rstrip()
        if not ADORNMENT.match(line) or (over and (line[0] != row[0] or len(line) != len(row.rstrip()))):
            return 0
        if len(line) < len(title) and len(line) < 4:
            return 0
        if not over and ADORNMENT.match(title) and len(title) >= 4:
            return 0
        level = self.styles.setdefault((line[0], over), len(self.styles) + 1)
        first = i
        while self.rows and self.rows[-1][2] == ASIDE and self.next_full[self.rows[-1][1] + 1] == first:
            first = self.rows.pop()[0]  # targets name the section that follows them
        self.level, self.after = level, set()
        begin = self.first[at]
        return self.add(first, under, HEADING, level, (begin, begin + len(title)))

    def _explicit(self, i: int, stop: int, depth: int) -> int:
        """A directive, a footnote, a target or a comment."""
        row = self.row(i)
        j = self._extent(i + 1, stop, self.indent[i])
        found = DIRECTIVE.match(row)
        if found is None or TARGET.match(row):
            kind = FOOTNOTE if NOTE.match(row) else ASIDE
            return max(self.add(i, self._trim(i, j), kind), j) if j > i + 1 else self.add(i, i, kind)
        name = found[1].lower()
        head = i
        while head + 1 < j and self.full[head + 1] and (self.row(head + 1)[0] == ":" or name in OBJECTS):
            head += 1
        if name in OBJECTS and name not in FLAT:
            return self._object(i, head, j, depth=depth, name=name, begin=self.first[i] + found.end())
        last = self._trim(i, j)
        if name in CODED:
            self.add(i, last, CODE_)
        elif name in PICTURES or name in LISTS:
            self.add(i, last, FIGURE if name in PICTURES else LIST)
        else:
            if self.full[min(i + 1, len(self.full) - 1)] and head == i and i + 1 < j:
                while head + 1 < j and self.full[head + 1]:
                    head += 1
            self.add(i, head, ASIDE if name == "index" else TEXT)
            self._inside(head + 1, j, depth)
        return j

    def _inside(self, i: int, stop: int, depth: int, kind: int = TEXT) -> None:
        """The content of something that is indented."""
        i = self.next_full[i] if i < stop else stop
        if i < stop:
            base = min(self.indent[k] for k in range(i, stop) if self.full[k])
            self._body(i, stop, base, depth + 1, kind)

    def _object(self, i: int, head: int, stop: int, *, depth: int, name: str, begin: int) -> int:
        """The description of a function, class or the like."""
        level = self.level + 1
        line = head if head == i else i
        self.add(i, head, CLASS if name in CLASSES else FUNCTION, level, (begin, max(begin, self.end[line])))
        self.level, outer = level, self.level
        self.after = set()
        self._inside(head + 1, stop, depth)
        self.level = outer
        self.after = {level}
        return stop

    def _table(self, i: int, stop: int, border: re.Pattern[str]) -> int:
        """A table with drawn borders; `inner` begins behind its header rows."""
        j = i
        borders: list[int] = []
        while j < stop and (self.full[j] or (border is SIMPLE and len(borders) < 3)):
            if self.full[j] and border.match(self.row(j)):
                borders.append(j)
                if border is SIMPLE and len(borders) > 1 and (j + 1 >= stop or not self.full[j + 1]):
                    j += 1
                    break
            if j - i > 5000:
                break
            j += 1
        last = self._trim(i, max(j, i + 1))
        heads = [k for k in borders[1:] if "=" in self.row(k) and k < last]
        head = self.end[heads[0]] + 1 if heads else self.first[i]
        return self.add(i, last, TABLE, 0, (min(head, self.end[last]), self.end[last]))

    def _item(self, i: int, stop: int, skip: int, depth: int) -> int:
        """A list item: its first paragraph, then what is indented below it."""
        j = self._extent(i + 1, stop, self.indent[i])
        head = i
        while head + 1 < j and self.full[head + 1] and not ITEM.match(self.row(head + 1)):
            head += 1
        literal = self.row(head).rstrip().endswith("::")
        self.add(i, head, LIST, min(depth, 9), (self.first[i] + skip, self.end[head]))
        if literal:
            self._literal(head + 1, j)
        else:
            self._inside(head + 1, j, depth, LIST)
        return j

    def _literal(self, i: int, stop: int) -> None:
        if (i := self.next_full[i] if i < stop else stop) < stop:
            self.add(i, self._trim(i, stop), CODE_)

    def _paragraph(self, i: int, stop: int, base: int, depth: int, kind: int) -> int:
        """A paragraph; with a deeper line right behind its first a definition, with `::` at its end a literal."""
        j = i + 1
        if j < stop and self.full[j] and self.indent[j] > base:
            j = self._extent(i + 1, stop, base)
            head = i
            while head + 1 < j and self.full[head + 1]:
                head += 1
            literal = self.row(head).rstrip().endswith("::")
            self.add(i, head, LIST, min(depth, 9))
            if literal:
                self._literal(head + 1, j)
            else:
                self._inside(head + 1, j, depth, LIST)
            return j
        while j < stop and self.full[j] and self.indent[j] == base:
            j += 1
        while j < stop and self.full[j] and self.indent[j] < base:
            j += 1
        self.add(i, j - 1, kind, min(depth, 9) if kind == LIST else 0)
        if self.row(j - 1).rstrip().endswith("::"):
            k = self.next_full[j] if j < stop else stop
            if k < stop and self.indent[k] > base:
                behind = self._extent(k, stop, base)
                self._literal(k, behind)
                return behind
        return j
