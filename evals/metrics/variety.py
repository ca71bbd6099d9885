"""How much a context repeats itself, and how many sides of the question it covers.

Redundancy: mean Jaccard similarity of the word sets of all pairs of pieces, the quantity that maximal marginal
relevance trades against relevance (Carbonell and Goldstein, SIGIR 1998), averaged. Facet coverage: subtopic
recall, Zhai, Cohen and Lafferty, SIGIR 2003, with gold documents as the subtopics of a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from evals.metrics.answers import words
from evals.ranges import by_document, overlap

__all__ = ["facets", "facets_by_document", "redundancy"]

Triple = Sequence[Any]


def redundancy(pieces: Sequence[str]) -> float:
    """Redund: mean over all pairs of pieces of shared words / words of either; 0 below two pieces."""
    sets = [set(words(piece).split()) for piece in pieces]
    shares = [len(a & b) / len(a | b) if a | b else 0.0 for a, b in combinations(sets, 2)]
    return sum(shares) / len(shares) if shares else 0.0


def facets(found: Iterable[Triple], sides: Mapping[str, Sequence[Triple]]) -> float:
    """Facets: share of the sides of a question of which the context holds a character.

    Args:
        found: `(doc, start, end)` of the context.
        sides: name of each side -> the ranges that speak of it; at least one side.
    """
    have = by_document(found)
    covered = [
        any(overlap(have.get(doc, []), ranges) for doc, ranges in by_document(spans).items())
        for spans in sides.values()
    ]
    return sum(covered) / len(covered) if covered else 0.0


def facets_by_document(gold: Iterable[Triple]) -> dict[str, list[Triple]]:
    """Every gold document as a side of the question."""
    found: dict[str, list[Triple]] = {}
    for span in gold:
        found.setdefault(str(span[0]), []).append(span)
    return found
