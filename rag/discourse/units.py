"""Elementary discourse units: clauses and what stands for a clause, each an exact range, with what it needs.

Units after the practice of the GUM corpus (Zeldes, "The GUM Corpus", Language Resources and Evaluation 51(3), 2017) and
of Rhetorical Structure Theory: clauses, relative clauses, attributions ("she said"), phrases opened by strong cues,
headings, list items, brackets. A unit that another one interrupts comes as two pieces. English; in other languages
mostly sentences and what stands between marks. A tagger of 191 kB decides for each word whether a unit begins there
(`rag.discourse.network`); a sentence, list item or table row always begins one, so that units lie inside these; none
begins inside a table row, a link, an address or inline code.

Boundaries on the test part of GUM's CC BY genres (8 documents, 911 units; `evals/reproduce/edu.py`): F1 86.6 (95 %
over documents: 83.5 to 89.6), 78.6 without sentence starts; rules alone 72.8, cuts behind marks
58.5, gold sentences 55.2. By genre, dev and test: academic 89.1, court 82.7, interview 89.0, news 84.8. One
core reads 0.3 to 0.4 million words and marks a second. Of the hosts given there 76 % (71 to 81) stand above
their unit in the hand-made parse, attributions and second pieces left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.discourse.links import antecedents, definitions, hosts
from rag.discourse.network import network
from rag.discourse.roles import leads, named, roles_of
from rag.discourse.words import DASHES, MARKS, Words, words_of
from rag.units import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Edus", "edus"]

SIGNS = ("`", "](", "][", "://")  # of what may be solid
SOLID = re.compile(r"`[^`\n]{1,200}`|\[[^\]\n]{0,200}\][(\[][^)\]\s]{0,300}[)\]]|(?<!\w)\w{1,12}://\S+")


class Edus(NamedTuple):
    """The units of ranges of a text, in the order of the ranges, then of the text.

    Links are indices of units in the same range, -1 for none. A `host` lies in the same sentence, before or behind;
    `antecedent` and `definition` lie before. No chain of hosts comes back to where it began, but for the two pieces of
    an interrupted clause, which are each other's host where the first has no verb.

    Args:
        start: int64 (n,), first code point; white space goes with what it follows.
        end: int64 (n,), one past the last.
        range: int64 (n,), index of the range it lies in.
        sentence: int64 (n,), number of its sentence, counted over all ranges.
        role: uint8 (n,), index into `rag.discourse.ROLES`.
        host: int64 (n,), the clause it cannot stand without: what a subordinate clause belongs to, the first piece of
            an interrupted unit.
        antecedent: int64 (n,), what its opening pronoun or connective most likely refers to.
        definition: int64 (n,), where a term that it uses is defined.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    range: NDArray[np.int64]
    sentence: NDArray[np.int64]
    role: NDArray[np.uint8]
    host: NDArray[np.int64]
    antecedent: NDArray[np.int64]
    definition: NDArray[np.int64]

    def needs(self, index: int) -> tuple[int, ...]:
        """The units that one unit needs directly, ascending."""
        found = {int(self.host[index]), int(self.antecedent[index]), int(self.definition[index])}
        return tuple(sorted(found - {-1}))

    def closure(self, chosen: Iterable[int], *, links: Sequence[str] = ("host",)) -> list[int]:
        """The chosen units and all that they need, ascending.

        Args:
            chosen: indices of units.
            links: which links count, of `host`, `antecedent`, `definition`.
        """
        followed = [getattr(self, name).tolist() for name in links]
        found: set[int] = set()
        ahead = list(chosen)
        while ahead:
            unit = ahead.pop()
            if unit >= 0 and unit not in found:
                found.add(unit)
                ahead += [targets[unit] for targets in followed]
        return sorted(found)


