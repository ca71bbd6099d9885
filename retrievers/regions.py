"""From words of place to ranges of one document."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rag.doctree import KINDS, DocTree
from rag.sentences import sentence_spans
from retrievers.bundle import numbers
from retrievers.pages import Pages, pages_of
from retrievers.places import Place, Places

__all__ = ["regions"]

Ranges = list[tuple[int, int]]
BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
LINE = re.compile(r"[^\n\f]+")
ITEM = re.compile(r"(?m)^[^\S\n]*(?:[-*+•‣◦▪●]|\(?\d{1,3}[.)]|\(?[a-z][.)])[^\S\n]+\S[^\n]*")
CAPTIONS = {
    "table": "table|tab",
    "figure": "figure|fig|scheme|plate|chart|image|photo|diagram",
    "equation": "equation|eq",
}
NEAR = 1500  # characters behind a caption, or before it, that belong to the table or figure


def regions(tree: DocTree, asked: Places) -> Ranges:
    """The ranges of a document that meet every condition; none where one cannot be met.

    Conditions nest from the outside in: pages, sections by label or name, sections by order among those, thirds of
    the page, then paragraphs, sentences, lines, items, tables and figures counted inside what is left. A name that no
    heading bears is no condition: it may be no heading at all.
    """
    return _Finder(tree, asked).found()


class _Finder:
    def __init__(self, tree: DocTree, asked: Places) -> None:
        self.tree, self.asked, self.text = tree, asked, tree.document.text

    @cached_property
    def pages(self) -> Pages:
        return pages_of(self.tree)

    @cached_property
    def heads(self) -> list[int]:
        """Sections with a heading, in order."""
        return np.flatnonzero(self.tree.titles[:, 1] > self.tree.titles[:, 0]).tolist()

    def found(self) -> Ranges:
        region: Ranges = [(0, len(self.text))] if self.text else []
        met = False
        wanted = [p for p in self.asked.places if p.unit == "page"]
        if wanted:
            at = [i for p in wanted if (i := self.pages.at(p)) is not None]
            region, met = [tuple(self.pages.items[i][:2]) for i in at], True  # type: ignore[misc]
        sections = [p for p in self.asked.places if p.unit == "section"]
        for place in sorted(sections, key=lambda p: (not (p.label or p.name), p.number)):
            nodes = self._sections(place, region)
            if nodes is None:
                continue
            region = _within([(int(self.tree.start[n]), int(self.tree.end[n])) for n in nodes], region)
            met = True
        if (self.asked.rows or self.asked.columns) and self.pages.items:
            cells = self._cells(region)
            region, met = (cells or region), True
        for place in self.asked.places:
            if place.unit not in ("page", "section"):
                found = self._units(place, region)
                if found is None:
                    continue
                region, met = found, True
        return [r for r in region if self.text[slice(*r)].strip()] if met else []

    def _sections(self, place: Place, region: Ranges) -> list[int] | None:
        """Sections that a place names; None where it is no condition here."""
        if place.name:
            nodes = self._named(place.name)
            if not nodes:
                return None
        elif place.label and not place.label.isdecimal():
            nodes = numbers(self.tree).get(place.label, [])
            if not nodes and place.number:
                nodes = numbers(self.tree).get(str(place.number), [])
        elif place.label:
            nodes = numbers(self.tree).get(place.label, []) or numbers(self.tree).get(_roman(place.number), [])
            nodes = nodes or self._ordinal(place.number, region)
        else:
            nodes = self._ordinal(place.number, region)
        if place.shift and nodes:
            return self._beside(nodes[0], place.shift)
        return nodes

    def _named(self, name: str) -> list[int]:
        words = set(re.findall(r"\w+", name))
        best: list[int] = []
        score = 0.0
        for node in self.heads:
            title = set(re.findall(r"\w+", self.tree[node].title.lower())) - {"the", "a", "of", "and"}
            both = len(words & title)
            share = both / max(len(words | title), 1)
            if both and share > score and (both == len(words) or both == len(title)):
                best, score = [node], share
        return best if score >= 0.34 else []

    def _ordinal(self, number: int, region: Ranges) -> list[int]:
        """The nth section of the highest level that has several, inside the region."""
        spans = {n: (int(self.tree.start[n]), int(self.tree.end[n])) for n in self.heads}
        inside = [n for n in self.heads if any(a <= spans[n][0] and spans[n][1] <= b for a, b in region) or
                  any(a <= spans[n][0] < b for a, b in region)]  # fmt: skip
        whole = [n for n in inside if spans[n] in region]
        inside = [n for n in inside if n not in whole] or inside
        levels = Counter(int(self.tree.level[n]) for n in inside)
        several = [level for level in sorted(levels) if levels[level] > 1] or sorted(levels)
        if not several:
            return []
        rank = [n for n in inside if int(self.tree.level[n]) == several[0]]
        at = number - 1 if number > 0 else len(rank) + number
        return [rank[at]] if 0 <= at < len(rank) else []

    def _beside(self, node: int, shift: int) -> list[int]:
        """The next or previous section that is not inside this one."""
        if shift > 0:
            behind = [n for n in self.heads if int(self.tree.start[n]) >= int(self.tree.end[node])]
            return behind[:1]
        before = [n for n in self.heads if int(self.tree.end[n]) <= int(self.tree.start[node])]
        return before[-1:]

    def _cells(self, region: Ranges) -> Ranges:
        """What of the region stands in the wished thirds of its pages."""
        found: Ranges = []
        for page in self.pages.items:
            for start, end in _within([(page.start, page.end)], region):
                boxed = [b for b in self.tree.document.blocks if b.box is not None and start <= b.start < end]
                if boxed:
                    height = page.height or max(b.box[3] for b in boxed if b.box)
                    width = page.width or max(b.box[2] for b in boxed if b.box)
                    found += [(b.start, b.end) for b in boxed if b.box and self._in_cell(b.box, width, height)]
                else:
                    found += self._lines(start, end)
        return _joined(found)

    def _in_cell(self, box: tuple[float, float, float, float], width: float, height: float) -> bool:
        left, top, right, bottom = box
        rows = all(top < height * (r + 1) / 3 and bottom > height * r / 3 for r in self.asked.rows)
        columns = all(left < width * (c + 1) / 3 and right > width * c / 3 for c in self.asked.columns)
        return rows and columns

    def _lines(self, start: int, end: int) -> Ranges:
        """Thirds of a page without boxes: by lines, and by columns of characters where the layout was kept."""
        lines = [m.span() for m in LINE.finditer(self.text, start, end) if m.group().strip()]
        if not lines:
            return []
        third = max(1, -(-len(lines) // 3))
        for row in self.asked.rows:
            lines = (lines[:third], lines[third : 2 * third] or lines, lines[-third:])[row]
        width = max(b - a for a, b in lines)
        for column in self.asked.columns:
            near = [
                (a, b)
                for a, b in lines
                if self.text[a + width * column // 3 : min(b, a + width * (column + 1) // 3)].strip()
            ]
            lines = near or lines
        return lines

    def _units(self, place: Place, region: Ranges) -> Ranges | None:
        """The nth paragraph, sentence, line or item, or a table, figure or equation by number."""
        if place.unit in CAPTIONS:
            return self._captioned(place, region)
        pieces: Ranges = []
        for start, end in region:
            if place.unit == "sentence":
                pieces += [(a, b) for a, b in sentence_spans(self.text, start, end) if not self._heading(a, b)]
            elif place.unit == "paragraph":
                pieces += self._paragraphs(start, end)
            else:
                pattern = ITEM if place.unit == "item" else LINE
                pieces += [m.span() for m in pattern.finditer(self.text, start, end) if m.group().strip()]
        at = place.number - 1 if place.number > 0 else len(pieces) + place.number
        return [pieces[at]] if place.number and 0 <= at < len(pieces) else None if not pieces else []

    def _paragraphs(self, start: int, end: int) -> Ranges:
        blocks = [b for b in self.tree.document.blocks if start <= b.start < end]
        if blocks:
            return [(b.start, b.end) for b in blocks if b.kind in ("text", "quote", "list")]
        cuts = [start, *(m.end() for m in BLANK_LINE.finditer(self.text, start, end)), end]
        pieces = [(a, b) for a, b in itertools.pairwise(cuts) if self.text[a:b].strip()]
        return [(a, b) for a, b in pieces if not self._heading(a, b)]

    def _heading(self, start: int, end: int) -> bool:
        """Whether a range is nothing but a heading."""
        body = self.text[start:end].strip().lstrip("#=* ").rstrip("#=* ")
        return body in self._titles

    @cached_property
    def _titles(self) -> frozenset[str]:
        return frozenset(self.text[a:b].strip() for a, b in self.tree.titles.tolist() if b > a)

    def _captioned(self, place: Place, region: Ranges) -> Ranges | None:
        """A table or figure: its caption, and what stands beside it; else the nth block of that kind."""
        names, label = CAPTIONS[place.unit], place.label or str(place.number)
        if place.label or place.number > 0:
            roman = _roman(place.number)
            labels = "|".join(re.escape(x) for x in dict.fromkeys((label, roman, str(place.number or label))) if x)
            caption = re.compile(
                rf"(?im)(?P<head>^[^\S\n]*\W{{0,4}})?\b(?:{names})s?\.?\s*(?:no\.?\s*)?\(?(?:{labels})\b(?!\.\d)"
            )
            found = [m for start, end in region for m in caption.finditer(self.text, start, end)]
            heads = [m for m in found if m["head"] is not None]
            if heads or found:
                return [self._around(m.start(), m.end(), place.unit, region) for m in (heads or found[:3])]
        if place.label:
            return None
        kind = KINDS.index("table" if place.unit == "table" else "figure")
        leaves = [n for n in self.tree.leaf_ids.tolist() if int(self.tree.kind[n]) == kind]
        spans = _within([(int(self.tree.start[n]), int(self.tree.end[n])) for n in leaves], region)
        at = place.number - 1 if place.number > 0 else len(spans) + place.number
        return [spans[at]] if 0 <= at < len(spans) else None

    def _around(self, start: int, end: int, unit: str, region: Ranges) -> tuple[int, int]:
        """From a caption to the end of its paragraph; for a table some of what follows too."""
        stop = BLANK_LINE.search(self.text, end)
        close = stop.start() if stop is not None else len(self.text)
        limit = next((b for a, b in region if a <= start < b), len(self.text))
        return start, min(max(close, end + NEAR) if unit == "table" else close, limit)


def _roman(number: int) -> str:
    if not 0 < number < 40:
        return ""
    return "x" * (number // 10) + ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")[number % 10]


def _within(ranges: Sequence[tuple[int, int]], region: Ranges) -> Ranges:
    """The parts of ranges inside the region."""
    return [(max(a, s), min(b, e)) for a, b in ranges for s, e in region if max(a, s) < min(b, e)]


def _joined(ranges: Ranges) -> Ranges:
    found: Ranges = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
