"""Structure of plain text, by signs that writers leave: conservative, because a wrong heading costs more than none.

Seen are WikiText titles (`= Title =`), titles with a line drawn under them, numbered headings, short
capitalised lines that stand alone, section marks (`==== Body`), lists, tables with pipes, and rules. In a
text whose lines are as long as paragraphs every line is a paragraph; in a wrapped one a blank line ends it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.lines import Lines, code_points, lines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scan"]

LONGEST = 300  # characters of a line that may be a title or a rule
WRAPPED = 110  # a text whose long lines (90th percentile) are shorter than this is wrapped
WIKI = re.compile(r"(=(?: =){1,5}|={1,6})[ \t]+([^=\s](?:.*?\S)?)[ \t]+(=(?: ?=){0,5})[ \t]*$")
MARK = re.compile(r"={3,}[ \t]*(\S.*?)?[ \t]*$")
RULE = re.compile(r"([-=*_~#+.])(?:[ \t]*\1){2,}[ \t]*$")
UNDERLINE = re.compile(r"([=\-~^\"#*+])\1{2,}[ \t]*$")
BULLET = re.compile(r"([-*+•·◦▪●–][ \t]+|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)][ \t]+)(?=\S)")
NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})\.?[ \t]+(?=[^\W\d_])")
NAMED = re.compile(r"(?:chapter|part|article|section|appendix|exhibit|schedule|annex|book)[ \t]+[\dIVXLCA-Z]+\b", re.I)
CAPTION = re.compile(r"(?:figure|fig|table|image|photo|chart)\b", re.I)
LABEL = re.compile(r"[\w.'’-]+(?: [\w.'’-]+)?:[ \t]")  # `License: CC BY`, `Dr. Lee: Yes`
WORDS = re.compile(r"[^\W\d_][\w'’-]*")
SMALL = re.compile(r"(?:an?|the|of|and|or|in|on|at|to|for|by|with|from|as|vs|via|per|de|la|le|und|der|die|das)$", re.I)
UNDER = '=-~^"#*+'
PIPE, HEADING, LIST, TABLE, RULED, TEXT = 124, *(CODE[k] for k in ("heading", "list", "table", "rule", "text"))
LEADS = np.zeros(0x3000, dtype=bool)
LEADS[[ord(c) for c in '=-*_~#+.•·◦▪●–(^"|']] = True


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
        self.wrapped = not len(lengths) or int(lengths[9 * (len(lengths) - 1) // 10]) < WRAPPED
        self.kind = np.full(size, TEXT, dtype=np.uint8)
        self.level = np.zeros(size, dtype=np.int16)
        self.inner = np.stack((lines.first, lines.end), axis=1)
        before = np.concatenate(([False], self.full[:-1]))
        self.opens = self.full & (~before | (not self.wrapped))  # a block begins with this line
        self.guessed: list[int] = []  # headings known by their looks alone

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
        chosen = full & (LEADS[lead] | (short & digit) | alone)
        if "|" in self.text:
            chosen |= self._piped()
        if self.wrapped:  # list marks that open a line of a wrapped text
            chosen |= full & (digit | ((lead >= 97) & (lead <= 122) & self._marked()))
        done = -1
        for i in np.flatnonzero(chosen).tolist():
            if i > done:
                done = self._label(i, size)
        self._doubt()
        return self._cut()

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

    def _label(self, i: int, size: int) -> int:  # noqa: PLR0911 - one sign a line
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
            self._heading(i - 1, 1 + UNDER.index(row[0]), (0, len(title)))
            return self._extend(i)
        if row[0] == "=":
            if found := WIKI.match(row):
                return self._heading(i, found[1].count("="), found.span(2))
            if found := MARK.match(row):
                return self._heading(i, 1, found.span(1)) if found[1] else self._mark(i, i, RULED)
        if RULE.match(row):
            return self._mark(i, i, RULED)
        if self._numbered(i, row):
            return i
        if BULLET.match(row):
            return self._item(i, row)
        if self._titled(i, row):
            self.guessed.append(i)
            caps = row.upper() == row
            return self._heading(i, 1 if caps or NAMED.match(row) else 2, (0, len(row.rstrip())))
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

    def _heading(self, i: int, level: int, inner: tuple[int, int]) -> int:
        self._mark(i, i, HEADING)
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

    def _numbered(self, i: int, row: str) -> bool:
        """`2.1 Methods`: dotted numbers on a short line, or one number on a short line that stands alone."""
        found = NUMBERED.match(row)
        text = row.rstrip()
        if not found or len(text) > 90 or text[-1] in ".,;:!?" or not text[found.end()].isupper():
            return False
        depth = found[1].count(".") + 1
        alone = not (i + 1 < len(self.full) and self.full[i + 1]) or not self.wrapped
        if not self.opens[i] or (depth == 1 and (not alone or not self._capitals(text[found.end() :]))):
            return False
        self._heading(i, depth, (0, len(text)))
        return True

    def _titled(self, i: int, row: str) -> bool:
        """A short capitalised line that stands alone."""
        text = row.rstrip()
        if not 2 <= len(text) <= 70 or text[-1] in ".,;:!?\"'”’)]}>|—–-" or not self.opens[i]:
            return False
        if i + 1 >= len(self.full) or (self.wrapped and self.full[i + 1]):
            return False
        if "|" in text or CAPTION.match(text) or LABEL.match(text):
            return False
        return bool(NAMED.match(text)) or (text[0].isupper() and self._capitals(text))

    @staticmethod
    def _capitals(text: str) -> bool:
        words = WORDS.findall(text)
        telling = [w for w in words if not SMALL.match(w)]
        if not telling or len(words) > 10:
            return False
        return len(words) <= 2 or sum(w[0].isupper() for w in telling) >= 0.75 * len(telling)

    def _doubt(self) -> None:
        """Take guessed headings back where they are too many to be headings (verse, name lists, menus)."""
        if len(self.guessed) > 3 and 3 * len(self.guessed) > int(self.opens.sum()):
            self.kind[self.guessed] = TEXT
            self.level[self.guessed] = 0

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
