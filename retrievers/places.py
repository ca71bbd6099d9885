"""Words that say where in a document: pages, places on a page, sections, paragraphs, tables, figures, by rule."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Place", "Places", "number_of", "places"]

CONTAINERS = ("page", "section")
UNITS = ("paragraph", "sentence", "line", "item", "table", "figure", "equation")

_WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_NTH = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth"
)
ORDINALS = {word: n for n, word in enumerate(_NTH.split(), 1)} | {
    "opening": 1, "initial": 1, "last": -1, "final": -1, "closing": -1, "penultimate": -2,
}  # fmt: skip
NUMBERS = {word: n for n, word in enumerate(_WORDS.split(), 1)}
NOUNS = {
    "page": "page", "slide": "page", "sheet": "page",
    "section": "section", "chapter": "section", "part": "section", "article": "section", "clause": "section",
    "subsection": "section", "appendix": "section", "annex": "section", "schedule": "section", "exhibit": "section",
    "paragraph": "paragraph", "para": "paragraph", "sentence": "sentence", "line": "line", "row": "line",
    "item": "item", "bullet": "item", "bullet point": "item", "list item": "item", "step": "item",
    "table": "table", "figure": "figure", "fig.": "figure", "fig": "figure", "chart": "figure", "diagram": "figure",
    "image": "figure", "picture": "figure", "photo": "figure", "photograph": "figure", "graph": "figure",
    "equation": "equation", "eq.": "equation", "formula": "equation",
}  # fmt: skip
_NOUN = "|".join(sorted((re.escape(noun) for noun in NOUNS), key=len, reverse=True))
_ORDINAL = "|".join([*ORDINALS, r"\d{1,4}(?:st|nd|rd|th)"])
_NUMBER = r"\d{1,4}(?:[.\-–]\d{1,4})*(?:\(\w{1,4}\))*|[ivxlc]{1,7}\b|[a-h]\b|" + "|".join(NUMBERS)

RANGE = re.compile(r"\b(?:pages|pp\.?|slides)\s*(\d{1,4})\s*(?:-|–|to|through|and)\s*(\d{1,4})\b")
FROM_END = re.compile(
    rf"\b(?P<nth>{_ORDINAL}|next)[\s-]+(?:to|from)[\s-]+(?:the[\s-]+)?(?:last|end)\s+(?P<noun>{_NOUN})s?\b"
)
NTH = re.compile(rf"\b(?P<nth>{_ORDINAL})\s+(?:(?:full|whole|main|numbered|body)\s+)?(?P<noun>{_NOUN})\b")
LABELLED = re.compile(
    rf"(?:\b(?P<noun>{_NOUN})s?\s*(?:no\.?|number|numbered|#)?\s*|(?P<sign>§+)\s*|\bp\.\s*)(?P<label>{_NUMBER})(?![\w%])"
)
QUOTED = re.compile(
    r"\b(?:section|chapter|part|heading|paragraph|article|headed|titled|entitled|called|named|under|subsection)"
    r"[\s,]+(?:(?:titled|entitled|called|named|headed|on|about|of|heading)\s+)?[\"“'‘]([^\"”'’]{2,80})[\"”'’]"
)
NAMED = re.compile(
    r"\b(?:in|of|under|from|after|before|following|preceding|at|within)\s+the\s+[\"“'‘]?"
    r"((?:[\w&-]+\s+){0,4}?[\w&-]+)[\"”'’]?\s+(?:section|chapter|subsection|appendix)\b"
)
STANDARD = re.compile(
    r"\b(?:in|of|after|before|following|preceding|does|is|under)\s+(?:the\s+)?(abstract|introduction|conclusions?|discussion"
    r"|references|acknowledge?ments?|methods?|results|preface|summary|background|related work)\b"
    r"(?!\s+of\s+the\s+(?:study|work))"
)
RELATION = re.compile(r"\b(after|before|following|preceding|follows|precedes)\s+(?:the\s+)?[\"“'‘]?$")
BACK = re.compile(
    r"\b(?:section|chapter|heading|part)\b[^.?!]{0,40}\b(after|before|following|preceding|follows|precedes)\s+(?:the\s+)?"
)
_EDGE = r"(?:beginning|start|head)"
TOP = re.compile(rf"\b(?:top|upper|uppermost|topmost)\b|\b(?:at|in) the {_EDGE} of (?:the )?(?:\w+ )?page|\bheader\b")
BOTTOM = re.compile(r"\b(?:bottom|lower|lowest|foot)\b|\b(?:at|in) the end of (?:the )?(?:\w+ )?page|\bfooter\b")
LEFT = re.compile(r"\bleft\b(?!\s+(?:to|over|behind|out))")
RIGHT = re.compile(
    r"\bright\b(?=[\s-]*(?:side|corner|column|hand|of|part|half|edge|margin|on|in|,|\?|$))"  # not a tenant's right
)
MIDDLE = re.compile(r"\b(?:middle|cent(?:er|re))\b")
OF_DOCUMENT = re.compile(
    r"\b(?:top|bottom|head|foot|header|footer)\b[^.?!]{0,30}\b(?:document|file|paper|article|letter|report)\b"
)
ON_PAGE = re.compile(r"\b(?:page|slide|corner|side|document|column)\b")
EMPTY = frozenset("this that same whole main other next previous the which each".split())  # noqa: SIM905
LETTERED = frozenset("appendix annex schedule exhibit part section article table figure".split())  # noqa: SIM905


class Place(NamedTuple):
    """One condition on where evidence stands.

    Args:
        unit: `page`, `section`, `paragraph`, `sentence`, `line`, `item`, `table`, `figure` or `equation`.
        number: 1 is the first, -1 the last; 0 where a label or a name says which.
        label: as written, in lower case: `7.3`, `iv`, `b`; "" where there is none.
        name: words of a heading, in lower case; "" where there is none.
        shift: 1 for the section after it, -1 for the one before.
    """

    unit: str
    number: int = 0
    label: str = ""
    name: str = ""
    shift: int = 0


class Places(NamedTuple):
    """All conditions of a question.

    Args:
        places: each to be met by the evidence.
        rows: thirds of the page from the top that count, 0 to 2; () for all.
        columns: thirds from the left that count; () for all.
    """

    places: tuple[Place, ...] = ()
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.places or self.rows or self.columns)


def number_of(label: str) -> int:
    """A label as a number: digits, words up to sixteen, Roman numerals; 0 where it is none."""
    if label in NUMBERS:
        return NUMBERS[label]
    if label.isdecimal():
        return int(label)
    if not re.fullmatch(r"[ivxlc]+", label):
        return 0
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[letter] for letter in label]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def places(question: str) -> Places:
    """Read the words of place in a question.

    MoDora asks a model for a page list and a place on a 3 x 3 grid (https://arxiv.org/abs/2602.23061, its question
    analysis); these are rules for English, so that no model is needed, and they know sections, paragraphs, tables and
    figures too. What is not understood is no condition, so at worst a question is a plain one.
    """
    text = " ".join(question.lower().split())
    reading = _Reading(text)
    reading.quoted()
    reading.ranges()
    reading.ordinals()
    reading.labels()
    reading.names()
    found = reading.found
    if any(place.shift for place in found):  # `the first section after the abstract` is one condition
        found = [place for place in found if place.unit != "section" or place.shift or not place.number]
    rows, columns = _grid(text)
    if rows in ((0,), (2,)) and OF_DOCUMENT.search(text) and not any(place.unit == "page" for place in found):
        found.append(Place("page", 1 if rows == (0,) else -1))
    return Places(tuple(found), rows, columns)


class _Reading:
    """One pass over a question; what one rule took, later rules leave alone."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Place] = []
        self._taken: list[tuple[int, int]] = []

    def _free(self, span: tuple[int, int]) -> bool:
        return not any(span[0] < b and a < span[1] for a, b in self._taken)

    def _take(self, span: tuple[int, int], *made: Place) -> None:
        self._taken.append(span)
        self.found.extend(place for place in made if place not in self.found)

    def quoted(self) -> None:
        """`the section "Late fee"`."""
        for match in QUOTED.finditer(self.text):
            self._take(match.span(), Place("section", name=match.group(1).strip(), shift=_shift(self.text, match)))

    def ranges(self) -> None:
        """`pages 2 to 4`."""
        for match in RANGE.finditer(self.text):
            low, high = int(match.group(1)), int(match.group(2))
            if 0 < low <= high < low + 50:
                self._take(match.span(), *(Place("page", n, str(n)) for n in range(low, high + 1)))

    def ordinals(self) -> None:
        """`the second to last page`, `the third paragraph`."""
        for match in FROM_END.finditer(self.text):
            nth = 2 if match["nth"] == "next" else _nth(match["nth"])
            if nth > 0:
                self._take(match.span(), Place(NOUNS[match["noun"]], -nth))
        for match in NTH.finditer(self.text):
            if self._free(match.span()):
                place = Place(NOUNS[match["noun"]], _nth(match["nth"]), shift=_shift(self.text, match))
                self._take(match.span(), place)

    def labels(self) -> None:
        """`table 2`, `clause 7.3`, `Article IV`, `§ 12`, `p. 3`."""
        for match in LABELLED.finditer(self.text):
            label = match["label"].replace("–", "-").rstrip(".")
            letter = len(label) == 1 and label.isalpha()
            if not self._free(match.span()) or (letter and (label == "a" or match["noun"] not in LETTERED)):
                continue
            unit = "section" if match["sign"] else NOUNS[match["noun"]] if match["noun"] else "page"
            self._take(match.span(), Place(unit, number_of(label), label, shift=_shift(self.text, match)))

    def names(self) -> None:
        """`in the related work section`, `the section after the introduction`."""
        for pattern in (NAMED, STANDARD):
            for match in pattern.finditer(self.text):
                words = [w for w in match.group(1).split() if w not in ORDINALS and w not in NUMBERS]
                if self._free(match.span(1)) and not EMPTY.issuperset(words):
                    place = Place("section", name=" ".join(words), shift=_related(self.text, match))
                    self._take(match.span(1), place)


