"""Bookmarks of a PDF -> the lines they lead to.

A bookmark says a title, a page and often a height. It is matched to the lines of that page (or of the next ones, for
destinations are often a page early) whose words are the same: at least .85 of the tokens in common, numbers aside. A
title that no line says gives no heading, for a heading is a slice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from rag.loaders.outline import number_of
from rag.loaders.pdf_contents import plain
from rag.loaders.pdf_lines import Line

__all__ = ["Bookmark", "likeness", "matched"]

ENOUGH = 0.85
MOST = 4  # lines of a heading
WORK = 3_000_000  # lines looked at for all bookmarks; the rest is left out
TOKEN = re.compile(r"\w+")


class Bookmark(NamedTuple):
    """A title, its level from 1, its page from 1, and how far down it leads in points (-1: not said)."""

    title: str
    level: int
    page: int
    down: float = -1.0


def likeness(one: str, other: str) -> float:
    """Share of the tokens that two titles have in common, in [0, 1]; numbers at their beginning are optional."""
    a, b = plain(one), plain(other)
    if a == b:
        return 1.0 if a else 0.0
    bare_a, bare_b = _bare(one), _bare(other)
    if {a, plain(bare_a)} & {b, plain(bare_b)} - {""}:
        return 0.97
    return max(_common(one, other), 0.97 * _common(bare_a, bare_b))


def _bare(text: str) -> str:
    number = number_of(text)
    return text[number.end :].lstrip(" .:-–—") if number else text


def _common(one: str, other: str) -> float:
    a, b = Counter(TOKEN.findall(one.casefold())), Counter(TOKEN.findall(other.casefold()))
    both = sum((a & b).values())
    return 2 * both / max(1, a.total() + b.total())


def matched(lines: Sequence[Line], bookmarks: Sequence[Bookmark]) -> dict[int, tuple[int, int]]:
    """First line of each heading -> its last line and its level.

    Args:
        lines: in the order of reading, without furniture and contents.
        bookmarks: in their order.
    """
    where: dict[int, list[int]] = defaultdict(list)
    for k, line in enumerate(lines):
        where[line.page].append(k)
    found: dict[int, tuple[int, int]] = {}
    taken: set[int] = set()
    work = 0
    for mark in bookmarks:
        for ahead in (0, 1):
            near = [k for k in where.get(mark.page + ahead, ()) if k not in taken]
            work += len(near)
            best = _best(lines, near, mark, taken, ahead=ahead)
            if best:
                found[best[0]] = (best[1], mark.level)
                taken.update(range(best[0], best[1] + 1))
                break
        if work > WORK:
            break
    return found


def _best(
    lines: Sequence[Line], near: Sequence[int], mark: Bookmark, taken: set[int], *, ahead: int
) -> tuple[int, int] | None:
    """First and last line of what says a bookmark's title; of several the likest, largest and nearest."""
    best: tuple[float, int, int] | None = None
    for k in near:
        text = ""
        for last in range(k, min(k + MOST, len(lines))):
            if lines[last].page != lines[k].page or last in taken:
                break
            text += " " * (last > k) + lines[last].text
            if len(text) > 2 * len(mark.title) + 40:
                break
            score = likeness(mark.title, text)
            if score < ENOUGH:
                continue
            off = abs(lines[k].box[1] - mark.down) / 1000 if mark.down >= 0 and not ahead else 0.02
            score += min(lines[k].size, 40) / 200 - off
            if best is None or score > best[0] + 1e-9:
                best = (score, k, last)
    return best[1:] if best else None
