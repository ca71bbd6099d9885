"""Claims with the words they rest on: noted from passages, held against them, withdrawn with what leans on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rag.lexical import STOP, WORD, stem, terms
from rag.models.bounded import Meter
from rag.models.prompts import fenced, prompt
from rag.readers.grounded import pairs, quoted
from rag.readers.render import rendered
from rag.sentences import sentence_spans
from rag.types import Hit, Hits

__all__ = [
    "Claim",
    "Status",
    "covers",
    "facets",
    "fresh_words",
    "judged",
    "noted_claims",
    "reviewed",
    "sentences_as_claims",
]

Status = Literal["proposed", "supported", "disputed", "withdrawn"]
MOST = 6  # claims of a round
SHORT = 3  # words of a claim below which it says nothing
QUESTIONS = frozenset("who whom whose what which when where why how name much many".split())  # noqa: SIM905
CAPITAL = re.compile(r"[^\W\d_a-z][\w'’.-]*(?: (?:(?:of|the|de|van|von|and) )?[^\W\d_a-z][\w'’.-]*)*")


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a passage states.

    Args:
        number: from 1, in the order noted.
        text: what is claimed; of a claim made without a model, the words it rests on.
        hit: the passage.
        start: first code point of the words it rests on, in the passage's document.
        end: one past the last.
        round: when it was noted, from 1.
        status: proposed; supported once its words are borne out by its passage; disputed where what it leaned on was
            withdrawn; withdrawn.
    """

    number: int
    text: str
    hit: Hit
    start: int
    end: int
    round: int
    status: Status = "proposed"

    @property
    def quote(self) -> str:
        """The words it rests on."""
        return self.hit.document.text[self.start : self.end]

    @property
    def holds(self) -> bool:
        """Whether it counts."""
        return self.status == "supported"


def facets(question: str) -> tuple[frozenset[str], ...]:
    """What a question is about: the terms of each row of words between its small words, in order, each once."""
    rows: list[list[str]] = [[]]
    end = 0
    for match in WORD.finditer(question):
        word = match.group().lower()
        broken = any(c in ",;:?()" for c in question[end : match.start()])
        end = match.end()
        if broken:
            rows.append([])
        if word in STOP or word in QUESTIONS:
            rows.append([])
        else:
            rows[-1].append(stem(word))
    return tuple(dict.fromkeys(frozenset(row) for row in rows if row))


def covers(text: str, facet: frozenset[str]) -> bool:
    """Whether a text holds at least half of a facet's terms."""
    return 2 * len(facet & set(terms(text))) >= len(facet)


