"""Tables of contents: which lines of a PDF are one, and which lines of the text its entries name.

An entry ends with a page number behind dots or a wide gap. The distance between printed and counted pages is the one
that most entries agree on (the mode, as PageIndex takes it, https://github.com/VectifyAI/PageIndex), and an entry
names the line on its page that says the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from rag.loaders.outline import number_of
from rag.loaders.pdf_lines import Line

__all__ = ["TITLE", "Entry", "entries", "named", "plain"]

LEADER = re.compile(r"(?:[.·•…_‥]\s?){3,}|\.\.+|…+")
ENTRY = re.compile(r"(.*?\S)\s*((?:[.·…‥_]\s?){2,}|\s)\s*([A-Z]?-?\d{1,4}|[ivxlc]{1,7})$")
TITLE = re.compile(
    r"(?:table of )?contents|index|inhalt(?:sverzeichnis)?|sommaire|table des mati[eè]res|[íi]ndice|"
    r"contents of .*|short contents|brief contents|list of (?:figures|tables|listings)$",
    re.I,
)
FEWEST = 4  # entries on a page of contents
SHARE = 0.5  # of its lines are entries
RISING = 0.75  # of its entries have no smaller page than the one before


class Entry(NamedTuple):
    """One line of a table of contents.

    Args:
        line: index of its line.
        title: what it names, without number and dots.
        page: as printed; 0 where that is no plain number.
        left: where it begins, in points.
    """

    line: int
    title: str
    page: int
    left: float


def plain(text: str) -> str:
    """A title as it is compared: letters and digits alone, compatible forms, cases and accents folded."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def entries(lines: Sequence[Line]) -> tuple[list[Entry], set[int]]:
    """The entries of all tables of contents, and the indices of all lines on their parts of pages.

    Args:
        lines: of the text, in the order of reading.
    """
    found: list[Entry] = []
    taken: set[int] = set()
    pages: dict[int, list[int]] = defaultdict(list)
    for k, line in enumerate(lines):
        pages[line.page].append(k)
    for rows in pages.values():
        said = [entry for k in rows if (entry := _entry(k, lines[k]))]
        if len(said) < FEWEST:
            continue
        first, last = said[0].line, said[-1].line
        if len(said) < SHARE * (last - first + 1):
            continue
        numbers = [entry.page for entry in said if entry.page]
        rising = sum(a <= b for a, b in pairwise(numbers))
        if numbers and rising < RISING * (len(numbers) - 1):
            continue
        if numbers and max(numbers) > 50 * lines[-1].page + 2000:
            continue
        found += said
        taken.update(range(first, last + 1))
    return found, taken


def _entry(index: int, line: Line) -> Entry | None:
    text = line.text
    if len(text) > 200 or not (match := ENTRY.match(text)):
        return None
    dots = bool(LEADER.search(text[match.end(1) - 1 :])) or match[2].strip() != ""
    apart = len(line.pieces) > 1 and line.pieces[-1].text == match[3]
    if not (dots or apart) or not any(char.isalpha() for char in match[1]):
        return None
    title = LEADER.split(match[1])[0].strip(" .")
    return Entry(index, title, int(match[3]) if match[3].isdigit() else 0, line.place[0]) if title else None


def named(lines: Sequence[Line], found: Sequence[Entry], taken: set[int]) -> dict[int, int]:
    """Lines of the text that an entry names -> level of the entry from 1.

    Args:
        lines: of the text.
        found: entries of the contents.
        taken: lines of the contents themselves.
    """
    wanted: dict[str, list[int]] = defaultdict(list)
    for e, entry in enumerate(found):
        wanted[plain(entry.title)].append(e)
        if number := number_of(entry.title):
            wanted[plain(entry.title[number.end :])].append(e)
    places: dict[int, list[int]] = defaultdict(list)
    for k, line in enumerate(lines):
        if k in taken or len(line.text) > 200:
            continue
        keys = {plain(line.text)}
        if number := number_of(line.text):
            keys.add(plain(line.text[number.end :]))
        for key in keys - {""}:
            for e in wanted.get(key, ())[:50]:
                places[e].append(k)
    offsets = Counter(lines[k].page - found[e].page for e, at in places.items() if found[e].page for k in at)
    if not offsets:
        return {}
    offset = min(offsets, key=lambda o: (-offsets[o], abs(o)))
    levels = _levels(found)
    result: dict[int, int] = {}
    for e in sorted(places):
        near = [k for k in places[e] if found[e].page and lines[k].page == found[e].page + offset]
        if near:
            best = min(near, key=lambda k: (-lines[k].size, k))
            result.setdefault(best, levels[e])
    return result


def _levels(found: Sequence[Entry]) -> list[int]:
    """By the numbers of the titles, else by how far they are indented."""
    steps: list[float] = []
    for left in sorted(entry.left for entry in found):
        if not steps or left - steps[-1] > 4:
            steps.append(left)
    result = []
    for entry in found:
        number = number_of(entry.title)
        if number and number.series in ("decimal", "lettered"):
            result.append(number.depth)
        else:
            result.append(max(1, sum(step <= entry.left + 0.1 for step in steps)))
    return result
