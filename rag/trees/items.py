"""Items of a list: the date, place or person that a few sentences speak of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rag.doctree import DocTree
from rag.lexical import STOP, stem
from rag.readers.spans import MONTHS, Token, candidates, look, tokens
from rag.trees.aim import Aim

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["best_item", "typed_spans"]

LOOKS = {
    "date": ("date", "dated", "year", "range", "time"),
    "year": ("year",),
    "number": ("number", "count", "unit", "numbers"),
    "amount": ("money", "unit", "percent", "number"),
    "percent": ("percent",),
    "span": ("time", "range"),
}
IN = frozenset("in at near inside outside by around across from to through within beneath above of".split())  # noqa: SIM905
JOINS = frozenset(("of", "the", "de", "la", "van", "von", "’s", "'s", "and", "-"))
FULL = re.compile(r"\d{4}|\d{1,2}")


class Range(Protocol):
    """Anything with a range."""

    @property
    def start(self) -> int:
        """First code point."""

    @property
    def end(self) -> int:
        """One past the last."""


def best_item(tree: DocTree, near: Sequence[Range], around: Sequence[Range], aim: Aim) -> str | None:
    """The item of the kind asked for: in the sentences near first, then in those around; None where there is none.

    Of several the fullest look wins (a date with its year, a name of two words), then the one that comes more often
    in all the sentences, then the earlier one. Things of no known kind are the first sentence itself. Words of the
    question are no items.
    """
    text = tree.document.text
    if aim.kind not in LOOKS and aim.kind not in ("person", "place", "group"):
        first = near[0] if near else None
        return text[first.start : first.end] if first is not None else None
    asked = {word for word, _ in aim.words}
    for place in (near, around):
        found: dict[str, list[int]] = {}
        worth: dict[str, float] = {}
        for order, (item, value) in enumerate(typed_spans(text, place, aim.kind)):
            words = {stem(w.low) for w in tokens(item) if w.shape != "p" and w.low not in STOP}
            if words and not words & asked:
                found.setdefault(item, []).append(order)
                worth[item] = max(worth.get(item, 0.0), value)
        if found:
            return min(found, key=lambda item: (-worth[item], -len(found[item]), found[item][0]))
    return None


def typed_spans(text: str, ranges: Sequence[Range], kind: str) -> Iterator[tuple[str, float]]:
    """Spans of a kind with a worth for how much they look like it, in order; the longest at each place."""
    for place in ranges:
        words = tokens(text, place.start, place.end)
        if kind in LOOKS:
            yield from _figures(text, words, kind)
        else:
            yield from _named(text, words, kind)


def _figures(text: str, words: Sequence[Token], kind: str) -> Iterator[tuple[str, float]]:
    fitting = LOOKS[kind]
    spans = [(i, j, look(words, i, j)) for i, j in candidates(words)]
    spans = [(i, j, seen) for i, j, seen in spans if seen in fitting]
    end = 0
    for i, j, seen in sorted(spans, key=lambda s: (s[0], -s[1])):
        if i >= end:
            item = text[words[i].start : words[j - 1].end]
            whole = 1.0 if kind == "date" and seen in ("date", "dated") and len(FULL.findall(item)) > 1 else 0.0
            yield item, whole + 1.0 - fitting.index(seen) / 10
            end = j


def _named(text: str, words: Sequence[Token], kind: str) -> Iterator[tuple[str, float]]:
    i = 0
    while i < len(words):
        if words[i].shape not in "CU" or words[i].low in MONTHS:
            i += 1
            continue
        j = last = i + 1
        while j < len(words) and j - i < 8 and (words[j].shape in "CU" or words[j].low in JOINS):
            if words[j].low == "and" and kind == "person":
                break
            if words[j].shape in "CU":
                last = j + 1
            j += 1
        before = words[i - 1].low if i else ""
        two = before == "the" and i > 1
        before = words[i - 2].low if two else before
        alone = last - i == 1
        opens = i == 0
        placed = before in IN
        worth = 1.0 - 0.5 * alone - 0.5 * (opens and alone)
        if kind == "place":
            worth += 1.0 * placed - 0.5 * (not placed)
        elif kind == "person":
            worth -= 1.0 * placed + 0.5 * two
        if worth > 0:
            yield text[words[i].start : words[last - 1].end], worth
        i = max(last, i + 1)
