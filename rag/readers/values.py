"""Values of a type in the sentences of an answer: dates, amounts and numbers by their looks, yes or no by negation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rag.doctree import DocTree
from rag.lexical import STOP
from rag.readers.span_features import want
from rag.readers.spans import tokens
from rag.readers.table import Cell
from rag.trees.items import Found, typed_spans
from rag.trees.rationale import Claim, Evidence
from rag.types import Citation

__all__ = ["polarity", "typed_cell"]

LOOKED = 5  # claims whose sentences are searched
NEGATIONS = frozenset(("not", "no", "never", "none", "nor", "neither", "without", "cannot", "nobody", "nothing"))


def typed_cell(claims: Sequence[tuple[Claim, DocTree]], kind: str, asked: str, least: float) -> Cell:
    """The value of a kind that the best claims' sentences hold."""
    for claim, tree in claims[:LOOKED]:
        if claim.confidence < least:
            break
        for one in claim.evidence:
            found = typed_spans(tree.document.text, [_Range(one.span.start, one.span.end)], kind)
            if found:
                value = min(found, key=lambda f: _order(f, one, claim, asked))
                quote = Citation.of(tree.document, one.span.start, one.span.end)
                text = tree.document.text[value.start : value.end]
                exact = Citation.of(tree.document, value.start, value.end)
                return Cell(" ".join(text.split()), "found", "", claim.confidence, (quote, exact))
    return Cell("", "empty", f"no {kind} in the sentences that speak of it", claims[0][0].confidence)


class _Range(NamedTuple):
    start: int
    end: int


def _order(value: Found, proof: Evidence, claim: Claim, asked: str) -> tuple[bool, float, float, int]:
    """Values that the answer holds first, then those most like their kind, then the nearest to the question's words."""
    at = proof.quote.find(claim.answer)
    begin = proof.span.start + at
    held = at >= 0 and value.start < begin + len(claim.answer) and begin < value.end
    stems = want(asked).stems
    places = [proof.span.start + w.start for w in tokens(proof.quote) if w.stem in stems and w.low not in STOP]
    near = min((abs(place - value.start) for place in places), default=0)
    return not held, -value.worth, near, value.start


def polarity(asked: str, proof: Evidence) -> str:
    """`yes` or `no`: whether question and sentence are both with, or both without, a word of negation."""

    def negated(text: str) -> bool:
        return any(w.low in NEGATIONS or w.low.endswith(("n't", "n’t")) for w in tokens(text))

    return "no" if negated(proof.quote) != negated(asked) else "yes"
