"""Structure of Markdown: where its blocks are, by the rules of CommonMark 0.31 and GitHub's tables.

Only block structure is read; nothing is rendered. Long runs of ordinary lines are passed over as one; the rules
are applied to lines that begin with a mark. Block quotes are one block each, whatever they hold. A list
item is a block that ends where the next item, nested or not, begins; a fence inside an item is a block of its own.
Read besides CommonMark: front matter, pipe tables, footnotes (`[^1]: ...`), formulas between `$$` (code), admonitions
(`!!! note` and what is indented under it: a quote). Link reference definitions, definition lists and shortcodes stay
text.
"""

from __future__ import annotations

import re

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.htmlblocks import html_end, html_kind
from rag.loaders.lines import code_points, lines_of
from rag.loaders.mddefs import defined
from rag.loaders.mdlists import ITEM, read_list
from rag.loaders.mdrows import cells, math_end, nearest

__all__ = ["scan"]

ATX = re.compile(r"(#{1,6})(?:[ \t]++|$)")
FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
RULE = re.compile(r"([-*_])[ \t]*+(?:\1[ \t]*+){2,}$")
SETEXT = re.compile(r"(=+|-+)[ \t]*$")
DELIMITER = re.compile(r"\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*$")
FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:[ \t]*")
ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?)[ \t]+\w")
HEADING, TEXT, LIST, TABLE, CODE_, QUOTE, HTML, RULED, FRONT, NOTE = (
    CODE[k] for k in ("heading", "text", "list", "table", "code", "quote", "html", "rule", "front_matter", "footnote")
)
MARKS = np.zeros(128, dtype=bool)
MARKS[[ord(c) for c in "#`~>-*_+=<|:[0123456789$!?"]] = True


def scan(text: str) -> Blocks:
    """Find the blocks of a Markdown text.

    Args:
        text: any text; line ends of every system, a byte-order mark is passed over.

    Returns:
        Blocks that begin at the start of a line and end at the end of one, with nothing but blank lines between.
    """
    if not text:
        return Blocks.of(())
    return defined(text, _Scan(text).run())


