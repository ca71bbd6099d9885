"""Rationale: what one node of a tree has to say about a question, and what that rests on.

The record that map-reduce carries upwards. Every quotation is a slice of the source; errors are values beside the
evidence, never text among it (ToM, https://arxiv.org/abs/2511.00489, reduces the sentence of a failed call as if it
were evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rag.types import Document, Span

__all__ = ["STATUSES", "Claim", "Evidence", "Fault", "Rationale", "evidence_of", "packed", "summed", "unpacked"]

STATUSES = ("answered", "partial", "none", "error")


class Evidence(NamedTuple):
    """A quotation and how much it counts.

    Args:
        span: where it stands.
        quote: `document.text[span.start:span.end]`, always.
        weight: in [0, 1], its relevance to the question as the map step judged it.
    """

    span: Span
    quote: str
    weight: float


class Claim(NamedTuple):
    """One distinct answer, or one item of a list.

    Args:
        answer: as written in the source, or as a model wrote it; never empty.
        confidence: in [0, 1], support from everything that says so.
        evidence: what says so, best first; at least one quotation.
        at: the section (else the node) it was found in.
    """

    answer: str
    confidence: float
    evidence: tuple[Evidence, ...]
    at: Span | None = None


class Fault(NamedTuple):
    """A step that failed: the node, the kind of error, and its message, which quotes no document."""

    node: int
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Rationale:
    """What a node says about a question.

    Args:
        node: index in its tree; -1 for several documents together.
        status: `answered`; `partial` (evidence, but not for all that is asked); `none` (nothing here); `error`
            (nothing here and a step failed).
        answer: the best supported answer; of a list its items joined by `; `; "" without one.
        confidence: in [0, 1]; at the root it is multiplied by `coverage`.
        evidence: quotations, best first.
        claims: every distinct answer or item, best first.
        conflicts: the two best claims where they lie within the margin, else empty.
        reasoning: a model's words; "" offline.
        found: stems of the question's words met below, in order of the alphabet.
        attempted: units of text that passed the gate.
        mapped: those of them that were mapped as asked; a unit whose model failed is not among them, though its
            words were read.
        ways: way -> units or reductions that went it: `llm`, `offline`, `repaired`, `fallback` (the model failed),
            `degraded` (no time or budget left).
        calls: `calls`, `tokens_in` and `tokens_out` as they were when each step was first made.
        faults: steps that failed.
    """

    node: int
    status: str = "none"
    answer: str = ""
    confidence: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    claims: tuple[Claim, ...] = ()
    conflicts: tuple[Claim, ...] = ()
    reasoning: str = ""
    found: tuple[str, ...] = ()
    attempted: int = 0
    mapped: int = 0
    ways: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the units behind the gate that were mapped as asked; 1 where the gate let none through."""
        return self.mapped / self.attempted if self.attempted else 1.0


def evidence_of(document: Document, start: int, end: int, weight: float) -> Evidence:
    """Quote a range of a document without the white space at its ends."""
    body = document.text[start:end]
    start += len(body) - len(body.lstrip())
    end = start + len(body.strip())
    return Evidence(document.span(start, end), document.text[start:end], round(weight, 6))


def summed(many: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums by name, names in order, what is 0 left out."""
    total: dict[str, Any] = {}
    for one in many:
        for name, amount in one.items():
            total[name] = total.get(name, 0) + amount
    return {name: total[name] for name in sorted(total) if total[name]}


def packed(made: Rationale, base: int) -> dict[str, Any]:
    """JSON values without any text of the document: offsets count from `base`, quotations are left out."""

    def rows(items: Iterable[Evidence]) -> list[list[Any]]:
        return [[e.span.start - base, e.span.end - base, e.weight] for e in items]

    return {
        "status": made.status,
        "answer": made.answer,
        "confidence": made.confidence,
        "evidence": rows(made.evidence),
        "claims": [[c.answer, c.confidence, rows(c.evidence)] for c in made.claims],
        "conflicts": [made.claims.index(c) for c in made.conflicts],
        "reasoning": made.reasoning,
        "found": list(made.found),
        "attempted": made.attempted,
        "mapped": made.mapped,
        "ways": dict(made.ways),
        "calls": dict(made.calls),
    }


def unpacked(kept: Mapping[str, Any], document: Document, node: int, base: int) -> Rationale:
    """The record again, its quotations sliced anew.

    Raises:
        ValueError, KeyError, TypeError: it is no such record, or does not fit the document.
    """

    def read(rows: Iterable[Any]) -> tuple[Evidence, ...]:
        found = []
        for start, end, weight in rows:
            span = document.span(start + base, end + base)
            found.append(Evidence(span, document.text[span.start : span.end], float(weight)))
        return tuple(found)

    if kept["status"] not in STATUSES:
        raise ValueError("status")
    claims = tuple(Claim(str(answer), float(sure), read(rows)) for answer, sure, rows in kept["claims"])
    return Rationale(
        node,
        kept["status"],
        str(kept["answer"]),
        float(kept["confidence"]),
        read(kept["evidence"]),
        claims,
        tuple(claims[i] for i in kept["conflicts"]),
        str(kept["reasoning"]),
        tuple(kept["found"]),
        int(kept["attempted"]),
        int(kept["mapped"]),
        dict(kept["ways"]),
        dict(kept["calls"]),
    )
