"""Which lines of a plain text are its headings, weighed by their looks and their surroundings.

A writer of plain text has numbers, capitals, white space and indents. Each line that may be a title gets points for
them and for the prose below it, and loses some for what lists, tables, code and captions look like. The validator
(`rag.loaders.outline`) then keeps what agrees: numbers that rise, one depth a style. Contents are told from what they
name, for their lines come again and have no text between. A title that opens the text stands above the rest.

Held against Markdown and HTML whose marks were taken off (`evals/reproduce/structure.py`; 104 documents that no rule
was made on): F1 .898 (95 %: .864 to .928), precision .959, the right depth for .646 of those found, for .760 after one
shift a document, since a title and a section may look the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rag.loaders.outline import Candidate, Number, number_of, placed

__all__ = ["Seen", "chosen", "may_be"]

LONGEST = 110  # characters of a title
WORDS = 14
CASELESS = 24  # characters of a title in a script without cases
PROSE = 60  # characters of a line of prose
FEWEST = 3  # lines in a row that are contents; words of a running head
TOP = 3  # lines above a title
RUN = 9  # titles in a row that are a list; a line of text shows less of its depth than one of a PDF
OFTEN = 4  # times that a running head stands
CAPTION = re.compile(r"(?:figure|fig|table|image|photo|chart|source|note)\b", re.I)
LABEL = re.compile(r"[\w.'’-]+(?: [\w.'’-]+)?:[ \t]")  # `License: CC BY`, `Dr. Lee: Yes`
WORD = re.compile(r"[^\W\d_][\w'’-]*")
SMALL = re.compile(r"(?:an?|the|of|and|or|in|on|at|to|for|by|with|from|as|vs|via|per|de|la|le|und|der|die|das)$", re.I)
CODE = re.compile(r"[_=<>{}$\\@#|`;]|\(\)|::|//|\.\w+\(")
GAP = re.compile(r"\S(?:[ \t]{3,}|\t)[^\s.]")  # columns
PAGE = re.compile(
    r"(?:[ .·…_]{3,}|\t+| {2,})(?:\d{1,4}|[ivxlc]{1,7})$|\[Page \d+\]$|^page \d+(?: of \d+)?$", re.I
)  # contents and page feet
LONE = re.compile(r"[IVXLC]{1,7}\.?$")
BYLINE = re.compile(r"(?:\w+\s+)?by\s+[A-Z]", re.I)
OPENERS = "\"'“”‘’«»([{<*/"
OPENINGS = re.compile(r"(?:abstract|introduction|preface|foreword|overview|summary|background|contents|notes?)\b", re.I)
ENDS = {",": -9.0, ";": -9.0, ":": -1.6, ".": -2.0, "?": -0.3, "!": -1.2, "-": -2.0, "–": -2.0, "—": -2.0, "…": -2.0}
ENDS |= dict.fromkeys("。，；：、", -2.0)
COUNTED = {"decimal", "lettered", "letter", "roman", "sign"}
RANKS = {
    "part": 9.0,
    "book": 9.0,
    "teil": 9.0,
    "partie": 9.0,
    "title": 8.5,
    "chapter": 8.0,
    "article": 7.0,
    "item": 7.0,
}
SURE = 6.0
LEAST = 0.0  # weight of a line that is looked at further; its number may add to it


class Seen(NamedTuple):
    """A line that may be a title, and what stands around it.

    Args:
        line: its index.
        text: of the line, without blanks at its ends.
        alone: whether the next line is blank, or a paragraph of its own.
        indent: columns before it, less those before most lines of the text.
        above: the line of text before it, blanks passed over; empty at the beginning.
        below: the line of text after it.
        level: its marks say (`= Title =`), else 0; `style` is what they are.
        style: of its marks.
        between: lines of text since the candidate before.
    """

    line: int
    text: str
    alone: bool
    indent: int = 0
    above: str = ""
    below: str = ""
    level: int = 0
    style: str = ""
    between: int = 1


def may_be(text: str) -> bool:
    """Whether a line can be a title at all, cheaply."""
    if not 2 <= len(text) <= LONGEST or text[0] in OPENERS or not any(map(str.isalpha, text)):
        return False
    return text[0].isupper() or text[0].isdigit() or text[0] in "§`(" or text[:1].isalpha()


def chosen(seen: Sequence[Seen], *, blocks: int) -> list[tuple[int, int]]:
    """Headings among the lines that may be.

    Args:
        seen: in their order.
        blocks: paragraphs of the text.

    Returns:
        Index in `seen` and level from 1, in order.
    """
    looks: list[tuple[int, Candidate]] = []
    text = 0
    for k, one in enumerate(seen):
        text += one.between
        if (look := _look(one)) and look.weight > LEAST:
            looks.append((k, look._replace(text=text)))
            text = 0
        else:
            text += 1
    kept = _without_contents([seen[k] for k, _ in looks], [look.text for _, look in looks])
    looks = [looks[n] for n in kept]
    candidates = [look for _, look in looks]
    candidates = _doubted(candidates, [seen[k].style for k, _ in looks], blocks)
    found = [(looks[p.which][0], p.level) for p in placed(candidates, lines=2 * blocks + 1, run=RUN)]
    return _under_title(seen, found)


def _look(one: Seen) -> Candidate | None:
    """Weight, style and number of a line; None where it is no title."""
    text = one.text.replace("\xa0", " ")
    if one.style:
        return Candidate(SURE, ("mark", one.style, one.level), (10.0 - one.level,), sure=True, level=one.level)
    number = _number(text)
    if number is None and not one.alone:
        return None
    rest = text[number.end :].strip(" .:–—-\t") if number else text
    words = WORD.findall(rest)
    named = number is not None and number.series not in COUNTED
    if number and not named and rest and (not words or rest[0].islower() or rest[0].isdigit()):
        return None
    if not named and (PAGE.search(text) or CAPTION.match(text) or (number is None and LABEL.match(text))):
        return None
    shape, points = _shape(rest, words)
    points = _numbered(number, rest, points, one) if number else points
    points += _around(one, shape, numbered=number is not None) + _signs(
        text, rest, words, named=named or bool(number and shape == "caps")
    )
    series = number.series if number else ""
    deep = number.depth if number else 0
    rank = RANKS.get(series, 6.0 - 0.1 * deep) if number else {"caps": 5.0, "title": 4.0}.get(shape, 3.5)
    style = (series, deep, shape == "caps") if number else (shape if shape == "caps" else "title",)
    return Candidate(points, style, (rank, float(shape == "caps")), number)


def _number(text: str) -> Number | None:
    """The number that a line begins with; letters and Roman ones need a stop, or the line for themselves."""
    if LONE.match(text):
        number = number_of(text.rstrip(".") + " -")
        return number._replace(end=len(text)) if number and number.series == "roman" else None
    number = number_of(text)
    return None if number and number.series in ("letter", "roman") and text[number.end - 1] != "." else number


def _shape(rest: str, words: Sequence[str]) -> tuple[str, float]:  # noqa: PLR0911 - one shape a line
    """How a title is written, and points for it."""
    if not rest:
        return "caps", 2.5
    letters = [char for char in rest if char.isalpha()]
    if len(letters) >= 3 and sum(map(str.isupper, letters)) >= 0.9 * len(letters):
        return "caps", 2.6 if len(words) > 1 or len(letters) > 4 else 2.2
    telling = [word for word in words if not SMALL.match(word)]
    if not any(char.upper() != char.lower() for char in letters):
        return "sentence", 1.7 if len(rest) <= CASELESS else 0.6
    if not telling or not any(map(str.isupper, rest.split(maxsplit=1)[0])):
        return "lower", 0.6
    if len(words) <= 2:
        return "title", 2.5
    if sum(word[0].isupper() for word in telling) >= 0.75 * len(telling):
        return "title", 2.5 if len(words) <= 10 else 1.6
    return "sentence", 2.0


def _numbered(number: Number, rest: str, points: float, one: Seen) -> float:
    """Points of a line with a number: the look of its title counts for less."""
    if number.series not in COUNTED:
        if rest and rest[0].islower():
            return 0.0
        return 1.6 if one.alone else 0.6 if points >= 2 else 0.2
    deep = number.series in ("decimal", "lettered", "sign") and number.depth > 1
    base = 1.3 if deep else 0.5
    look = 0.5 if points >= 2.5 else 0.2 if points >= 1.7 else 0.0 if deep else -0.3
    return base + look - (0.0 if one.alone else 0.4)


def _around(one: Seen, shape: str, *, numbered: bool) -> float:
    """Points for what stands above and below."""
    points = 0.0
    if len(one.below) >= PROSE or one.below[-1:] in ".:?!":
        points += 0.5
    if not one.below:
        points -= 1.5
    if not one.above and not numbered:
        points += 0.6
    if one.above[-1:] == ":":
        points -= 0.2 if numbered else 1.0
    elif len(one.above) >= PROSE and one.above[-1:] not in '.!?。！？)]"”’`*>|':
        points -= 0.4
    if one.indent < 0:
        points += 0.4
    elif one.indent >= 4 and one.above and shape in ("sentence", "lower"):
        points -= 1.0
    return points


def _signs(text: str, rest: str, words: Sequence[str], *, named: bool) -> float:
    """Points, mostly lost, for what the line is made of."""
    points = ENDS.get(text[-1], 0.0)
    if named and text[-1] in ".:":
        points = 0.0
    if text[-1] in "\"'”’)]}>|*`([{=\\":
        points -= 2.0 if text[-1] in "([{=\\" else 0.3
    if CODE.search(rest):
        tokens = rest.split()
        points -= 0.9 if 2 * sum(bool(CODE.search(token)) for token in tokens) > len(tokens) else 0.4
    if BYLINE.match(text):
        points -= 1.5
    if GAP.search(rest):
        points -= 1.6
    if len(words) > WORDS:
        points -= 1.0
    elif len(words) > 9:
        points -= 0.3
    if sum(char.isalpha() or char == " " for char in text) < 0.6 * len(text):
        points -= 0.5
    return points


def _without_contents(seen: Sequence[Seen], between: Sequence[int]) -> list[int]:
    """Without runs of lines that have no text between and most of which come again, and without running heads."""
    keys = ["".join(filter(str.isalpha, PAGE.sub("", one.text))).casefold() for one in seen]
    last = {key: k for k, key in enumerate(keys)}
    again = [bool(key) and last[key] > k for k, key in enumerate(keys)]
    drop: set[int] = set()
    run: list[int] = []
    for k in range(len(seen) + 1):
        if run and (k == len(seen) or between[k]):
            while run and not again[run[-1]]:  # the first of the titles that the contents name
                run.pop()
            if len(run) >= FEWEST and 2 * sum(again[j] for j in run) > len(run):
                drop.update(run)
            run = []
        run.append(k)
    said = Counter(one.text for one in seen)
    for k, one in enumerate(seen):  # running heads: a long title again and again
        if said[one.text] >= OFTEN and len(one.text.split()) >= FEWEST and not one.style and k:
            drop.add(k)
    return [k for k in range(len(seen)) if k not in drop]


def _doubted(candidates: list[Candidate], marks: Sequence[str], blocks: int) -> list[Candidate]:
    """With less weight on looks where titles have marks, or so many look alike that they are verse, a menu or names."""
    guessed = sum(not mark and c.number is None and c.weight >= 2.5 for mark, c in zip(marks, candidates, strict=True))
    less = SURE if guessed > 3 and 3 * guessed > blocks else 0.0
    counted = 1.0 if sum(map(bool, marks)) >= FEWEST else 0.0
    return [
        c if mark else c._replace(weight=c.weight - (less if c.number is None else 0.0) - counted)
        for mark, c in zip(marks, candidates, strict=True)
    ]


def _under_title(seen: Sequence[Seen], found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Levels one lower where the text opens with its title, and the title is as high as what follows."""
    if len(found) < 2 or all(level > found[0][1] for _, level in found[1:]):
        return found
    top = seen[found[0][0]]
    lines = sum(one.between for one in seen[: found[0][0] + 1]) + found[0][0]
    if lines > TOP or top.style or top.above[-1:] in tuple(".!?") or number_of(top.text) or OPENINGS.match(top.text):
        return found
    lower = [found[0]]
    for k, level in found[1:]:
        lower.append((k, min(level + 1, lower[-1][1] + 1)))
    return lower
