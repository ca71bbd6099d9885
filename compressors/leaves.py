"""The leaves an evidence tree is chosen by, and what stands above them: paragraphs, hits.

Leaves are sentences, list items and table rows, or the elementary discourse units of sentences (`rag.discourse`): then
a unit comes with its host clause, for without that it says nothing. Leaves that are longer than a budget are cut into
discourse units, and these, where still too long, behind their commas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compressors.fit import Fitted, fit
from rag.discourse import edus
from rag.models.tokens import Tokenizer
from rag.types import Hit
from rag.units import Unit, clauses, units

__all__ = ["CODED", "ROW", "Leaves", "filled", "leaves"]

BLANK = re.compile(r"\n[^\S\n]*\n\s*\Z")
ROW = re.compile(r"\s*\|")
CODED = frozenset(("code", "function", "class", "group"))  # kinds of nodes whose text is never cut inside a line


class Leaves(NamedTuple):
    """n leaves of some hits, those of a hit together and in source order.

    Args:
        pool: the leaves; each says its hit.
        needs: for each the leaves that must stand with it, closed; () where none has any.
        sentence: for each the running number of the sentence, item or row that it is, or is a part of.
        paragraph: for each the running number of its paragraph; a hit's end is a paragraph's end.
        stuck: leaves that with what they need exceed the budget.
        sizes: tokens of each leaf; 1 for a piece of what was cut behind its commas.
    """

    pool: list[Unit]
    needs: list[tuple[int, ...]]
    sentence: list[int]
    paragraph: list[int]
    stuck: list[int]
    sizes: list[int]


def leaves(hits: Sequence[Hit], budget: int, tokenizer: Tokenizer, *, finer: bool) -> Leaves:
    """Cut hits into leaves.

    Args:
        hits: the evidence, best first; what an earlier one holds is not given again.
        budget: tokens that a leaf has at most, if it can be cut.
        tokenizer: the reader's.
        finer: discourse units in place of sentences.
    """
    given = units(hits)
    texts = [hits[u.hit].document.text for u in given]
    sizes = tokenizer.counts([text[u.start : u.end] for text, u in zip(texts, given, strict=True)])
    rows = [u.needs is not None or bool(ROW.match(text, u.start)) for text, u in zip(texts, given, strict=True)]
    prose = [not row and hits[u.hit].view.kind not in CODED for row, u in zip(rows, given, strict=True)]
    parts = _discourse(hits, given, [n for n, one in enumerate(prose) if one and (finer or sizes[n] > budget)])
    found = Leaves([], [], [], [], [], [])
    for number, (unit, text) in enumerate(zip(given, texts, strict=True)):
        ranges, needs = parts.get(number, ([(unit.start, unit.end)], [()]))
        base = len(found.pool)
        if number not in parts and sizes[number] <= budget:
            found.sizes.append(sizes[number])
        else:
            ranges, needs, stuck, counts = _short(text, ranges, needs, budget, tokenizer)
            found.sizes.extend(counts)
            found.stuck.extend(base + one for one in stuck)
        found.pool.extend(unit._replace(start=a, end=b) for a, b in ranges)
        found.needs.extend(tuple(base + one for one in mine) for mine in needs)
        found.sentence.extend([number] * len(ranges))
        found.paragraph.extend([_paragraph(found, given, number, text)] * len(ranges))
    return found if any(found.needs) else found._replace(needs=[])


def filled(hits: Sequence[Hit], found: Leaves, order: Sequence[int], budget: int, tokenizer: Tokenizer) -> Fitted:
    """Leaves of an order, and what they need, as far as they fit; see `compressors.fit`."""
    total, guess = 0, 0
    for leaf in order:
        total += found.sizes[leaf]
        guess += total <= budget
    return fit(hits, found.pool, order, budget, tokenizer, needs=found.needs, guess=max(guess, 1), sizes=found.sizes)


def _paragraph(found: Leaves, given: Sequence[Unit], number: int, text: str) -> int:
    """The number of a unit's paragraph: the last one's, unless a hit, a gap or a blank line is between them."""
    if not number:
        return 0
    before, unit = given[number - 1], given[number]
    opens = before.hit != unit.hit or before.end != unit.start or BLANK.search(text[before.start : before.end])
    return found.paragraph[-1] + bool(opens)


def _discourse(
    hits: Sequence[Hit], given: Sequence[Unit], wanted: Sequence[int]
) -> dict[int, tuple[list[tuple[int, int]], list[tuple[int, ...]]]]:
    """For each wanted unit the ranges of its discourse units, and for each the others of them that it needs."""
    by: dict[str, list[int]] = {}
    for number in wanted:
        by.setdefault(hits[given[number].hit].doc, []).append(number)
    found: dict[int, tuple[list[tuple[int, int]], list[tuple[int, ...]]]] = {}
    for numbers in by.values():
        text = hits[given[numbers[0]].hit].document.text
        cut = edus(text, [(given[n].start, given[n].end) for n in numbers])
        first = np.searchsorted(cut.range, np.arange(len(numbers) + 1)).tolist()
        pairs = list(zip(cut.start.tolist(), cut.end.tolist(), strict=True))
        for number, low, high in zip(numbers, first, first[1:], strict=False):
            needs = [tuple(k - low for k in cut.closure([i]) if k != i) for i in range(low, high)]
            found[number] = (pairs[low:high], needs)
    return found


def _short(
    text: str, ranges: list[tuple[int, int]], needs: list[tuple[int, ...]], budget: int, tokenizer: Tokenizer
) -> tuple[list[tuple[int, int]], list[tuple[int, ...]], list[int], list[int]]:
    """Ranges above the budget cut behind their commas, their needs, what with its needs is still above it, sizes."""
    sizes = tokenizer.counts([text[a:b] for a, b in ranges])
    parts: list[tuple[int, int]] = []
    place: list[tuple[int, ...]] = []  # of each range, its parts
    for (a, b), size in zip(ranges, sizes, strict=True):
        pieces = [(a, b)] if size <= budget else clauses(text, a, b)
        place.append(tuple(range(len(parts), len(parts) + len(pieces))))
        parts += pieces
    found: list[tuple[int, ...]] = []
    stuck: list[int] = []
    counts: list[int] = []
    for i, mine in enumerate(needs):
        found += [tuple(part for k in mine for part in place[k])] * len(place[i])
        counts += [sizes[i]] if len(place[i]) == 1 else [1] * len(place[i])
        if mine and sum(sizes[k] for k in (i, *mine)) > budget:
            stuck += place[i]
    return parts, found, stuck, counts