def _nth(word: str) -> int:
    return ORDINALS[word] if word in ORDINALS else int(re.sub(r"\D", "", word) or 0)


def _shift(text: str, match: re.Match[str]) -> int:
    relation = RELATION.search(text[: match.start()])
    if relation is None or not re.search(r"section|chapter|heading", text):
        return 0
    return 1 if relation.group(1) in ("after", "following", "follows") else -1


def _related(text: str, match: re.Match[str]) -> int:
    """Whether a heading is meant by what comes after or before it: `the section after the introduction`."""
    lead = BACK.search(text[: match.start(1)])
    if lead is None or lead.end() < match.start(1) - 1:
        return 0
    return 1 if lead.group(1) in ("after", "following", "follows") else -1


def _grid(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows and columns of the page's 3 x 3 grid, where the question speaks of a page at all."""
    if not ON_PAGE.search(text):
        return (), ()
    rows = tuple(row for pattern, row in ((TOP, 0), (BOTTOM, 2)) if pattern.search(text))
    columns = tuple(column for pattern, column in ((LEFT, 0), (RIGHT, 2)) if pattern.search(text))
    if MIDDLE.search(text):
        if not rows:
            rows = (1,)
        elif not columns:
            columns = (1,)
    return rows if len(rows) < 2 else (), columns if len(columns) < 2 else ()
