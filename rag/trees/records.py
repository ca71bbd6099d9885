"""The typed records of map and reduce: their JSON Schemas, and what must hold before one counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.lexical import terms
from rag.readers.quotes import find
from rag.trees.rationale import Claim, Evidence, evidence_of

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.trees.mapping import Sentence
    from rag.types import Query

__all__ = ["first_of", "lines_of", "map_schema", "mapped", "reduce_schema", "spent", "weighed"]

SUPPORT = 0.5  # share of an answer's words that its sentence must hold
ITEMS = 20


def mapped(value: Any, shown: Sequence[Sentence], tree: DocTree, *, quotes: bool) -> tuple[str, tuple[Claim, ...], str]:
    """The record a model gave, verified against the sentences it was shown."""
    status, sure = value["status"], _confidence(value)
    if status not in ("answered", "partial", "none"):
        raise ValueError("'status' must be answered, partial or none")
    text, claims = tree.document.text, []
    for item in value["items"] if status != "none" else []:
        number, answer = item["sentence"], str(item["answer"]).strip()
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(shown):
            raise ValueError(f"'sentence' must be 1 to {len(shown)}")
        one = shown[number - 1]
        if quotes and find(str(item["quote"]).strip() or "\0", text, one.start, one.end) is None:
            raise ValueError(f"'quote' does not stand in sentence {number}; copy it letter for letter")
        if not answer or not _held(answer, [text[one.start : one.end]]):
            raise ValueError(f"'answer' must be in words of sentence {number}")
        claims.append(Claim(answer, sure, (evidence_of(tree.document, one.start, one.end, sure),)))
    if status == "answered" and not claims:
        raise ValueError("'items' must not be empty where the status is answered")
    return (
        ("answered" if claims and status == "answered" else status if claims else "none"),
        tuple(claims),
        (" ".join(str(value.get("reasoning", "")).split())[:300]),
    )


def weighed(value: Any, claims: Sequence[Claim], query: Query) -> tuple[Claim, str]:
    """The claim a model made of several, verified."""
    numbers, answer = value["findings"], str(value["answer"]).strip()
    if not numbers or not all(isinstance(n, int) and 1 <= n <= len(claims) for n in numbers):
        raise ValueError(f"'findings' must hold numbers from 1 to {len(claims)}")
    cited = [claims[n - 1] for n in dict.fromkeys(numbers)]
    words = [query.text, *(c.answer for c in cited), *(e.quote for c in cited for e in c.evidence)]
    if not answer or not _held(answer, words):
        raise ValueError("'answer' must be in words of the findings it names")
    most = max(c.confidence for c in cited)
    if len({e.span for c in cited for e in c.evidence[:1]}) > 1:
        doubt = 1.0
        for c in cited:
            doubt *= 1 - c.confidence
        most = 1 - doubt
    sure = round(min(_confidence(value), most), 6)
    evidence: dict[Any, Evidence] = {e.span: e for c in cited for e in c.evidence}
    best = sorted(evidence.values(), key=lambda e: (-e.weight, e.span))
    return Claim(answer, sure, tuple(best), cited[0].at), " ".join(str(value.get("reasoning", "")).split())[:300]


def first_of(group: Sequence[Claim]) -> Claim:
    """The most confident of several claims; of equals the first."""
    return max(group, key=lambda claim: claim.confidence)


def lines_of(claims: Sequence[Claim]) -> str:
    """The findings as a model sees them, numbered from 1."""
    rows = []
    for i, claim in enumerate(claims, 1):
        quote = " ".join(claim.evidence[0].quote.split()) if claim.evidence else ""
        rows.append(f'{i}. {" ".join(claim.answer.split())} (confidence {round(10 * claim.confidence)}): "{quote}"')
    return "\n".join(rows)


def _held(answer: str, texts: Sequence[str]) -> bool:
    """Whether enough of an answer's words stand in the texts; yes and no need none."""
    wanted = [w for w in terms(answer) if w not in ("yes", "no", "true", "false")]
    known = {w for text in texts for w in terms(text)}
    return sum(w in known for w in wanted) >= SUPPORT * len(wanted)


def _confidence(value: Mapping[str, Any]) -> float:
    given = value["confidence"]
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 10:
        raise ValueError("'confidence' must be a number from 0 to 10")
    return round(float(given) / 10, 6)


def spent(usage: Mapping[str, float]) -> dict[str, float]:
    """What a ledger says of calls and tokens."""
    return {name: usage[name] for name in ("calls", "tokens_in", "tokens_out") if usage.get(name)}


def map_schema(sentences: int, quotes: bool) -> Mapping[str, Any]:
    """JSON Schema of what a unit of so many sentences says."""
    fields: dict[str, Any] = {
        "answer": {"type": "string", "maxLength": 200},
        "sentence": {"type": "integer", "minimum": 1, "maximum": sentences},
    }
    if quotes:
        fields["quote"] = {"type": "string", "maxLength": 300}
    item = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return _object(
        status={"enum": ["answered", "partial", "none"]},
        items={"type": "array", "maxItems": ITEMS, "items": item},
    )


def reduce_schema(findings: int) -> Mapping[str, Any]:
    """JSON Schema of a reduction of so many findings."""
    number = {"type": "integer", "minimum": 1, "maximum": findings}
    return _object(
        answer={"type": "string", "maxLength": 900},
        findings={"type": "array", "minItems": 1, "maxItems": findings, "items": number},
    )


def _object(**fields: Any) -> Mapping[str, Any]:
    known = {
        **fields,
        "confidence": {"type": "integer", "minimum": 0, "maximum": 10},
        "reasoning": {"type": "string", "maxLength": 300},
    }
    return {"type": "object", "properties": known, "required": list(known), "additionalProperties": False}
