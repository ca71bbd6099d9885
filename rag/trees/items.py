"""Items of a list: the dates, figures, places and people that sentences speak of, found by their looks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from rag.doctree import DocTree
from rag.lexical import STOP, stem
from rag.readers.spans import AUXILIARIES, MONTHS, NUMBERS, PREPOSITIONS, Token, tokens
from rag.trees.aim import Aim

__all__ = ["FIGURES", "Found", "Range", "best_item", "typed_spans"]

MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?"
    r"|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
DAY, YEAR = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)?", r"(?:1\d{3}|20\d{2}|21\d{2})"
NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SCALE = r"(?:\s(?:hundred|thousand|million|billion|trillion)|[kKmMbB](?=\W|$))?"
UNIT = (
    r"(?:%|°[CF]?|(?:per ?cent|percent|years?|months?|weeks?|days?|hours?|minutes?|seconds?|k?m|cm|mm|miles?|feet|ft"
    r"|inch(?:es)?|met(?:re|er)s?|kilomet(?:re|er)s?|k?g|tons?|tonnes?|lit(?:re|er)s?|[KMGT]B|[kMG]?W|volts?|acres?|hectares?)(?=\W|$))"
)
DATES = rf"{MONTH}\s{DAY},?\s{YEAR}|{DAY}(?:\sof)?\s{MONTH},?\s{YEAR}|{YEAR}-\d{{2}}-\d{{2}}" + (
    r"|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)
FIGURES = {  # kind -> forms, the fullest first
    "date": (DATES, rf"{MONTH},?\s{YEAR}", rf"{MONTH}\s{DAY}|{DAY}(?:\sof)?\s{MONTH}", YEAR),
    "year": (YEAR,),
    "money": (
        rf"[$€£¥]\s?(?:{NUMBER}){SCALE}|(?:{NUMBER}){SCALE}\s(?:dollars|euros|pounds|yen|cents|USD|EUR|GBP)"
        rf"|(?:USD|EUR|GBP)\s?(?:{NUMBER}){SCALE}",
    ),
    "percent": (rf"(?:{NUMBER})\s?(?:%|per ?cent|percent)",),
    "amount": (rf"[$€£¥]\s?(?:{NUMBER}){SCALE}|(?:{NUMBER}){SCALE}[\s-]?{UNIT}", rf"(?:{NUMBER}){SCALE}"),
    "number": (rf"(?:{NUMBER}){SCALE}|(?:{'|'.join(sorted(NUMBERS - {'second', 'first', 'third', 'half'}))})(?=\W|$)",),
    "span": (
        rf"(?:{NUMBER}|{'|'.join(sorted(NUMBERS))})[\s-](?:years?|months?|weeks?|days?|hours?|minutes?|seconds?)",
    ),
    "time": (r"\d{1,2}:\d{2}(?:\s?[ap]\.?m\.?)?|\d{1,2}\s?[ap]\.?m\.?",),
}
FORMS = {
    kind: tuple(
        re.compile(rf"(?<![\w.,$€£¥-])(?:{form})(?![\w%])", re.IGNORECASE if kind == "span" else 0) for form in forms
    )
    for kind, forms in FIGURES.items()
}
SOLID, CLOSE = 1.0, 0.3
IN = frozenset(
    ("in", "at", "near", "inside", "outside", "over", "across", "around", "behind", "beside", "beneath", "along")
)
JOINS = frozenset(("of", "the", "de", "la", "van", "von", "’s", "'s", "-"))


class Range(Protocol):
    """Anything with a range."""

    @property
    def start(self) -> int:
        """First code point."""

    @property
    def end(self) -> int:
        """One past the last."""


class Found(NamedTuple):
    """A span of a kind: its range in the document, and how much it looks like the kind, in [0, 2]."""

    start: int
    end: int
    worth: float


def best_item(
    tree: DocTree, near: Sequence[Range], unit: Sequence[Range], aim: Aim, *, alone: bool = False
) -> tuple[int, int] | None:
    """The item of the kind asked for, near some sentences of a unit; None where there is none.

    What looks most like its kind wins (a date with its year; a name of two words; a place behind `in` or `at`; a
    person who is named again by one name alone), a little helped by standing in a near sentence; then what comes more
    often, then the first. What shares a word with the question is no item. An item of no known kind is the first
    near sentence.

    Args:
        tree: holds the text.
        near: sentences that speak of what is asked.
        unit: all sentences, from which the uses of a name are learnt.
        aim: the question.
        alone: only near sentences may hold it, and it must look its kind.

    Returns:
        Its first place, as a half-open range of the document.
    """
    text = tree.document.text
    if aim.kind not in FIGURES and aim.kind not in ("person", "place", "group"):
        return (near[0].start, near[0].end) if near else None
    asked = {word for word, _ in aim.words}
    found: dict[str, list[Found]] = {}
    for one in typed_spans(text, unit, aim.kind):
        item = text[one.start : one.end]
        words = {stem(w.low) for w in tokens(item) if w.shape != "p" and w.low not in STOP}
        close = any(place.start <= one.start < place.end for place in near)
        if words and not words & asked and (close or not alone) and (not alone or one.worth >= SOLID):
            found.setdefault(item, []).append(one._replace(worth=one.worth + CLOSE * close))
    rows = sorted(found.values(), key=lambda r: (-max(one.worth for one in r), -len(r), r[0].start))
    return (rows[0][0].start, rows[0][0].end) if rows else None


def typed_spans(text: str, ranges: Sequence[Range], kind: str) -> list[Found]:
    """Spans of a kind in some ranges, in order; they do not overlap."""
    if kind in FORMS:
        return [one for place in ranges for one in _figures(text, place.start, place.end, kind)]
    split = [tokens(text, place.start, place.end) for place in ranges]
    alone = Counter(words[i].low for words in split for i in range(len(words)) if _single(words, i))
    return [one for words in split for one in _named(words, kind, alone)]


def _figures(text: str, start: int, end: int, kind: str) -> list[Found]:
    found: list[Found] = []
    for rank, form in enumerate(FORMS[kind]):
        for m in form.finditer(text, start, end):
            if all(m.end() <= one.start or m.start() >= one.end for one in found):
                found.append(Found(m.start(), m.end(), 2.0 - 0.5 * rank))
    return sorted(found)


def _capital(word: Token) -> bool:
    return (
        word.shape in "CU" and word.low not in MONTHS and word.low not in PREPOSITIONS and word.low not in AUXILIARIES
    )


def _single(words: Sequence[Token], i: int) -> bool:
    """Whether a capitalised word stands alone, as people do who are named again."""
    before = i > 0 and _capital(words[i - 1])
    return _capital(words[i]) and not before and not (i + 1 < len(words) and _capital(words[i + 1]))


def _named(words: Sequence[Token], kind: str, alone: Counter[str]) -> Iterator[Found]:
    i = 0
    while i < len(words):
        if not _capital(words[i]):
            i += 1
            continue
        j = last = i + 1
        while j < len(words) and j - i < 8 and (_capital(words[j]) or words[j].low in JOINS):
            if _capital(words[j]):
                last = j + 1
            j += 1
        single = last - i == 1
        again = sum(alone[w.low] for w in words[i:last] if _capital(w)) > single
        the = i > 0 and words[i - 1].low == "the"
        before = words[i - 1 - the].low if i > the else ""
        worth = 1.0 - 0.5 * single - 0.4 * (i == 0 and single)
        if kind == "place":
            worth += 0.75 * (before in IN) - 0.5 * again
        elif kind == "person":
            worth += 0.5 * again - 0.75 * (before in IN) - 0.5 * the
        if worth > 0:
            yield Found(words[i].start, words[last - 1].end, round(worth, 6))
        i = max(last, i + 1)
