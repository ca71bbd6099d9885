"""Running heads, feet and page numbers of a PDF, told from the text by what repeats from page to page.

A slot is a height near the top or bottom of the page at which pages have their outermost line. It holds furniture when
its lines repeat, numbers in them aside, or count the pages. Furniture is not dropped: it becomes blocks of kind
`supplement` behind the text, so that no sentence is broken by the foot of its page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rag.loaders.pdf_lines import Line

__all__ = ["furniture"]

REACH = 4  # lines from the top and from the bottom of a page that may be furniture
ZONE = 0.17  # of the page's height, from either end
LEAST = 3  # pages
SHARE = 0.2  # of the pages have the slot
REPEATED = 0.5  # of the lines of a slot say the same, or count
NEAR = 2.5  # points between baselines of one slot
LONGEST = 160  # characters
DIGITS = re.compile(r"\d+")
ROMAN = re.compile(r"\b[ivxlc]{1,7}\b", re.IGNORECASE)
LONE = re.compile(
    r"[-–—\s|.\[]*(?:page|seite|p\.)?\s*(\d{1,4})(?:\s*(?:of|/|von)\s*\d{1,4})?[-–—\s|.\]]*$", re.IGNORECASE
)
Place = tuple[int, int]  # page from 0, line on it


def furniture(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[list[bool]]:
    """Which lines of each page are furniture.

    Args:
        pages: lines of every page.
        heights: of the pages as they are read, in points.

    Returns:
        A flag for every line; lines that run in another direction than their page have it set.
    """
    flags = [[line.turned for line in page] for page in pages]
    full = sum(1 for page in pages if page)
    for top in (True, False):
        for _ in range(REACH):
            outer = _outer(pages, heights, flags, top)
            found = [place for slot in _slots(outer) for place in slot if _repeats(slot, pages, full)]
            found += _counted(outer, pages)
            for page, line in found:
                flags[page][line] = True
            if not found:
                break
    return flags


def _outer(
    pages: Sequence[Sequence[Line]], heights: Sequence[float], flags: Sequence[Sequence[bool]], top: bool
) -> list[tuple[float, Place]]:
    """The outermost line of each page that is no furniture yet, by its distance from the edge."""
    found: list[tuple[float, Place]] = []
    for number, page in enumerate(pages):
        best: tuple[float, int] | None = None
        for k, line in enumerate(page):
            if not flags[number][k]:
                middle = (line.place[1] + line.place[3]) / 2
                away = middle if top else heights[number] - middle
                if best is None or away < best[0]:
                    best = (away, k)
        if best and best[0] <= ZONE * heights[number] and len(page[best[1]].text) <= LONGEST:
            found.append((best[0], (number, best[1])))
    return sorted(found)


def _slots(outer: Sequence[tuple[float, Place]]) -> list[list[Place]]:
    slots: list[list[Place]] = []
    last = float("-inf")
    for away, place in outer:
        if away - last > NEAR:
            slots.append([])
        slots[-1].append(place)
        last = away
    return slots


def _repeats(slot: Sequence[Place], pages: Sequence[Sequence[Line]], full: int) -> bool:
    """Whether the lines of a slot are furniture."""
    texts = [pages[page][line].text for page, line in slot]
    said = Counter(_plain(text) for text in texts)
    if len(slot) < LEAST:
        return full == len(slot) == 2 and len(said) == 1  # a document of two pages
    if len(slot) < SHARE * full and len(slot) < 8:
        return False
    again = sum(count for count in said.values() if count > 1)
    offsets = Counter(int(n) - page for (page, _), text in zip(slot, texts, strict=True) for n in _numbers(text))
    counting = max(offsets.values(), default=0)
    return max(again, counting) >= REPEATED * len(slot)


def _numbers(text: str) -> set[str]:
    """Numbers at either end of a line, where page numbers stand."""
    found = DIGITS.findall(text)
    return {n for n in (found[:1] + found[-1:]) if len(n) <= 4}


def _plain(text: str) -> str:
    return " ".join(ROMAN.sub("#", DIGITS.sub("#", text)).casefold().split())


def _counted(outer: Sequence[tuple[float, Place]], pages: Sequence[Sequence[Line]]) -> list[Place]:
    """Lines that are nothing but a number that goes with the pages."""
    lone = [(place, LONE.match(pages[place[0]][place[1]].text)) for _, place in outer]
    offsets = Counter(int(found[1]) - page for (page, _), found in lone if found)
    if not offsets:
        return []
    best = min(offsets, key=lambda offset: (-offsets[offset], abs(offset)))
    if offsets[best] < 2 and not (len(pages) <= 2 and best == 1):
        return []
    return [place for place, found in lone if found and int(found[1]) - place[0] == best]
