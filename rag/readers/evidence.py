"""Evidence first, then the answer: one call, and a second over the evidence alone where the first is not enough."""

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
from rag.readers.grounded import borne_out, citations, holds, none, pairs, quoted, sentence, within
from rag.readers.render import rendered
from rag.stage import Field, Reader, stage
from rag.types import Answer, Hits

__all__ = ["Evidence"]

NAME = "readers/evidence"
WON = ("strict", "tolerant", "repaired")
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "evidence": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {"source": {"type": "integer"}, "quote": {"type": "string", "maxLength": 600}},
                "required": ["source", "quote"],
                "additionalProperties": False,
            },
        },
        "explanation": {"type": "string", "maxLength": 400},
        "answer": {"type": "string", "maxLength": 600},
    },
    "required": ["evidence", "explanation", "answer"],
    "additionalProperties": False,
}


class Said(NamedTuple):
    """A model's answer and the (source number, quotation) pairs it gave for it."""

    answer: str
    cited: tuple[tuple[int, str], ...]


@stage
class Evidence:
    """Quote the evidence, then answer from it; only what can be checked is shown.

    E2G, Evidence to Generate (Parvez, 2024, https://arxiv.org/abs/2401.05787): a first call gives an answer with its
    evidence, a second sees that evidence alone. Departures: quotations are found in the sources or dropped; the second
    call is left out where every quotation stands and the answer with it; it sees the whole sentences of the
    quotations and the best hit, in case they miss the point; sentences of an answer that the evidence does not bear
    out are dropped. Without an `llm`, or where it fails, invents or says nothing that can be borne out, `plain`
    answers, and the note says so. `plain` is asked first: where it abstains by its calibrated threshold, no
    call is made (`gate`), and its confidence, the probability that its sentence holds the answer, is what the answer
    carries.

    No gain over `plain` is claimed: what SmolLM2-135M adds is told by `python -m evals.reproduce multihop-llm`, and a
    larger model was not measured.

    Args:
        hits: the evidence; what does not fit `budget` is left out from the end, with a drop.

    Returns:
        `answered` with the sentences quoted as citations, or `abstained`; the note says which way was taken, and
        counts quotations dropped and sentences that went.

    Raises:
        MissingWeights: a model's files are not here; other errors of the model are counted and survived.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="a language model, or llama-index's; None: plain")
    plain: Reader = Field(default_factory=Extractive, description="answers where the model does not; tells confidence")
    gate: bool = Field(default=True, description="abstain, uncalled, where `plain` does")
    budget: int = Field(default=3000, ge=0, description="tokens of context; a query's own budget goes first")
    max_tokens: int = Field(default=384, ge=8, description="tokens of each of the model's answers")
    support: float = Field(default=0.6, ge=0, le=1, description="share of an answer's words its evidence must hold")
    calls: int = Field(default=4, ge=0, description="calls at most, repairs and retries among them")
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
            return _noted(given, hits, {"way": "plain" if self.llm is None else "gate"})
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        with spending() as book:
            answer, facts = self._read(hits, given, meter)
        usage = {name: amount for name, amount in book.usage().items() if name != "seconds"}
        return replace(_noted(answer, hits, {"llm": self.llm.name, **facts, **meter.facts()}), usage=usage)

    def _read(self, hits: Hits, given: Answer, meter: Meter) -> tuple[Answer, dict[str, Any]]:
        """The model's answer where it can be borne out, else the plain one; and what happened."""
        said, ok = self._ask(hits, meter)
        if not ok:
            return given, {"way": "fallback"}
        found = quoted(said.cited, hits.items)
        facts: dict[str, Any] = {"quotes": len(said.cited), "dropped": found.dropped, "moved": found.moved}
        if none(said.answer) and not said.cited:
            return _abstained(hits, given), {"way": "evidence", "abstained": "unanswerable", **facts}
        if not (found.whole and holds(said.answer, found.places, hits.items)):
            shown = self._evidence(hits, found.places)
            again, ok = self._ask(shown, meter)
            facts["way"] = "second call" if ok else "first call"
            if ok and none(again.answer) and not again.cited:
                return _abstained(hits, given), {**facts, "abstained": "unanswerable"}
            if ok:
                second = quoted(((0, quote) for _, quote in again.cited), hits.items)
                facts["dropped"] += second.dropped
                said, places = again, tuple(dict.fromkeys((*second.places, *found.places)))
                found = second._replace(places=places)
        text, used, gone = borne_out(said.answer, hits.query.text, found.places, hits.items, self.support)
        facts = {"way": "evidence", **facts, "unsupported": gone}
        if not text or none(text):
            return given, {**facts, "way": "fallback"}
        return replace(given, text=text, status="answered", citations=citations(used, hits.items)), facts

    def _ask(self, hits: Hits, meter: Meter) -> tuple[Said, bool]:
        asked = prompt("evidence")
        with aloud("answer"):
            found = meter.ask(
                asked.fill(sources=fenced(rendered(hits).text), question=hits.query.text),
                schema=SCHEMA,
                parse=_said,
                fallback=lambda: Said("", ()),
                version=asked.version,
                max_tokens=self.max_tokens,
            )
        return found.value, found.way in WON

    @staticmethod
    def _evidence(hits: Hits, places: Any) -> Hits:
        """The sentences of the quotations as hits, and the best hit whole."""
        spans: dict[int, set[tuple[int, int]]] = {}
        for place in places:
            grown = sentence(hits.items, place)
            spans.setdefault(place.hit, set()).add((grown.start, grown.end))
        items = [hits[0]]
        items += [replace(hits[i], spans=_joined(spans[i])) for i in sorted(spans) if i]
        return replace(hits, items=tuple(items))


def _joined(spans: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges in order, those that touch made one."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return tuple(made)


def _said(value: Any) -> Said:
    """Read the JSON; ValueError where it does not fit."""
    if not isinstance(value, dict) or not isinstance(value["answer"], str):
        raise ValueError('it must be an object with a text as "answer"')
    return Said(value["answer"].strip(), pairs(value.get("evidence")))


def _abstained(hits: Hits, given: Answer) -> Answer:
    return Answer(hits.query, "", "abstained", (), hits, given.confidence, notes=given.notes)


def _noted(answer: Answer, hits: Hits, note: Mapping[str, Any]) -> Answer:
    return replace(answer, context=hits, notes={**answer.notes, NAME: dict(note)})
