"""What a document can be asked: questions and headings, each with the place that answers it where that is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.errors import ConfigError
from rag.sentences import sentence_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chunkers.scaffold import Scaffold, Units

__all__ = ["Intent", "from_headings", "from_log", "from_text", "grown", "how_many", "severed", "spread", "unlike"]

ALIKE = 0.85  # cosine above which two intents are one, as in the paper
NEAR = 0.85  # share of the best unit's cosine that a neighbour needs to belong to the answer
LONGEST = 400  # characters of an intent that are read
SUBJECT = re.compile(
    r"(?:(?:In|By|During|Since|From) [^,.]{2,40}, )?"
    r"(?P<who>(?:(?:The|An?) )?[A-Z0-9][^,;:.()]{2,70}?) "
    r"(?P<verb>is|are|was|were|has|have|had|can|may|must|will|refers to|means|consists of|includes?|contains?) "
)
YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
VAGUE = frozenset(  # a subject that begins so is none, or says nothing outside its place
    "he she it they this that these those we you i there here such his her its their our my your one some any all each "  # noqa: SIM905
    "if and but or so when while where what which who how why because although though as then also even not no yes "
    "thus therefore however moreover another other both either neither many most more".split()
)


class Intent(NamedTuple):
    """Something a reader may come for.

    Args:
        text: a question or a heading.
        weight: above 0; halved where no quote stands behind it.
        span: half-open range of the text that answers it, or None.
        quoted: whether that range was quoted, rather than guessed.
        by: `llm`, `headings`, `questions`, `log` or `given`.
    """

    text: str
    weight: float = 1.0
    span: tuple[int, int] | None = None
    quoted: bool = False
    by: str = "given"


def how_many(tokens: int) -> int:
    """How many intents a text of so many tokens gets at most: one in 250 tokens, 4 to 60."""
    return min(max(round(tokens / 250), 4), 60)


def from_headings(scaffold: Scaffold) -> list[Intent]:
    """The heading path of every section that has a title; weak, because the section is cut apart anyway."""
    text, found = scaffold.document.text, []
    paths: list[str] = []
    for section in scaffold.sections:
        title = " ".join(text[slice(*section.title)].split())
        above = paths[section.up] if section.up >= 0 else " ".join(scaffold.document.title.split())
        path = f"{above} > {title}" if above and title and above != title else title or above
        paths.append(path[-LONGEST:])
        if title:
            found.append(Intent(path[-LONGEST:], 0.5, by="headings"))
    return found


def from_text(text: str) -> Iterator[Intent]:
    """Questions that the text asks, and questions that its sentences answer, by rule.

    A sentence with a question mark is a question, answered by what follows. A statement about a named subject is the
    answer to what or when that subject is. The wording is plain: it is read by an embedder only.
    """
    spans = sentence_spans(text)
    for at, (start, end) in enumerate(spans):
        sentence = " ".join(text[start:end].split())
        if not 12 <= len(sentence) <= LONGEST:
            continue
        if sentence.rstrip("\"'”’)*_ ")[-1:] in {"?", "？", "؟"}:
            yield Intent(sentence, 0.75, (start, spans[min(at + 1, len(spans) - 1)][1]), by="questions")
            continue
        match = SUBJECT.match(sentence)
        if match is None or match["who"].split()[0].lower() in VAGUE:
            continue
        asks = "When" if YEAR.search(sentence) else "What"
        rest = sentence[match.end() :].rstrip(". ")
        words = " ".join(word for word in rest.split()[:12] if not YEAR.search(word))
        yield Intent(f"{asks} {match['verb']} {match['who']} {words}?", 0.5, (start, end), by="questions")


def from_log(file: Path) -> list[Intent]:
    """The questions of a log: one a line, as plain text or as JSON objects with `text` or `query`.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"chunkers/intent: log: {str(file)!r} cannot be read ({type(error).__name__}).") from error
    found = []
    for line in lines:
        said = line.strip()
        if said.startswith("{"):
            try:
                row = json.loads(said)
            except ValueError:
                row = {}
            value = row.get("text") or row.get("query") or ""
            said = value.strip() if isinstance(value, str) else ""
        if said:
            found.append(Intent(said[:LONGEST], by="log"))
    return found


def unlike(intents: Sequence[Intent], vectors: NDArray[np.float64]) -> list[int]:
    """Indices of the intents that are not too like an earlier one, and have a direction."""
    kept: list[int] = []
    for index in range(len(intents)):
        if vectors[index].any() and (not kept or float((vectors[kept] @ vectors[index]).max()) <= ALIKE):
            kept.append(index)
    return kept


def spread(intents: Sequence[Intent], most: int, length: int) -> list[Intent]:
    """At most so many intents, spread over the text: in each stretch of it the heaviest, then the earliest.

    Intents without a place come first, as many as there is room for.

    Args:
        intents: in any order.
        most: intents kept.
        length: code points of the text.
    """
    free = [one for one in intents if one.span is None][:most]
    placed = [one for one in intents if one.span is not None]
    room = most - len(free)
    if len(placed) <= room:
        return free + placed
    best: dict[int, Intent] = {}
    for one in sorted(placed, key=lambda one: (-one.weight, one.span, one.text)):
        best.setdefault(one.span[0] * room // max(length, 1), one)  # type: ignore[index]
    return free + [best[cell] for cell in sorted(best)]


def severed(places: NDArray[np.int64], intents: Sequence[Intent]) -> NDArray[np.float64]:
    """float64 (n,), the weight of the answers that a cut at each place divides.

    Two cumulative sums, over where answers begin and where they end, give all places at once.

    Args:
        places: int64 (n,), code points.
        intents: those without a place divide nowhere.
    """
    spans = [(*one.span, one.weight) for one in intents if one.span is not None and one.span[0] < one.span[1]]
    if not spans:
        return np.zeros(len(places))
    rows = np.array(spans, dtype=np.float64)

    def before(column: int, side: str) -> NDArray[np.float64]:
        order = np.argsort(rows[:, column], kind="stable")
        sums = np.concatenate(([0.0], np.cumsum(rows[order, 2])))
        counted: NDArray[np.float64] = sums[np.searchsorted(rows[order, column], places, side=side)]  # type: ignore[call-overload]
        return counted

    return np.maximum(before(0, "left") - before(1, "right"), 0.0).round(12)


def grown(
    cosine: NDArray[np.float64], parts: Sequence[tuple[int, int, int, Units]], most: int
) -> tuple[int, int] | None:
    """A guess at the range that answers an intent: the nearest unit, with neighbours nearly as near.

    Args:
        cosine: (n,), of the intent to the units of all parts, one after the other.
        parts: see `chunkers.vectors.Batch`; the range stays within one.
        most: tokens of the range at most, the nearest unit aside.
    """
    best = int(np.argmax(cosine))
    if cosine[best] <= 0:
        return None
    bar, at = NEAR * float(cosine[best]), 0
    part = 0
    while best >= at + parts[part][2] - parts[part][1]:
        at += parts[part][2] - parts[part][1]
        part += 1
    _, low, high, units = parts[part]
    first = last = best
    left, right = units.left, units.right

    def fits(a: int, b: int) -> bool:
        return int(left[low + a - at] + right[low + b - at + 1]) <= most

    while first > at and cosine[first - 1] >= bar and fits(first - 1, last):
        first -= 1
    while last + 1 < at + high - low and cosine[last + 1] >= bar and fits(first, last + 1):
        last += 1
    return int(units.at[low + first - at]), int(units.at[low + last - at + 1])
