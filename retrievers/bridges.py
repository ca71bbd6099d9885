"""The sentence by which one passage leads to another: it says what the other is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rag.readers.render import heading
from rag.sentences import sentence_spans
from rag.types import Hit
from retrievers.names import names, subjects, title_keys

__all__ = ["Bridge", "bridges", "shown"]

LONGEST = 400  # characters of a bridge
FEW = 5  # letters below which a name of one word leads nowhere


class Bridge(NamedTuple):
    """A way from one hit to another.

    Args:
        to: position of the hit that is led to.
        by: position of the hit that names it.
        text: the heading and the sentence that name it, as they stand in the source.
    """

    to: int
    by: int
    text: str


def shown(hit: Hit) -> str:
    """A hit as a scorer reads it: title and headings, then its text."""
    head = heading(hit)
    return f"{head}\n{hit.text}" if head else hit.text


def bridges(hits: Sequence[Hit]) -> list[Bridge]:
    """For each hit the first better one, of another document, that says its title or subject; in the order of the hits.

    Args:
        hits: best first.
    """
    said: list[set[str]] = []
    found: list[Bridge] = []
    for i, hit in enumerate(hits):
        keys = {one for one in (*title_keys(hit.document.title), *subjects(hit.text)) if " " in one or len(one) >= FEW}
        by = next((j for j in range(i) if keys & said[j] and hits[j].doc != hit.doc), -1)
        if by >= 0:
            found.append(Bridge(i, by, _sentence(hits[by], keys & said[by])))
        said.append(set(names(hit.text)))
    return found


def _sentence(hit: Hit, keys: set[str]) -> str:
    """The sentence of a hit that says one of the names, behind its headings."""
    text = hit.text
    spans = list(sentence_spans(text))
    place = next(((a, b) for a, b in spans if keys.intersection(names(text[a:b]))), spans[0] if spans else (0, 0))
    head = heading(hit)
    line = text[place[0] : place[1]].strip()[:LONGEST]
    return f"{head}: {line}" if head else line
