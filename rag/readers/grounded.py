"""What a model says, held against its sources: quotations are found, sentences that nothing bears out dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rag.lexical import terms
from rag.models.tokens import counter
from rag.readers.quotes import find, locate, parts
from rag.readers.render import rendered
from rag.sentences import sentence_spans
from rag.types import Citation, Drop, Hit, Hits

__all__ = ["Place", "Quoted", "borne_out", "citations", "holds", "none", "pairs", "quoted", "within"]

NONE = re.compile(
    r"\W*(?:unanswerable|not answerable|no answer|unknown|n/?a|none|i (?:do not|don't|cannot|can't)\b.*"
    r"|(?:the )?(?:sources?|text|context) (?:do|does) not\b.*"
    r"|not (?:mentioned|stated|given|specified|provided)\b.*)?\W*",
    re.IGNORECASE | re.DOTALL,
)
SMALL = ("yes", "no", "true", "false")  # answers whose words need not stand in a source
FOLLOWS = re.compile(r"(?<=[.!?])\s+")


class Place(NamedTuple):
    """A range of a hit's document.

    Args:
        hit: position of the hit.
        start: first code point.
        end: one past the last.
    """

    hit: int
    start: int
    end: int


class Quoted(NamedTuple):
    """What quotations come to.

    Args:
        places: of those that stand in the evidence, each once, in the order given.
        whole: whether every quotation stood.
        dropped: quotations, or pieces of them, that stand nowhere.
        moved: quotations that stand in another source than they name.
    """

    places: tuple[Place, ...]
    whole: bool
    dropped: int
    moved: int


def none(answer: str) -> bool:
    """Whether an answer says that there is none."""
    return NONE.fullmatch(answer) is not None


def within(hits: Hits, budget: int, tokenizer: str, stage: str) -> Hits:
    """The hits from the front whose rendering is within a budget; the others are dropped with a reason."""
    limit = budget if hits.query.budget is None else hits.query.budget
    counted = counter(tokenizer)
    kept = len(hits)
    size = rendered(hits, counted).tokens
    while kept and size > limit:
        kept -= 1
        size = rendered(hits.items[:kept], counted).tokens
    drops = tuple(Drop(hit, stage, f"not within {limit} tokens") for hit in hits.items[kept:])
    return replace(hits, items=hits.items[:kept], drops=hits.drops + drops, tokens=size)


def pairs(value: Any) -> tuple[tuple[int, str], ...]:
    """(source number, quotation) of a list of objects.

    Raises:
        ValueError: it is no such list.
    """
    rows = value or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it must be a list of objects with a source and a quote")
    sources = [row.get("source") for row in rows]
    numbers = [one if isinstance(one, int) else int(str(one)) if str(one).strip().isdigit() else 0 for one in sources]
    return tuple((number, str(row.get("quote") or "")) for number, row in zip(numbers, rows, strict=True))


def quoted(said: Iterable[tuple[int, str]], hits: Sequence[Hit]) -> Quoted:
    """Find quotations letter for letter, with white space and quotation marks folded; a gap in one makes pieces."""
    places: list[Place] = []
    dropped = moved = 0
    for source, quote in said:
        found = [locate(part, hits, source - 1) for part in parts(quote)]
        stand = [Place(*place) for place in found if place is not None]
        dropped += len(found) - len(stand) or int(not found)
        moved += any(place.hit != source - 1 for place in stand)
        places += stand
    return Quoted(tuple(dict.fromkeys(places)), bool(places) and not dropped, dropped, moved)


def sentence(hits: Sequence[Hit], place: Place) -> Place:
    """The place, grown to the sentences it touches within the hit."""
    text = hits[place.hit].document.text
    for first, last in hits[place.hit].spans:
        if first <= place.start and place.end <= last:
            near = [s for s in sentence_spans(text, first, last) if s[0] < place.end and s[1] > place.start]
            start, end = near[0][0], near[-1][1]
            body = text[start:end]
            start += len(body) - len(body.lstrip())
            return Place(place.hit, start, start + len(body.strip()))
    return place


def holds(answer: str, places: Iterable[Place], hits: Sequence[Hit]) -> bool:
    """Whether an answer stands, as it is, in one of the places."""
    return any(find(answer.strip(" ."), hits[p.hit].document.text, p.start, p.end) is not None for p in places)


def borne_out(
    answer: str, question: str, places: Sequence[Place], hits: Sequence[Hit], share: float
) -> tuple[str, tuple[Place, ...], int]:
    """The sentences of an answer that its evidence bears out, the evidence they need, and how many sentences went.

    A sentence is borne out where `share` of its words, those of the question aside, stand in the sentence of one place,
    or in those of all together where no one does. Yes and no need a place and no word.

    Args:
        answer: what the model said.
        question: its words count as known.
        places: checked evidence.
        hits: what the places lie in.
        share: of the words, in [0, 1].
    """
    known = set(terms(question)) | set(SMALL)
    bags = [set(terms(_text(hits, sentence(hits, place)))) for place in places]
    kept: list[str] = []
    used: dict[Place, None] = {}
    pieces = [piece for piece in FOLLOWS.split(answer.strip()) if piece]
    for piece in pieces:
        wanted = set(terms(piece)) - known
        counts = [len(wanted & bag) for bag in bags]
        best = max(range(len(places)), key=lambda i: (counts[i], -i), default=None)
        if best is None:
            continue
        together = set().union(*bags)
        if counts[best] >= share * len(wanted):
            used[places[best]] = None
        elif len(wanted & together) >= share * len(wanted):
            used.update({places[i]: None for i in range(len(places)) if counts[i]})
        else:
            continue
        kept.append(piece)
    return " ".join(kept), tuple(used), len(pieces) - len(kept)


def citations(places: Iterable[Place], hits: Sequence[Hit]) -> tuple[Citation, ...]:
    """One citation a place, grown to its sentence, each once."""
    grown = dict.fromkeys(sentence(hits, place) for place in places)
    return tuple(Citation.of(hits[place.hit].document, place.start, place.end) for place in grown)


def _text(hits: Sequence[Hit], place: Place) -> str:
    return hits[place.hit].document.text[place.start : place.end]
