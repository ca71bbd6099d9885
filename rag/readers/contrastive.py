"""Tell the sources that help from those that only look alike, then answer from the former."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import SkipValidation

from rag.models.aloud import aloud
from rag.models.bounded import Meter
from rag.models.ledger import spending
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.readers.extractive import Extractive
from rag.readers.grounded import borne_out, citations, none, pairs, quoted, within
from rag.readers.render import rendered
from rag.stage import Field, Reader, stage
from rag.types import Answer, Hits

__all__ = ["Contrastive"]

NAME = "readers/contrastive"
WON = ("strict", "tolerant", "repaired")
SHOWN: Mapping[str, Any] = {"source": {"type": "integer"}, "why": {"type": "string", "maxLength": 300}}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "relevant": {
            "type": "array",
            "maxItems": 6,
            "items": {
                "type": "object",
                "properties": {**SHOWN, "quote": {"type": "string", "maxLength": 600}},
                "required": ["source", "quote", "why"],
                "additionalProperties": False,
            },
        },
        "irrelevant": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "properties": dict(SHOWN),
                "required": ["source", "why"],
                "additionalProperties": False,
            },
        },
        "explanation": {"type": "string", "maxLength": 600},
        "answer": {"type": "string", "maxLength": 600},
    },
    "required": ["relevant", "irrelevant", "explanation", "answer"],
    "additionalProperties": False,
}


class Said(NamedTuple):
    """What the model said.

    Args:
        answer: the answer.
        relevant: (source number, quotation).
        irrelevant: numbers of sources it sets aside.
        whys: lengths are not checked; (source number, reason) of both kinds.
    """

    answer: str
    relevant: tuple[tuple[int, str], ...]
    irrelevant: tuple[int, ...]
    whys: tuple[tuple[int, str], ...]


@stage
class Contrastive:
    """Answer by contrast: what helps is quoted, what does not is named, both with a reason that stays in the note.

    C-RAG (Ranaldi et al., NAACL 2025, https://arxiv.org/abs/2410.22874): collect, contrast, explain, answer, in
    one generation. Departures: no model is tuned; the four moves are one JSON form; a source counts as relevant only
    by a quotation that stands in it, and a source the model calls both is relevant if its quotation stands; sentences
    of the answer that the quotations do not bear out are dropped. Without an `llm`, or where its answer cannot be
    borne out, `plain` answers, and the sources its citations lie in are the relevant ones. `gate`: where
    `plain` abstains by its calibrated threshold, no call is made; its confidence is what the answer carries.

    No gain over `plain` is claimed: none was measured, with a small model or a large one.

    Args:
        hits: the evidence; what does not fit `budget` is left out from the end, with a drop.

    Returns:
        `answered` with the relevant quotations as citations, grown to their sentences, or `abstained`. The note holds
        `relevant` and `irrelevant`: positions of hits, each with the model's reason where it gave one.

    Raises:
        MissingWeights: a model's files are not here; other errors of the model are counted and survived.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="a language model, or llama-index's; None: plain")
    plain: Reader = Field(default_factory=Extractive, description="answers where the model does not; tells confidence")
    gate: bool = Field(default=True, description="abstain, uncalled, where `plain` does")
    budget: int = Field(default=3000, ge=0, description="tokens of context; a query's own budget goes first")
    max_tokens: int = Field(default=640, ge=8, description="tokens of the model's answer")
    support: float = Field(default=0.6, ge=0, le=1, description="share of an answer's words its evidence must hold")
    calls: int = Field(default=2, ge=0, description="calls at most, repairs and retries among them")
    seconds: float = Field(default=60.0, gt=0, description="time for calls at most")
    tokenizer: str = Field(default="cl100k", description="counts the budget")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def __call__(self, hits: Hits, /) -> Answer:
        """Ask plainly, then the model, then check."""
        hits = within(hits, self.budget, self.tokenizer, NAME)
        given = self.plain(hits)
        if self.llm is None or not hits.items or (self.gate and given.status == "abstained"):
            return _noted(given, hits, {"way": "plain" if self.llm is None else "gate", **_plain_sides(given, hits)})
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        with spending() as book:
            answer, facts = self._read(hits, given, meter)
        usage = {name: amount for name, amount in book.usage().items() if name != "seconds"}
        return replace(_noted(answer, hits, {"llm": self.llm.name, **facts, **meter.facts()}), usage=usage)

    def _read(self, hits: Hits, given: Answer, meter: Meter) -> tuple[Answer, dict[str, Any]]:
        """The model's answer where it can be borne out, else the plain one; and what happened."""
        asked = prompt("contrast-answer")
        with aloud("answer"):
            found = meter.ask(
                asked.fill(sources=fenced(rendered(hits).text), question=hits.query.text),
                schema=SCHEMA,
                parse=_said,
                fallback=lambda: Said("", (), (), ()),
                version=asked.version,
                max_tokens=self.max_tokens,
            )
        if found.way not in WON:
            return given, {"way": "fallback", **_plain_sides(given, hits)}
        said = found.value
        stood = quoted(said.relevant, hits.items)
        facts: dict[str, Any] = {"way": "contrast", "dropped": stood.dropped, "moved": stood.moved}
        whys = dict(reversed(said.whys))
        helping = sorted({place.hit for place in stood.places})
        facts["relevant"] = [[i, whys.get(i + 1, "")] for i in helping]
        aside = dict.fromkeys(n - 1 for n in said.irrelevant if 0 < n <= len(hits) and n - 1 not in helping)
        facts["irrelevant"] = [[i, whys.get(i + 1, "")] for i in sorted(aside)]
        if none(said.answer) and not said.relevant:
            unanswered = Answer(hits.query, "", "abstained", (), hits, given.confidence, notes=given.notes)
            return unanswered, {**facts, "abstained": "unanswerable"}
        text, used, gone = borne_out(said.answer, hits.query.text, stood.places, hits.items, self.support)
        if not text or none(text):
            return given, {**facts, "way": "fallback", "unsupported": gone}
        answer = replace(given, text=text, status="answered", citations=citations(used, hits.items))
        return answer, {**facts, "unsupported": gone}


def _plain_sides(given: Answer, hits: Hits) -> dict[str, Any]:
    """Relevant are the hits that citations lie in; the others are not needed."""
    cited = {
        i
        for i, hit in enumerate(hits)
        for c in given.citations
        if c.doc == hit.doc and any(start <= c.start and c.end <= end for start, end in hit.spans)
    }
    return {
        "relevant": [[i, "cited"] for i in sorted(cited)],
        "irrelevant": [[i, "not cited"] for i in range(len(hits)) if i not in cited],
    }


def _said(value: Any) -> Said:
    """Read the JSON; ValueError where it does not fit."""
    if not isinstance(value, dict) or not isinstance(value["answer"], str):
        raise ValueError('it must be an object with a text as "answer"')
    relevant, aside = pairs(value.get("relevant")), pairs(value.get("irrelevant"))
    rows = [*(value.get("relevant") or []), *(value.get("irrelevant") or [])]
    numbers = [number for number, _ in (*relevant, *aside)]
    whys = tuple((number, str(row.get("why") or "")) for number, row in zip(numbers, rows, strict=True))
    return Said(value["answer"].strip(), relevant, tuple(number for number, _ in aside), whys)


def _noted(answer: Answer, hits: Hits, note: Mapping[str, Any]) -> Answer:
    return replace(answer, context=hits, notes={**answer.notes, NAME: dict(note)})
