"""Numbers of headings, and the validator that makes an outline of candidates from any source.

No sign of a heading is trusted alone: a list counts as chapters do, and a foreword is set as large as a title. So
candidates come with their weight, number and style, and the validator keeps what agrees: numbers that rise in the
order of the text, styles that stand for one depth, levels that go down by one step at a time, and no chain of titles
without text between them. Where numbers contradict, the heaviest rising chain wins and the others lose what
their number gave them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

__all__ = ["Candidate", "Number", "Placed", "number_of", "placed"]

LEVELS = 9
NAMES = (
    *("part", "book", "title", "teil", "partie"),
    *("chapter", "kapitel", "chapitre", "capítulo", "appendix", "anhang", "annex", "exhibit", "schedule", "attachment"),
    *("article", "artikel", "section", "abschnitt", "lecture", "unit", "module", "lesson", "rule", "clause"),
)
NAMED = re.compile(
    rf"({'|'.join(NAMES)})[ \t]+([0-9]{{1,3}}(?:\.[0-9]{{1,3}})*|[IVXLC]{{1,7}}|[A-Z])\b[.:)]?(?=\s|$)", re.I
)
ITEM = re.compile(r"item[ \t]+([0-9]{1,2})([A-D]?)\b[.:)]?(?=\s|$)", re.I)  # of a company's yearly report: 1, 1A, 2
DECIMAL = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,6})(\.?)(?=[ \t]+\S|$)")
LETTERED = re.compile(r"([A-Z])((?:\.[0-9]{1,3}){1,5})\.?(?=[ \t]+\S|$)")
LETTER = re.compile(r"([A-Z])[.)]?(?=[ \t]+\S)")
ROMAN = re.compile(r"([IVXLC]{1,7})[.)]?(?=[ \t]+\S)")
SIGN = re.compile(r"§+[ \t]*([0-9]{1,4}(?:\.[0-9]{1,4})*)[a-z]?[.)]?(?=[ \t]+\S|$)")
VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
MINIMUM = 2.5  # weight of a heading
NUMBERED = 1.5  # weight that a number in a rising chain adds
RUN = 6  # titles in a row without text: a list of something


class Number(NamedTuple):
    """What counts a heading.

    Args:
        series: what it counts in: `decimal`, `lettered`, `letter`, `roman`, `sign`, or its word.
        path: the numbers, outermost first.
        end: characters of the line that it takes.
    """

    series: str
    path: tuple[int, ...]
    end: int

    @property
    def depth(self) -> int:
        """How many numbers it has."""
        return len(self.path)


class Candidate(NamedTuple):
    """What may be a heading.

    Args:
        weight: of the signs for it, its number aside; `MINIMUM` makes a heading.
        style: how it is set; equal styles are equally deep.
        rank: of the style: the larger, the higher it stands.
        number: its number.
        text: lines of running text between the candidate before and this one.
        sure: whether another source names it as a heading.
        level: that the other source gives, 0 for none.
    """

    weight: float
    style: Hashable
    rank: tuple[float, ...]
    number: Number | None = None
    text: int = 1
    sure: bool = False
    level: int = 0


class Placed(NamedTuple):
    """A heading of the outline: which candidate it is, level from 1."""

    which: int
    level: int


def number_of(text: str) -> Number | None:  # noqa: PLR0911 - one grammar a line
    """The number that a line begins with, if it is one that headings have."""
    if found := NAMED.match(text):
        said = found[2]
        path = tuple(map(int, said.split("."))) if said[0].isdigit() else (_letters(said),)
        return Number(found[1].lower(), path, found.end())
    if found := ITEM.match(text):
        return Number("item", (int(found[1]), *(ord(char) - 64 for char in found[2].upper())), found.end())
    if found := SIGN.match(text):
        return Number("sign", tuple(map(int, found[1].split("."))), found.end())
    if found := LETTERED.match(text):
        return Number("lettered", (ord(found[1]) - 64, *map(int, found[2][1:].split("."))), found.end())
    if found := DECIMAL.match(text):
        path = tuple(map(int, found[1].split(".")))
        if found[2] and len(path) > 1 and path[-1] == 0:
            path = path[:-1]
        return Number("decimal", path, found.end())
    if (found := ROMAN.match(text)) and _roman(found[1]):
        return Number("roman" if len(found[1]) > 1 or found[1] in "IVX" else "letter", (_roman(found[1]),), found.end())
    if found := LETTER.match(text):
        return Number("letter", (ord(found[1]) - 64,), found.end())
    return None


def _letters(text: str) -> int:
    return _roman(text) or ord(text[0].upper()) - 64


def _roman(text: str) -> int:
    """The value of a Roman number; 0 for what is none."""
    total = 0
    values = [VALUES.get(char, 0) for char in text.lower()]
    for value, after in zip(values, [*values[1:], 0], strict=True):
        if not value:
            return 0
        total += -value if value < after else value
    return total if total < 100 or len(text) < 4 else 0


def placed(candidates: Sequence[Candidate], *, lines: int, run: int = RUN) -> list[Placed]:
    """The outline that the candidates agree on.

    Args:
        candidates: in the order of the text.
        lines: of the whole text; no more than half of them are headings.
        run: titles of one style in a row without text that are a list of something.

    Returns:
        Headings in order; the first has level 1, and each is at most one level below the one before.
    """
    chained = _chained(candidates)
    weights = [
        c.weight + (NUMBERED if k in chained else 0.0) + (MINIMUM if c.sure else 0.0) for k, c in enumerate(candidates)
    ]
    kept = [k for k in range(len(candidates)) if weights[k] >= MINIMUM]
    kept = _with_text(candidates, kept, run)
    if 2 * len(kept) > lines + 1:
        kept = sorted(sorted(kept, key=lambda k: (-weights[k], k))[: (lines + 1) // 2])
    levels = _levels(candidates, kept, chained)
    found: list[Placed] = []
    before = 0
    for k, level in zip(kept, levels, strict=True):
        before = max(1, min(level, before + 1, LEVELS))
        found.append(Placed(k, before))
    return found


def _chained(candidates: Sequence[Candidate]) -> set[int]:
    """Candidates whose number belongs to the heaviest rising chain of its series."""
    series: dict[str, list[int]] = defaultdict(list)
    for k, candidate in enumerate(candidates):
        if candidate.number:
            series[candidate.number.series].append(k)
    found: set[int] = set()
    for members in series.values():
        chain = _heaviest(members, candidates)
        if len(chain) > 1 or any(candidates[k].number.path[-1] == 1 for k in chain):  # type: ignore[union-attr]
            found.update(chain)
    return found


def _heaviest(members: Sequence[int], candidates: Sequence[Candidate]) -> list[int]:
    """The strictly rising chain of numbers with the largest sum of weights, in n log n steps (a Fenwick tree)."""
    paths = [candidates[k].number.path for k in members]  # type: ignore[union-attr]
    ranks = {path: i + 1 for i, path in enumerate(sorted(set(paths)))}
    best: list[tuple[float, int]] = [(0.0, -1)] * (len(ranks) + 1)
    total: list[float] = []
    back: list[int] = []
    for at, (k, path) in enumerate(zip(members, paths, strict=True)):
        i = ranks[path] - 1
        top = (0.0, -1)
        while i > 0:
            top = max(top, best[i], key=lambda pair: (pair[0], -pair[1]))
            i -= i & -i
        total.append(top[0] + max(candidates[k].weight, 0.0) + (MINIMUM if candidates[k].sure else 0.1))
        back.append(top[1])
        i = ranks[path]
        while i < len(best):
            if total[at] > best[i][0]:
                best[i] = (total[at], at)
            i += i & -i
    chain: list[int] = []
    at = max(range(len(members)), key=lambda j: (total[j], -j))
    while at >= 0:
        chain.append(members[at])
        at = back[at]
    return chain[::-1]


def _with_text(candidates: Sequence[Candidate], kept: Sequence[int], longest: int) -> list[int]:
    """Without titles of one style that follow each other with no text between."""
    drop: set[int] = set()
    run: list[int] = []
    text = 0
    at = 0
    for k in kept:
        text = sum(candidates[j].text for j in range(at, k + 1)) + (k - at)
        at = k + 1
        if run and not text and candidates[k].style == candidates[run[-1]].style:
            run.append(k)
            continue
        if len(run) >= longest:
            drop.update(j for j in run[:-1] if not candidates[j].sure)
        run = [k]
    if len(run) >= longest:
        drop.update(j for j in run if not candidates[j].sure)
    return [k for k in kept if k not in drop]


def _levels(candidates: Sequence[Candidate], kept: Sequence[int], chained: set[int]) -> list[int]:
    """A level for each, by its source's word, its number or its style."""
    depth = [_depth(candidates[k]) if k in chained else 0 for k in kept]
    parts = [_is_part(candidates[k]) for k in kept]
    above = 1 if sum(parts) > 1 and any(depth) else 0
    known: list[int] = []
    for k, deep, part in zip(kept, depth, parts, strict=True):
        said = deep + above if deep else int(part and above > 0)
        known.append(candidates[k].level or said)
    votes: dict[Hashable, Counter[int]] = defaultdict(Counter)
    ranks: dict[Hashable, tuple[float, ...]] = {}
    for k, level in zip(kept, known, strict=True):
        style = candidates[k].style
        ranks[style] = max(ranks.get(style, candidates[k].rank), candidates[k].rank)
        if level:
            votes[style][level] += 1
    agreed = {style: min(seen, key=lambda level: (-seen[level], level)) for style, seen in votes.items()}
    by_style = _by_rank(ranks, agreed)
    return [level or by_style[candidates[k].style] for k, level in zip(kept, known, strict=True)]