class _Scan:
    """One pass over the lines; `i` is the line that is looked at."""

    def __init__(self, text: str) -> None:
        self.text = text
        lines = lines_of(text, code_points(text))
        self.lines = lines
        self.size = len(lines)
        lead, indent = lines.lead, lines.indents(text)
        full = lines.first < lines.end
        self.full: list[bool] = full.tolist()
        self.lead: list[int] = lead.tolist()
        self.indent: list[int] = indent.tolist()
        self.first: list[int] = lines.first.tolist()
        self.end: list[int] = lines.end.tolist()
        special = (lead < 128) & MARKS[np.minimum(lead, 127)]
        if "|" in text:  # a table without outer pipes is told by its second line, which begins with a mark
            special |= lead == 124
        self.next_special = nearest(special | ~full, self.size)
        self.next_full = nearest(full, self.size)
        self.rows: list[tuple[int, int, int, int]] = []  # first line, last line, kind, level
        self.inner: dict[int, tuple[int, int]] = {}

    def row(self, i: int) -> str:
        """Line i without its indent."""
        return self.text[self.first[i] : self.end[i]]

    def run(self) -> Blocks:
        """Read all lines."""
        i = self._front()
        while (i := self.next_full[i] if i < self.size else self.size) < self.size:
            i = self._block(i)
        return self._blocks()

    def add(self, first: int, last: int, kind: int, level: int = 0, inner: tuple[int, int] | None = None) -> int:
        """Note a block; the line behind it."""
        if inner is not None:
            self.inner[len(self.rows)] = inner
        self.rows.append((first, last, kind, level))
        return last + 1

    def _front(self) -> int:
        if self.row(0).rstrip() in ("---", "+++") and self.indent[0] == 0:
            mark = self.row(0).rstrip()
            for i in range(1, min(self.size, 400)):
                if self.lead[i] == ord(mark[0]) and self.indent[i] == 0 and self.row(i).rstrip() == mark:
                    return self.add(0, i, FRONT) if i > 1 and self.full[1] else 0
        return 0

    def _block(self, i: int) -> int:  # noqa: PLR0911 - one kind a line
        """Read the block that begins at line i; the line behind it."""
        if self.indent[i] >= 4:
            return self.add(i, self._indented(i), CODE_)
        lead = chr(self.lead[i])
        row = self.row(i) if self.lead[i] < 128 and MARKS[self.lead[i]] else ""
        if row:
            if lead == "#" and (found := ATX.match(row)):
                return self._heading(i, len(found[1]), found.end())
            if lead in "`~" and (found := FENCE.match(row)):
                return self.fence(i, 0, found, 0)
            if lead in "-*_" and RULE.match(row):
                return self.add(i, i, RULED)
            if lead == ">":
                return self._quote(i)
            if lead in "-+*0123456789" and (found := ITEM.match(row)):
                return read_list(self, i)
            if lead == "<" and (kind := html_kind(row)):
                return self.add(i, html_end(self, i, kind), HTML)
            if lead == "[" and (found := FOOTNOTE.match(row)):
                return self._footnote(i, found.end())
            if lead == "$" and (last := math_end(self, i)) >= 0:
                return self.add(i, last, CODE_)
            if lead in "!?" and ADMONITION.match(row):
                return self.add(i, self._indented(i), QUOTE)
        if i + 1 < self.size and self._table_at(i):
            return self._table(i)
        return self._paragraph(i)

    def _heading(self, i: int, level: int, skip: int) -> int:
        """A heading between marks."""
        title = self.row(i)[skip:].rstrip(" \t")
        bare = title.rstrip("#")
        if not bare or bare[-1] in " \t":
            title = bare.rstrip(" \t")
        start = self.first[i] + skip
        return self.add(i, i, HEADING, level, (start, start + len(title)))

    def _indented(self, i: int) -> int:
        """The last line of what is indented by four from the line behind i on."""
        last = i
        while (i := self.next_full[i + 1] if i + 1 < self.size else self.size) < self.size and self.indent[i] >= 4:
            last = i
        return last

    def fence(self, i: int, level: int, found: re.Match[str], base: int) -> int:
        """A fence; it ends at a fence of its own kind, as long or longer, or where its container ends."""
        mark = found[1] or found[2]
        code = ord(mark[0])
        closing = re.compile(rf"{mark[0]}{{{len(mark)},}}[ \t]*$")
        last = i
        j = i + 1
        while j < self.size:
            if base and self.full[j] and self.indent[j] < base:
                break
            if self.lead[j] == code and self.indent[j] - base < 4 and closing.match(self.row(j)):
                self.add(i, j, CODE_, level, self._between(i, j))
                return j + 1
            last = j
            j += 1
            if not base:  # nothing but a mark can end it
                j = self._seek(code, j)
                last = j - 1
        while last > i and not self.full[last]:
            last -= 1
        self.add(i, last, CODE_, level, self._between(i, last + 1))
        return last + 1

    def _between(self, i: int, j: int) -> tuple[int, int]:
        """The content of lines i + 1 to j - 1."""
        if j <= i + 1:
            return self.end[i], self.end[i]
        return int(self.lines.start[i + 1]), self.end[j - 1]

    def _seek(self, code: int, j: int) -> int:
        while j < self.size and self.lead[j] != code:
            j = self.next_special[j + 1] if j + 1 < self.size else self.size
        return j

    def _quote(self, i: int) -> int:
        """Lines that begin with `>`, and the lines that lazily continue their last paragraph."""
        last = i
        j = i + 1
        while j < self.size and self.full[j]:
            if self.lead[j] == 62 and self.indent[j] < 4:
                last = j
            elif not self._continues_quote(last) or self.interrupts(j):
                break
            else:
                last = j
            j += 1
        return self.add(i, last, QUOTE)

    def _continues_quote(self, i: int) -> bool:
        """Whether the last line of a quote leaves a paragraph open."""
        row = self.row(i)
        if row[0] != ">":
            return True
        row = row.lstrip("> \t") if not row.startswith(">     ") else ""
        return bool(row) and not ATX.match(row) and not FENCE.match(row) and not RULE.match(row)

    def interrupts(self, j: int) -> bool:  # noqa: PLR0911 - one kind a line
        """Whether full line j ends the paragraph before it."""
        if self.indent[j] >= 4 or self.lead[j] >= 128 or not MARKS[self.lead[j]]:
            return False
        row = self.row(j)
        lead = row[0]
        if lead == "#":
            return bool(ATX.match(row))
        if lead in "`~":
            return bool(FENCE.match(row))
        if lead == ">":
            return True
        if lead in "-*_" and RULE.match(row):
            return True
        if lead in "-+*0123456789":
            found = ITEM.match(row)
            # only a list that begins with content, and with 1 where it has numbers
            return found is not None and found.end() < len(row) and found[2] in (None, "1")
        if lead == "[":
            return bool(FOOTNOTE.match(row))
        return lead == "<" and 0 < html_kind(row) < 7  # a lone tag of an unknown name cannot

    def _paragraph(self, i: int) -> int:
        """A paragraph, or the heading that a line drawn under it makes of it."""
        j = i + 1
        while True:
            j = self.next_special[j] if j < self.size else self.size
            if j >= self.size or not self.full[j]:
                return self.add(i, j - 1, TEXT)
            if self.indent[j] < 4:
                if found := SETEXT.match(self.row(j)) if self.lead[j] in (45, 61) else None:
                    inner = (
                        self.first[i],
                        len(self.text[: self.end[j - 1]].rstrip()) if j - i > 1 else self.end[j - 1],
                    )
                    return self.add(i, j, HEADING, 1 if found[1][0] == "=" else 2, inner)
                if j - 1 > i and self._table_at(j - 1):
                    self.add(i, j - 2, TEXT)
                    return self._table(j - 1)
                if self.interrupts(j):
                    return self.add(i, j - 1, TEXT)
            j += 1

    def _table_at(self, i: int) -> bool:
        """Whether a table's header stands in line i and its delimiter row in the next."""
        if not self.full[i + 1] or self.lead[i + 1] not in (45, 58, 124) or max(self.indent[i : i + 2]) >= 4:
            return False
        below = self.row(i + 1)
        return bool(DELIMITER.match(below)) and "|" in self.row(i) and cells(below) == cells(self.row(i))

    def _table(self, i: int) -> int:
        j = i + 2
        while j < self.size and self.full[j] and self.indent[j] < 4 and not self.interrupts(j):
            j += 1
        return self.add(i, j - 1, TABLE)

    def _footnote(self, i: int, skip: int) -> int:
        """A footnote: its lines and indented ones behind it."""
        last = i
        j = i + 1
        while j < self.size:
            if not self.full[j]:
                j = self.next_full[j]
                if j >= self.size or self.indent[j] < 4:
                    break
            elif self.indent[j] < 4 and (not self.full[j - 1] or self.interrupts(j)):
                break
            last = j
            j += 1
        return self.add(i, last, NOTE, 0, (self.first[i] + skip, self.end[last]))

    def _blocks(self) -> Blocks:
        rows = np.array(self.rows, dtype=np.int64).reshape(len(self.rows), 4)
        start, end = self.lines.start[rows[:, 0]], self.lines.end[rows[:, 1]]
        inner = np.stack((self.lines.first[rows[:, 0]], end), axis=1)
        if self.inner:
            inner[list(self.inner)] = list(self.inner.values())
        return Blocks(start, end, rows[:, 2].astype(np.uint8), rows[:, 3].astype(np.int16), inner)
