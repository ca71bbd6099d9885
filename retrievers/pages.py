"""The pages of a document: from its loader, its blocks or its form feeds, and the numbers printed on them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rag.doctree import DocTree
from retrievers.places import Place

__all__ = ["Page", "Pages", "pages_of"]

PRINTED = re.compile(r"\d{1,5}")


class Page(NamedTuple):
    """One page: its range of the text, and its size in points where that is known."""

    start: int
    end: int
    width: float = 0.0
    height: float = 0.0


class Pages(NamedTuple):
    """The pages of a document, and the number printed on the first of them less one (0 where none was found)."""

    items: tuple[Page, ...]
    offset: int

    def at(self, place: Place) -> int | None:
        """Position of the page a place names; None where there is no such page."""
        size = len(self.items)
        if place.number < 0:
            return size + place.number if -place.number <= size else None
        if 1 <= place.number <= size:
            return place.number - 1
        printed = place.number - self.offset - 1
        return printed if self.offset and 0 <= printed < size else None


def pages_of(tree: DocTree) -> Pages:
    """Pages from the loader (`metadata["pages"]`: start, end and perhaps width, height), its blocks, or form feeds.

    Printed numbers (page 893 of a journal) come from what stands in the first and last line of each page: the offset
    most pages agree on, at least two and a third of all (PageIndex's mode offset,
    https://github.com/VectifyAI/PageIndex).
    """
    text, given = tree.document.text, tree.document.metadata.get("pages")
    items: list[Page] = []
    if isinstance(given, (list, tuple)) and given:
        items = [page for one in given if (page := _page(one, len(text))) is not None]
    elif any(block.page for block in tree.document.blocks):
        ends: dict[int, list[int]] = {}
        for block in tree.document.blocks:
            if block.page:
                ends.setdefault(block.page, []).extend((block.start, block.end))
        items = [Page(min(ends[n]), max(ends[n])) if n in ends else Page(0, 0) for n in range(1, max(ends) + 1)]
    elif "\f" in text:
        cuts = [0, *(m.end() for m in re.finditer("\f", text)), len(text)]
        items = [Page(a, b) for a, b in itertools.pairwise(cuts) if text[a:b].strip()]
    return Pages(tuple(items), _offset(text, items))


def _page(given: object, size: int) -> Page | None:
    """One entry of a page table, None where it is none."""
    if not isinstance(given, (list, tuple)) or len(given) < 2:
        return None
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in given[:4]):
        return None
    page = Page(int(given[0]), int(given[1]), *(float(n) for n in given[2:4]))
    return page if 0 <= page.start < page.end <= size else None


def _offset(text: str, items: Sequence[Page]) -> int:
    votes: Counter[int] = Counter()
    for i, page in enumerate(items):
        lines = [line for line in text[page.start : page.end].splitlines() if line.strip()]
        edge = lines[:1] + lines[-1:] if len(lines) > 1 else lines
        found = {int(n) for line in edge if len(line.strip()) < 200 for n in PRINTED.findall(line)}
        votes.update({n - i - 1 for n in found})
    best = sorted(votes.items(), key=lambda pair: (-pair[1], abs(pair[0])))[:1]
    return best[0][0] if best and best[0][1] >= max(2, len(items) / 3) else 0