def _depth(candidate: Candidate) -> int:
    """How deep a number says that a heading is; 0 where it does not say."""
    number = candidate.number
    if number is None or number.series in ("letter", "roman"):
        return 0
    if number.series == "item":
        return 1
    return number.depth if number.series in ("decimal", "lettered", "chapter", "appendix") or number.depth > 1 else 0


def _is_part(candidate: Candidate) -> bool:
    """Whether it is a part, which stands above what numbers count."""
    return candidate.number is not None and candidate.number.series in ("part", "book", "teil", "partie")


def _by_rank(ranks: dict[Hashable, tuple[float, ...]], agreed: dict[Hashable, int]) -> dict[Hashable, int]:
    """A level for each style: what its numbers say, else one that fits between its neighbours by rank."""
    order = sorted(ranks, key=lambda style: (tuple(-x for x in ranks[style]), repr(style)))
    found: dict[Hashable, int] = {}
    level = 0
    before: tuple[float, ...] | None = None
    for style in order:
        if style in agreed:
            level = max(level, agreed[style]) if agreed[style] >= level else level
            found[style] = agreed[style]
        else:
            below = [agreed[s] for s in order[order.index(style) + 1 :] if s in agreed]
            same = before is not None and ranks[style] == before
            level = level if same else level + 1
            if below:
                level = max(1, min(level, *below))
            found[style] = level
        before = ranks[style]
    return found
