"""Hits as trees of small pieces: what stands under which signature, branch head, heading or table header.

Code is cut into lines, and a line that is indented deeper stands under the nearest one before it that is not; a line
that only closes what another opened goes wherever that one goes. Prose is cut into sentences, list items and rows; a
row stands under its table's header rows, an item under the line that announces its list, all else under the hit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.types import Hit
from rag.units import cut

__all__ = ["Piece", "pieces"]

LINE = re.compile(r"[^\n]*\n?")
CLOSING = re.compile(r"[\s})\]>;,]*(?:end|fi|done|esac)?[\s})\]>;,]*$")
BRANCH = re.compile(r"\s*[})]*\s*(?:else|elif|except|finally|catch|rescue|ensure|elsif|when|case|default)\b")
CODED = frozenset(("code", "function", "class", "group"))
FENCE = re.compile(r"\s*(?:```|~~~)")
HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+\S")
ITEM = re.compile(r"\s*(?:[-*+•‣◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")


class Piece(NamedTuple):
    """One range of one hit; pieces stand in source order, one that others stand under before them.

    Args:
        hit: position of the hit among the hits given.
        start: first code point in the document.
        end: one past the last; the pieces of a range tile it.
        above: position of the piece it stands under, -1 for none.
        forced: whether it is kept whenever that piece is: what closes a block.
        coded: whether it is a line of code.
    """

    hit: int
    start: int
    end: int
    above: int
    forced: bool
    coded: bool


def pieces(hits: Sequence[Hit]) -> list[Piece]:
    """The pieces of all hits, hit by hit; what an earlier hit of the document holds is not given again."""
    found: list[Piece] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for number, hit in enumerate(hits):
        seen = taken.setdefault(hit.doc, [])
        coded = hit.view.kind in CODED
        for start, end in hit.spans:
            for a, b in _outside(start, end, seen):
                (_code if coded else _prose)(hit.document.text, a, b, number, found)
        seen.extend(hit.spans)
    return found


def _code(text: str, start: int, end: int, hit: int, found: list[Piece]) -> None:
    """Lines, each under the nearest shallower one; blank lines go with the line before."""
    open_: list[tuple[int, int]] = []  # indent, position
    pending = start
    depth = 0  # of the line before
    for match in LINE.finditer(text, start, end):
        a, b = match.span()
        if a == b:
            continue
        row = text[a:b]
        if not row.strip():
            if found and found[-1].hit == hit and found[-1].end == a:
                found[-1] = found[-1]._replace(end=b)
                pending = b
            continue
        indent = len(row.expandtabs(4)) - len(row.expandtabs(4).lstrip())
        closes = bool(CLOSING.match(row))
        while open_ and open_[-1][0] > indent:
            open_.pop()
        same = open_[-1][1] if open_ and open_[-1][0] == indent else -1
        if same >= 0:
            open_.pop()
        above = open_[-1][1] if open_ else -1
        if closes and same >= 0:
            found.append(Piece(hit, pending, b, same, True, True))
            open_.append((indent, same))
        elif same >= 0 and depth > indent and BRANCH.match(row):  # `else` makes no sense without its `if`
            found.append(Piece(hit, pending, b, same, False, True))
            open_.append((indent, len(found) - 1))
        else:
            found.append(Piece(hit, pending, b, above, False, True))
            open_.append((indent, len(found) - 1))
        depth, pending = indent, b


def _prose(text: str, start: int, end: int, hit: int, found: list[Piece]) -> None:
    """Sentences, items and rows, under the heading, announcement or header rows that they need."""
    head, announced, rows = -1, -1, -1
    pending = start
    for a, b, needs in cut(text, start, end):
        row = text[a:b]
        if not row.strip():
            continue
        above = head
        if needs is not None and rows >= 0:
            above = rows
        elif ITEM.match(row) and announced >= 0:
            above = announced
        found.append(Piece(hit, pending, b, above, False, False))
        pending = b
        here = len(found) - 1
        if HEADING.match(row):
            found[-1] = found[-1]._replace(above=-1)
            head, announced, rows = here, -1, -1
            continue
        if needs is None:
            rows = here if "|" in row else -1
        if not ITEM.match(row):
            announced = here if row.rstrip().endswith((":", "：")) else -1


def _outside(start: int, end: int, taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a range lies in none of the taken ones."""
    free = [(start, end)]
    for a, b in taken:
        if b > start and a < end:
            free = [p for s, e in free for p in ((s, min(e, a)), (max(s, b), e)) if p[0] < p[1]]
    return free
