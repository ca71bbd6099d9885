"""Structure of plain text, by signs that writers leave: conservative, because a wrong heading costs more than none.

Seen are WikiText titles (`= Title =`), titles with a line drawn under them, section marks (`==== Body`), fenced code,
lists, tables with pipes, and rules; lines with a number and short lines that stand alone are weighed against each
other (`rag.loaders.titles`). In a text whose lines are as long as paragraphs every line is a paragraph; in a wrapped
one a blank line ends it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.lines import Lines, code_points, lines_of
from rag.loaders.titles import Seen, chosen, may_be

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scan"]

LONGEST = 300  # characters of a line that may be a title or a rule
FENCED = 2000  # lines of code between fences
TITLE = 60  # characters of a title on the first line
WRAPPED = 110  # a text whose long lines (90th percentile, or half of its characters) are shorter is wrapped
WIKI = re.compile(r"(=(?: =){1,5}|={1,6})[ \t]+([^=\s](?:.*?\S)?)[ \t]+(=(?: ?=){0,5})[ \t]*$")
MARK = re.compile(r"={3,}[ \t]*([^\s\"'].*?)?[ \t]*$")
RULE = re.compile(r"([-=*_~#+.])(?:[ \t]*\1){2,}[ \t]*$")
UNDERLINE = re.compile(r"([=\-~^\"#*+])\1{2,}[ \t]*$")
BULLET = re.compile(r"([-*+•·◦▪●–][ \t]+|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)][ \t]+)(?=\S)")
FENCE = re.compile(r"(`{3,}|~{3,})[^`]*$")
UNDER = '=-~^"#*+'
PIPE, HEADING, LIST, TABLE, RULED, CODED, TEXT = (
    124,
    *(CODE[k] for k in ("heading", "list", "table", "rule", "code", "text")),
)
LEADS = np.zeros(0x3000, dtype=bool)
LEADS[[ord(c) for c in '=-*_~#+.•·◦▪●–(^"|`']] = True


def scan(text: str) -> Blocks:
    """Find the blocks of a plain text.

    Args:
        text: any text; line ends of every system.

    Returns:
        Blocks of kinds text, heading, list, table and rule, from the start of a line to the end of one.
    """
    if not text:
        return Blocks.of(())
    lines = lines_of(text, code_points(text))
    return _Scan(text, lines).blocks()


class _Scan:
    """One pass: every line gets a label, then runs of labels become blocks."""

    def __init__(self, text: str, lines: Lines) -> None:
        self.text, self.lines = text, lines
        size = len(lines)
        self.full = lines.first < lines.end
        self.length = lines.end - lines.first
        lengths = np.sort(self.length[self.full])
        long = int(lengths[9 * (len(lengths) - 1) // 10]) if len(lengths) else 0
        share = 10 if 20 * len(lengths) > 19 * size else 2  # where no blank line ends a paragraph, a line break must
        self.wrapped = long < WRAPPED and share * int(lengths[lengths >= WRAPPED].sum()) < int(lengths.sum()) + 1
        self.kind = np.full(size, TEXT, dtype=np.uint8)
        self.level = np.zeros(size, dtype=np.int16)
        self.inner = np.stack((lines.first, lines.end), axis=1)
        before = np.concatenate(([False], self.full[:-1]))
        self.opens = self.full & (~before | (not self.wrapped))  # a block begins with this line
        self.seen: list[tuple[int, str, int]] = []  # lines that may be headings; their mark and the level it says
        self.searched: dict[str, int] = {}  # up to which line no such fence closes

    def row(self, i: int) -> str:
        """The line without its indent."""
        return self.text[self.lines.first[i] : self.lines.end[i]]

    def blocks(self) -> Blocks:
        """Label the lines that may be special, then cut."""
        lines, full = self.lines, self.full
        size = len(lines)
        lead = np.minimum(lines.lead, 0x2FFF)
        after = np.concatenate((full[1:], [False]))
        short = full & self.opens & (self.length <= 90)
        digit = (lead >= 48) & (lead <= 57)
        # a short line is looked at where it stands alone, or where lines are paragraphs and the next is long
        longer = np.concatenate((self.length[1:] > 2 * self.length[:-1], [False]))
        alone = short & (~after | ((not self.wrapped) & longer))
        alone |= short & self._top()
        chosen = full & (LEADS[lead] | (short & digit) | alone)
        if "|" in self.text:
            chosen |= self._piped()
        if self.wrapped:  # list marks that open a line of a wrapped text
            chosen |= full & (digit | ((lead >= 97) & (lead <= 122) & self._marked()))
        done = -1
        for i in np.flatnonzero(chosen).tolist():
            if i > done:
                done = self._label(i, size)
        self._decide()
        return self._cut()

    def _top(self) -> NDArray[np.bool_]:
        """The first line, where it is short and the next does not go on with it."""
        top = np.zeros(len(self.lines), dtype=bool)
        rows = np.flatnonzero(self.full)[:2].tolist()
        if len(rows) == 2 and self.length[rows[0]] <= TITLE and not self.row(rows[1])[0].islower():
            top[rows[0]] = True
        return top

    def _marked(self) -> NDArray[np.bool_]:
        """Lines whose second character closes a list mark: `a)`, `b.`."""
        codes = code_points(self.text)
        second = codes[np.minimum(self.lines.first + 1, len(codes) - 1)]
        found: NDArray[np.bool_] = (second == 41) | (second == 46)
        return found

    def _piped(self) -> NDArray[np.bool_]:
        """Lines with a pipe."""
        at = np.flatnonzero(code_points(self.text) == PIPE)
        where = np.searchsorted(self.lines.start, at, side="right") - 1
        piped: NDArray[np.bool_] = np.bincount(np.maximum(where, 0), minlength=len(self.lines)) >= 1
        return piped

    def _label(self, i: int, size: int) -> int:  # noqa: PLR0911, PLR0912 - one sign a line
        """Label line i and those that go with it; the last line labelled."""
        row = self.row(i)
        if _piped(row):
            last = i
            while last + 1 < size and self.full[last + 1] and _piped(self.row(last + 1)):
                last += 1
            if last > i:
                self._mark(i, last, TABLE)
                return last
        if len(row) > LONGEST:
            return self._item(i, row)
        if i and UNDERLINE.match(row) and self._underlines(i, row):
            title = self.row(i - 1).rstrip()
            if self.seen and self.seen[-1][0] == i - 1:
                self.seen.pop()
            self._heading(i - 1, 1 + UNDER.index(row[0]), (0, len(title)), mark="under" + row[0])
            return self._extend(i)
        if row[0] in "`~" and (found := FENCE.match(row)):
            return self._fence(i, found[1])
        if row[0] == "=":
            if found := WIKI.match(row):
                return self._heading(i, found[1].count("="), found.span(2), mark="wiki")
            if found := MARK.match(row):
                return self._heading(i, 1, found.span(1), mark="mark") if found[1] else self._mark(i, i, RULED)
        if RULE.match(row):
            return self._mark(i, i, RULED)
        if self.opens[i] and may_be(row.rstrip()):
            self.seen.append((i, "", 0))
        if BULLET.match(row):
            return self._item(i, row)
        return i

    def _fence(self, i: int, mark: str) -> int:
        """Code between two fences; an open one is none."""
        until = min(i + FENCED, len(self.full))
        for last in range(max(i + 1, self.searched.get(mark, 0)), until):
            row = self.row(last).rstrip() if self.length[last] <= LONGEST else ""
            if row.startswith(mark) and not row.strip(mark[0]):
                return self._mark(i, last, CODED)
        self.searched[mark] = until
        return i

    def _item(self, i: int, row: str) -> int:
        """Line i as a list item, where it begins with a mark."""
        if found := BULLET.match(row):
            first = int(self.lines.first[i])
            self.kind[i], self.opens[i] = LIST, True
            self.level[i] = min((first - int(self.lines.start[i])) // 2, 9)
            self.inner[i, 0] = first + found.end()
        return i

    def _mark(self, first: int, last: int, kind: int) -> int:
        self.kind[first : last + 1] = kind
        self.opens[first : last + 1] = False
        self.opens[first] = True
        if last + 1 < len(self.opens) and self.full[last + 1]:
            self.opens[last + 1] = True
        return last

    def _heading(self, i: int, level: int, inner: tuple[int, int], *, mark: str = "") -> int:
        self._mark(i, i, HEADING)
        if mark:
            self.seen.append((i, mark, level))
        self.level[i] = level
        self.inner[i] = int(self.lines.first[i]) + np.asarray(inner)
        return i

    def _extend(self, i: int) -> int:
        """Make line i part of the block above it."""
        self.kind[i] = self.kind[i - 1]
        self.opens[i] = False
        if i + 1 < len(self.opens) and self.full[i + 1]:
            self.opens[i + 1] = True
        return i

    def _underlines(self, i: int, row: str) -> bool:
        """Whether line i is drawn under a title, which stands alone above it."""
        title = self.row(i - 1).rstrip()
        size = len(title)
        if not self.full[i - 1] or not self.opens[i - 1] or self.kind[i - 1] != TEXT or not 0 < size <= 100:
            return False
        return 0.7 * size <= len(row.rstrip()) <= 1.5 * size + 8 and any(map(str.isalpha, title))

    def _decide(self) -> None:
        """Make headings of the lines that the outline agrees on."""
        if not self.seen:
            return
        rows = np.flatnonzero(self.full)
        indents = self.lines.indents(self.text)
        usual = int(np.bincount(np.minimum(indents[rows], 40), weights=self.length[rows]).argmax())
        at = np.searchsorted(rows, [i for i, _, _ in self.seen]).tolist()
        lines = np.concatenate(([0], np.cumsum(self.full)))
        top = self._top()
        known: list[Seen] = []
        before = -1
        for (i, style, level), k in zip(self.seen, at, strict=True):
            last = i + 1 if style.startswith("under") else i
            below = k + 1 + (last > i)
            inner = self.text[self.inner[i, 0] : self.inner[i, 1]] if style else self.row(i).rstrip()
            known.append(
                Seen(
                    i,
                    inner,
                    not self.wrapped or bool(top[i]) or not (i + 1 < len(self.full) and self.full[i + 1]),
                    int(indents[i]) - usual,
                    self.row(rows[k - 1])[-200:].rstrip() if k else "",
                    self.row(rows[below])[:200].rstrip() if below < len(rows) else "",
                    level,
                    style,
                    int(lines[i] - lines[before + 1]),
                )
            )
            before = last
        for k, level in chosen(known, blocks=int(self.opens.sum())):
            i, one = known[k].line, known[k]
            if one.style:
                self.level[i] = level
            else:
                self._heading(i, level, (0, len(one.text)))

    def _cut(self) -> Blocks:
        lines = self.lines
        first = np.flatnonzero(self.opens)
        rows = np.flatnonzero(self.full)  # the last full line before the next block
        last = rows[np.searchsorted(rows, np.append(first[1:], len(lines))) - 1] if len(first) else first
        kind = self.kind[first]
        end = lines.end[last]
        inner = self.inner[first]
        inner[:, 1] = np.where(kind == HEADING, inner[:, 1], end)
        return Blocks(lines.start[first], end, kind, self.level[first], inner)


def _piped(row: str) -> bool:
    """Whether a line looks like a row of a table."""
    return row.count("|") >= 2 or " | " in row