def noted_claims(hits: Hits, meter: Meter, number: int, turn: int, most: int = MOST) -> tuple[list[Claim], int]:
    """What a model notes from passages; each claim whose quotation does not stand in them is rejected unasked.

    Args:
        hits: the question and new passages.
        meter: the model and its limits.
        number: of the first claim.
        turn: the round.
        most: claims asked for.

    Returns:
        The claims, supported where their words stand in their quotation's sentence and else proposed; and how many
        were rejected. Without an answer of the model: sentences as claims.
    """
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "claims": {
                "type": "array",
                "maxItems": most,
                "items": {
                    "type": "object",
                    "properties": {
                        "claim": {"type": "string", "maxLength": 300},
                        "source": {"type": "integer"},
                        "quote": {"type": "string", "maxLength": 400},
                    },
                    "required": ["claim", "source", "quote"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["claims"],
        "additionalProperties": False,
    }
    asked = prompt("ledger-claims")

    def parse(value: Any) -> list[tuple[str, tuple[int, str]]]:
        rows = value["claims"]
        return [(str(row.get("claim") or ""), pair) for row, pair in zip(rows, pairs(rows), strict=True)][:most]

    found = meter.ask(
        asked.fill(sources=fenced(rendered(hits).text), question=hits.query.text, most=str(most)),
        schema=schema,
        parse=parse,
        fallback=lambda: None,
        version=asked.version,
        max_tokens=120 * most,
    )
    if found.value is None:
        return sentences_as_claims(hits, number, turn, most), 0
    claims: list[Claim] = []
    for text, pair in found.value:
        stood = quoted([pair], hits.items)
        if stood.whole and len(WORD.findall(text)) >= SHORT:
            place = stood.places[0]
            end = stood.places[-1].end if stood.places[-1].hit == place.hit else place.end
            claim = Claim(number + len(claims), text, hits[place.hit], place.start, max(end, place.end), turn)
            claims.append(reviewed(claim))
    return claims, len(found.value) - len(claims)


def sentences_as_claims(hits: Hits, number: int, turn: int, most: int = MOST) -> list[Claim]:
    """Without a model: the sentences of the passages that cover a facet of the question, those with most first."""
    wanted = facets(hits.query.text)
    rows: list[tuple[int, int, int, int]] = []
    for i, hit in enumerate(hits):
        text = hit.document.text
        head = hit.document.title
        for span in hit.spans:
            for a, b in sentence_spans(text, *span):
                start, end = _tight(text, a, b)
                count = sum(covers(f"{head} {text[start:end]}", facet) for facet in wanted)
                if count and start < end:
                    rows.append((-count, i, start, end))
    return [
        Claim(number + n, hits[i].document.text[start:end], hits[i], start, end, turn, "supported")
        for n, (_, i, start, end) in enumerate(sorted(rows)[:most])
    ]


def reviewed(claim: Claim, share: float = 0.6) -> Claim:
    """The claim, supported where its words stand in the sentences of its quotation or above them, else proposed."""
    text = claim.hit.document.text
    near = [
        text[a:b]
        for span in claim.hit.spans
        for a, b in sentence_spans(text, *span)
        if a < claim.end and b > claim.start
    ]
    known = set(terms(" ".join((claim.hit.document.title, *claim.hit.path, *near))))
    wanted = set(terms(claim.text))
    borne = bool(wanted) and len(wanted & known) >= share * len(wanted)
    return replace(claim, status="supported" if borne else "proposed")


def judged(
    question: str, claims: Sequence[Claim], meter: Meter, most: int
) -> tuple[str, tuple[int, ...], tuple[int, ...], tuple[str, ...]] | None:
    """What a model makes of the ledger: an answer, the claims it uses, those to withdraw, queries for gaps; or None."""
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "answer": {"type": "string", "maxLength": 200},
            "uses": {"type": "array", "maxItems": 8, "items": {"type": "integer"}},
            "withdraw": {"type": "array", "maxItems": 8, "items": {"type": "integer"}},
            "gaps": {"type": "array", "maxItems": most, "items": {"type": "string", "maxLength": 200}},
        },
        "required": ["answer", "uses", "withdraw", "gaps"],
        "additionalProperties": False,
    }
    asked = prompt("ledger-judge")
    lines = "\n".join(f"{one.number}. {' '.join(one.text.split())} ({one.status})" for one in claims)
    known = {one.number for one in claims}

    def parse(value: Any) -> tuple[str, tuple[int, ...], tuple[int, ...], tuple[str, ...]]:
        if not isinstance(value, dict):
            raise TypeError("it must be an object")
        lists = [value.get(name) or [] for name in ("uses", "withdraw", "gaps")]
        if not isinstance(value["answer"], str) or not all(isinstance(one, list) for one in lists):
            raise ValueError('"answer" must be a text, "uses", "withdraw" and "gaps" lists')
        uses, gone = (tuple(n for n in row if isinstance(n, int) and n in known) for row in lists[:2])
        gaps = tuple(" ".join(gap.split())[:200] for gap in lists[2] if isinstance(gap, str) and terms(gap))
        return value["answer"].strip(), uses, gone, gaps[:most]

    found = meter.ask(
        asked.fill(question=question, claims=fenced(lines, "claims"), most=str(most)),
        schema=schema,
        parse=parse,
        fallback=lambda: None,
        version=asked.version,
        max_tokens=320,
    )
    return found.value


def fresh_words(question: str, claims: Iterable[Claim], most: int = 3) -> list[str]:
    """Names that claims say and the question does not, the latest first: what a next search may go on with."""
    known = set(terms(question))
    found: dict[str, None] = {}
    for claim in sorted(claims, key=lambda one: -one.number):
        for name in CAPITAL.findall(claim.quote):
            if not set(terms(name)) <= known and terms(name):
                found.setdefault(name)
    return list(found)[:most]


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())
