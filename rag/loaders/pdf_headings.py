"""Headings of a PDF without bookmarks: how lines are set, how they are numbered, and what the contents name.

For every line the signs are added up: larger or bolder type than the body's, a line of its own, capitals, a place
in the contents; against it speak sentences, captions, formulas, small type. Lines of one style are judged together
too, because headings look alike. The number is left to the validator (`rag.loaders.outline`), which has the
last word.

Held against hidden bookmarks (`evals/reproduce/pdf_outline.py`; files that no rule was made on, means over documents,
95 %): in 76 manuals 92.9 % of the headings are found (87.7 to 97.0), in 79 articles and class manuals of publishers
88.7 % (83.6 to 93.1); of those found 83.6 and 88.0 % have the bookmark's level, 94.4 and 96.3 % after one constant
shift a document. Precision is 79.8 and 72.3 %, for what is printed as a heading often has no bookmark.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rag.loaders.outline import MINIMUM, Candidate, Number, number_of, placed
from rag.loaders.pdf_contents import TITLE
from rag.loaders.pdf_lines import Line
from rag.loaders.pdf_style import Body, body_of, capitals, family, style

__all__ = ["Heading", "headings"]

LONGEST = 180  # characters of a heading
WORDS = 24
MOST = 4  # lines of a heading
PROSE, PARAGRAPH = 40, 3  # characters of a line, lines of a paragraph
TIGHT = 0.65  # space between the lines of one heading, in heights
CAPTION = re.compile(
    r"(?:figure|fig\.|table|tab\.|listing|example|algorithm|plate|image|photo|chart|exhibit|source|"
    r"note|notes|abbildung|abb\.|tabelle|figura|tabla|tableau)\s*[\dA-Z.:]",
    re.I,
)
ENDS = {",": 2.5, ";": 2.5, ".": 1.2, ":": 0.9, "?": 0.2, "!": 0.5, "：": 1.5, **dict.fromkeys("。，；、", 2.5)}
WIDE = 30  # characters of a heading in a script that sets no blanks
STOPS = re.compile(r"[。，；]")
WORD = re.compile(r"[^\W\d_]{2,}")


class Heading(NamedTuple):
    """Lines `first` to `last` (inclusive) are a heading of that level, from 1."""

    first: int
    last: int
    level: int


class Group(NamedTuple):
    """Lines in a row that are set alike and may be one heading."""

    first: int
    last: int
    text: str
    number: Number | None


def headings(
    lines: Sequence[Line], *, skipped: set[int], named: Mapping[int, int], sure: Mapping[int, int] | None = None
) -> list[Heading]:
    """The headings of a text.

    Args:
        lines: in the order of reading, without furniture.
        skipped: indices of lines that are none (contents, tables, code).
        named: lines that the contents name, with the level there.
        sure: lines that are headings beyond doubt, with their level.
    """
    if not lines:
        return []
    body = body_of(lines)
    groups = _groups(lines, skipped, body)
    alone = [_alone(lines, group, body) for group in groups]
    weights = [_weight(lines, group, body, stands) for group, stands in zip(groups, alone, strict=True)]
    weights = _by_style(lines, groups, weights, body)
    front = _front(lines, groups, weights, named)
    chosen: list[int] = []
    candidates: list[Candidate] = []
    before = 0
    for g, group in enumerate(groups):
        inside = range(group.first, group.last + 1)
        level = max(((sure or {}).get(k, 0) for k in inside), default=0)
        told = any(k in named for k in inside)
        if (weights[g] < MINIMUM - 1.6 or g in front) and not level and not told:
            continue
        first = lines[group.first]
        look = style(first)
        candidates.append(
            Candidate(
                weights[g] + (1.5 if told else 0.0),
                look[:2] + look[2:5] + (body.font == look[5],),
                (look[0], float(look[1]), float(look[4])),
                group.number,
                max(0, group.first - before),
                bool(level) or (told and weights[g] > 0.5),
                level or (0 if group.number else max((named.get(k, 0) for k in inside), default=0)),
            )
        )
        chosen.append(g)
        before = group.last + 1
    found = placed(candidates, lines=len(lines))
    return [Heading(groups[chosen[p.which]].first, groups[chosen[p.which]].last, p.level) for p in found]


def _front(
    lines: Sequence[Line], groups: Sequence[Group], weights: Sequence[float], named: Mapping[int, int]
) -> set[int]:
    """Groups of the first page that are its title, authors and the like: set as nothing else in the document is.

    The title stays a heading where nothing is numbered, for then it may stand above the others.
    """
    page = lines[0].page
    good = [g for g in range(len(groups)) if weights[g] >= MINIMUM - 1.5]
    looks = Counter(style(lines[groups[g].first]) for g in good)
    counted = any(
        (n := groups[g].number) and n.series in ("decimal", "chapter", "part") and n.path[-1] == 1 for g in good
    )
    numbered = bool(named) or (counted and len(good) > 3)
    found: set[int] = set()
    title = -1
    prose = _prose(lines)
    for g in good:
        first = lines[groups[g].first]
        if first.page != page or (groups[g].number and weights[g] >= MINIMUM):
            break
        before = numbered and groups[g].last + 1 < prose and not TITLE.match(groups[g].text)
        if looks[style(first)] > 1 and title >= 0 and not before:
            continue
        if title < 0 and first.size > 1.1 * body_of(lines).size:
            title = g
            if not numbered:
                continue
        found.add(g)
    return found if title >= 0 else set()


def _prose(lines: Sequence[Line]) -> int:
    """Index of the first line of the first paragraph; that of the first line of the second page at most."""
    run = 0
    for k, line in enumerate(lines):
        if line.page != lines[0].page:
            return k
        run = run + 1 if len(line.text) >= PROSE and line.mono < 0.5 else 0
        if run == PARAGRAPH:
            return k - PARAGRAPH + 1
    return len(lines)


def _groups(lines: Sequence[Line], skipped: set[int], body: Body) -> list[Group]:
    """Short runs of lines that are set alike; a number on a line of its own goes with its title."""
    found: list[Group] = []
    k = 0
    while k < len(lines):
        if k in skipped or len(lines[k].text) > LONGEST:
            k += 1
            continue
        last = k
        text = lines[k].text
        number = number_of(text)
        while last + 1 < len(lines) and last + 1 not in skipped and last - k < MOST:
            if not _goes_on(lines[last], lines[last + 1], body, lone=number is not None and number.end >= len(text)):
                break
            last += 1
            text += " " + lines[last].text
        if len(text) <= LONGEST and last - k < MOST:
            found.append(Group(k, last, text, number))
        k = last + 1
    return found


def _goes_on(above: Line, below: Line, body: Body, *, lone: bool) -> bool:
    """Whether a line belongs to the heading, if it is one, of the line above it."""
    if above.page != below.page or above.column != below.column:
        return False
    gap = below.place[1] - above.place[3]
    if lone and above.size >= body.size and below.size >= above.size - 0.5 and below.size > body.size:
        return -above.height < gap < 4 * above.height
    if abs(above.size - below.size) > 0.6 or (above.bold > 0.5) != (below.bold > 0.5):
        return False
    if family(above) != family(below) and above.size < 1.1 * body.size:
        return False
    if number_of(below.text) is not None and number_of(above.text) is not None:
        return False
    return -above.height < gap < TIGHT * above.height


def _alone(lines: Sequence[Line], group: Group, body: Body) -> float:
    """Points for white space above and below."""
    first, last = lines[group.first], lines[group.last]
    points = 0.0
    above = lines[group.first - 1] if group.first else None
    if above is None or above.page != first.page or above.column != first.column:
        points += 0.5
    else:
        gap = (first.place[1] - above.place[3]) / min(first.height, above.height)
        points += 0.8 if gap > body.leading + 0.45 else 0.4 if gap > body.leading + 0.2 else -0.6
    below = lines[group.last + 1] if group.last + 1 < len(lines) else None
    if below is not None and below.page == last.page and below.column == last.column:
        gap = (below.place[1] - last.place[3]) / min(last.height, below.height)
        points += 0.3 if gap > body.leading + 0.15 else 0.0
    elif below is not None and below.page != last.page:
        points -= 0.5  # a heading does not end a page
    return points


def _weight(lines: Sequence[Line], group: Group, body: Body, stands: float) -> float:
    """The signs of one group, its number aside."""
    first = lines[group.first]
    text = group.text
    rest = text[group.number.end :].strip() if group.number else text
    words = WORD.findall(rest)
    ratio = first.size / body.size
    points = stands
    rows = lines[group.first : group.last + 1]
    bold = min(line.bold for line in rows) > 0.6 and not body.bold
    small = -0.3 if bold and ratio >= 0.85 and family(first) != body.font else -1.5  # bold sans serif is set smaller
    large = 2.4 if ratio >= 1.3 else 1.9 if ratio >= 1.14 else 1.2 if ratio >= 1.06 else 0.0
    points += large if ratio > 0.95 else small
    if bold:
        points += 1.6 if min(line.bold + line.mono + line.italic for line in rows) > 0.9 else 0.8  # else it runs in
    elif first.italic > 0.8 and ratio > 0.95:
        points += 0.4
    if family(first) != body.font and first.mono < 0.5 and ratio > 0.95:
        points += 0.3
    if capitals(text):
        points += 0.7
    if first.mono > 0.6:
        points -= 1.2
    if not words and not (group.number and group.number.series not in ("decimal", "roman", "letter")):
        points -= 3.0
    if CAPTION.match(text):
        points -= 3.0
    points -= ENDS.get(text[-1], 0.0)
    if rest[:1] > "\u2e7f":  # Chinese, Japanese, Korean
        points -= 1.5 * (len(rest) > WIDE) + 1.0 * bool(STOPS.search(rest))
    head = rest[:1]
    if head and not head.isupper() and not head.isdigit():
        points -= 1.0 if head.islower() else 0.0 if head.isalpha() else 0.8  # letters of most scripts have no case
    if len(words) > WORDS or len(text) > LONGEST - 40:
        points -= 1.5
    if group.last - group.first >= 2:
        points -= 0.8
    letters = sum(char.isalpha() or char.isspace() for char in text)
    if letters < 0.6 * len(text):
        points -= 1.0
    return points


def _by_style(lines: Sequence[Line], groups: Sequence[Group], weights: Sequence[float], body: Body) -> list[float]:
    """Weights drawn towards those of the same style: headings look alike, and body text is no heading."""
    total: Counter[object] = Counter()
    for line in lines:
        total[style(line)] += len(line.text)
    chars = max(1, sum(total.values()))
    members: dict[object, list[float]] = defaultdict(list)
    for group, weight in zip(groups, weights, strict=True):
        members[style(lines[group.first])].append(weight)
    result = []
    for group, weight in zip(groups, weights, strict=True):
        look = style(lines[group.first])
        like = members[look]
        good = sum(w >= MINIMUM - 0.7 for w in like) / len(like)
        points = weight
        if total[look] > 0.25 * chars:
            points -= 1.0
        if len(like) >= 3:
            points += 0.6 if good >= 0.7 else -0.6 if good < 0.3 else 0.0
        result.append(points)
    return result