def edus(text: str, ranges: Sequence[tuple[int, int]] | None = None) -> Edus:
    """The discourse units of a text, or of ranges of it, each read by itself.

    Args:
        text: any text.
        ranges: half-open and not empty, in any order; None means the whole text.

    Returns:
        The units, which tile every range: nothing lost, nothing doubled. An empty text has none. Linear in what the
        ranges hold.

    Raises:
        ValueError: a range holds nothing or reaches beyond the text.
    """
    if ranges is None:
        ranges = [(0, len(text))] if text else []
    for a, b in ranges:
        if not 0 <= a < b <= len(text):
            raise ValueError(f"a range must hold something of a text of {len(text)} code points, got ({a}, {b})")
    words, bounds = words_of(text, ranges)
    wide = len(text) + 1  # between the same place in neighbouring ranges, so that all places of all ranges ascend
    at = words.start + np.repeat(np.arange(len(ranges)) * wide, np.diff(bounds))
    pieces, whole = _sentences(text, ranges, wide)
    begins, counted = _begins(words, bounds)
    found = at[begins]
    found = found[~whole[np.searchsorted(pieces, found, side="right") - 1]]
    found = _outside(text, ranges, wide, np.union1d(found, pieces), pieces)
    first = np.searchsorted(at, found)
    spoken = np.append(True, (np.diff(counted[first]) > 0) | np.isin(found[1:], pieces))[: len(found)]
    found, first = found[spoken], first[spoken]
    within = found // wide
    start, ends = found % wide, np.array([end for _, end in ranges], dtype=np.int64)
    last = np.append(within[1:] != within[:-1], True)[: len(found)]
    end = np.where(last, ends[within], np.append(start[1:], 0)[: len(found)]) if len(found) else start
    return _linked(
        text, ranges, words, bounds, start, end, within, np.searchsorted(pieces, found, side="right") - 1, first
    )


def _begins(words: Words, bounds: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which words begin a unit, none without white space before it but at a dash; how many words precede each.

    The first word of a range does not: the range does.
    """
    kind = words.types[words.kind, 2]
    dash = (kind >= DASHES[0]) & (kind <= DASHES[1])
    free = (words.gap > 0) | dash | np.append(False, dash[:-1])[: len(dash)]
    free[bounds[:-1][bounds[:-1] < bounds[1:]]] = False
    word = (kind < MARKS.start) | (kind >= MARKS.stop)
    return free & (network()(words, bounds) >= 0), np.append(0, np.cumsum(word))


def _outside(
    text: str,
    ranges: Sequence[tuple[int, int]],
    wide: int,
    found: NDArray[np.int64],
    pieces: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Those of some places that lie in no link, address or stretch of code, and all that begin a piece."""
    solid = [
        (match.start() + k * wide, match.end() + k * wide)
        for k, (start, end) in enumerate(ranges)
        if any(text.find(sign, start, end) >= 0 for sign in SIGNS)
        for match in SOLID.finditer(text, start, end)
    ]
    if not solid:
        return found
    low, high = np.array(solid, dtype=np.int64).T
    inside = np.searchsorted(low, found, side="right") - 1
    kept: NDArray[np.int64] = found[(inside < 0) | (found >= high[inside]) | np.isin(found, pieces)]
    return kept


def _sentences(text: str, ranges: Sequence[tuple[int, int]], wide: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the sentences, list items and table rows of ranges begin, and which of them are rows, which stay whole.

    One that begins in the blank before the first word of its range is none.
    """
    found: list[int] = []
    rows: list[bool] = []
    for k, (start, end) in enumerate(ranges):
        blank = True
        for a, b, header in cut(text, start, end):
            if a == start or not blank:
                found.append(a + k * wide)
                rows.append(header is not None or text.startswith("|", a))
            blank = blank and text[a:b].isspace()
    return np.array(found, dtype=np.int64), np.array(rows, dtype=np.bool_)


def _linked(  # noqa: PLR0917 - the columns of the units as they were found
    text: str,
    ranges: Sequence[tuple[int, int]],
    words: Words,
    bounds: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    within: NDArray[np.int64],
    sentence: NDArray[np.int64],
    first: NDArray[np.int64],
) -> Edus:
    """The units with their roles and links; `first` is the number of each unit's first word."""
    opens = np.append(True, sentence[1:] != sentence[:-1])[: len(start)]
    lead = leads(words, first)
    role = roles_of(words, lead, opens)
    return Edus(
        start,
        end,
        within,
        sentence,
        role,
        hosts(role, sentence, lead),
        antecedents(lead.cue[0], role, sentence, within, named(words, lead, opens)),
        definitions(text, ranges, words, bounds, first),
    )
