"""One call to a language model that sees all the evidence; every citation is checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import SkipValidation

from rag.lexical import match, terms
from rag.models.aloud import aloud
from rag.models.calls import call
from rag.models.embedded import EmbeddedLLM
from rag.models.ledger import spending
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.models.tokens import counter
from rag.models.typed import typed
from rag.readers.quotes import find, locate, parts
from rag.readers.render import rendered
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.types import Answer, Citation, Drop, Hits

__all__ = ["Stuff"]

NAME = "readers/stuff"
NONE = re.compile(
    r"\W*(?:unanswerable|not answerable|no answer|unknown|n/?a|none|i (?:do not|don't|cannot|can't)\b.*"
    r"|(?:the )?(?:sources?|text|context) (?:do|does) not\b.*"
    r"|not (?:mentioned|stated|given|specified|provided)\b.*)?\W*",
    re.IGNORECASE | re.DOTALL,
)
MARK = re.compile(r"\s*\[(\d+(?:\s*,\s*\d+)*)\]")
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 600},
        "citations": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {"source": {"type": "integer"}, "quote": {"type": "string", "maxLength": 600}},
                "required": ["source", "quote"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["answer", "citations"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said: the answer, and (source number, quotation) pairs."""

    answer: str
    cited: tuple[tuple[int, str], ...]


@stage
class Stuff:
    """Ask a language model with all sources in one prompt, and keep only what can be checked.

    A quotation must stand in the evidence, letter for letter or with white space and quotation marks folded; it
    becomes an exact range of its document. One that stands nowhere is dropped and counted. An answer without
    any citation left is supported by the sentence that holds its words, if one does; else the reader
    abstains (`unsupported`). With `marks` and `plain` a citation is the sentence that shares most with the claim, in
    the source named or in all. Text of sources stands between marks it cannot contain, and cannot pose as another
    source.

    The embedded SmolLM2-135M is no reader to rely on. It cannot fill the JSON (14 SQuAD questions: F1 2, 40 of 42
    quotations invented, and dropped) nor set marks; with `plain` it writes sentences (20 questions: F1 7, most about
    the right passage, few with the answer). It does not see that an answer is missing: `support` 0.8 in place of 0.5
    abstains on 7 of 10 near misses in place of 2, and on one more of 20 answerable questions. `threshold` 0 after the
    embedded cross-encoder abstains on 96 to 100 % of 25 questions put to a collection about other things, and on 4
    to 16 % of answerable ones.

    Args:
        hits: the evidence; what does not fit `budget` is left out from the end, with a drop.

    Returns:
        `answered` with citations, or `abstained`; `notes` says how the answer was read and what was dropped; `usage`
        holds calls, tokens and cost (time is the trace's).

    Raises:
        ModelError: the model failed; its own kinds tell whether to try again.
    """

    llm: SkipValidation[LLM] = Field(default_factory=EmbeddedLLM, description="a language model, or llama-index's")
    form: Literal["json", "marks", "plain"] = Field(
        default="json", description="JSON with quotations, prose with [n] marks, or prose alone for small models"
    )
    budget: int = Field(default=3000, ge=0, description="tokens of context; a query's own budget goes first")
    max_tokens: int = Field(default=256, ge=8, description="tokens of answer")
    support: float = Field(default=0.5, ge=0, le=1, description="share of the answer's words its evidence must hold")
    threshold: float | None = Field(default=None, description="abstain, uncalled, unless a hit scores at least this")
    tokenizer: str = Field(default="cl100k", description="counts the budget")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def __call__(self, hits: Hits, /) -> Answer:
        """Ask, read, check."""
        hits = self._fit(hits)
        if not hits.items or not hits.query.text.strip():
            return self._abstain(hits, "no evidence" if not hits.items else "no question", {}, {})
        best = max(hit.score for hit in hits)
        if self.threshold is not None and best < self.threshold:
            return self._abstain(hits, f"best hit {best:.3f} < {self.threshold:g}", {}, {})
        with spending() as book:
            said, way = self._ask(hits)
        usage = {name: amount for name, amount in book.usage().items() if name != "seconds"}  # the same each time
        if NONE.fullmatch(said.answer):
            return self._abstain(hits, "unanswerable" if way != "fallback" else "unreadable", {"read": way}, usage)
        cited, facts = self._check(hits, said)
        notes = {"llm": self.llm.name, "read": way, **facts}
        if not cited:
            return self._abstain(hits, "unsupported", {"read": way, **facts}, usage)
        answer = said.answer.strip() if self.form == "json" else MARK.sub("", said.answer).strip()
        return Answer(hits.query, answer, "answered", cited, hits, usage=usage, notes={NAME: notes})

    def _fit(self, hits: Hits) -> Hits:
        """The hits from the front whose rendering is within the budget."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        tokenizer = counter(self.tokenizer)
        kept = len(hits)
        size = rendered(hits, tokenizer).tokens
        while kept and size > budget:
            kept -= 1
            size = rendered(hits.items[:kept], tokenizer).tokens
        drops = tuple(Drop(hit, NAME, f"not within {budget} tokens") for hit in hits.items[kept:])
        return replace(hits, items=hits.items[:kept], drops=hits.drops + drops, tokens=size)

    def _ask(self, hits: Hits) -> tuple[Said, str]:
        """What the model said, and how it was read."""
        asked = prompt(PROMPTS[self.form])
        messages = asked.fill(sources=fenced(rendered(hits).text), question=hits.query.text)
        if self.form != "json":
            with aloud():
                text = call(self.llm, messages, version=asked.version, max_tokens=self.max_tokens).text
            return Said(text, ()), "prose"
        with aloud("answer"):
            found = typed(
                self.llm,
                messages,
                version=asked.version,
                schema=SCHEMA,
                max_tokens=self.max_tokens,
                parse=_said,
                fallback=lambda: Said("", ()),
            )
        return found.value, found.way

    def _check(self, hits: Hits, said: Said) -> tuple[tuple[Citation, ...], dict[str, int]]:
        """The citations that stand, in the order given, each once; and counts of what was moved or dropped."""
        found, facts = FINDERS[self.form](hits, said)
        answer = MARK.sub("", said.answer)
        if not found:
            found = _holding(hits, answer)
            facts["found by words"] = len(found)
        if found and not _supports(hits, found, answer, self.support):
            facts["unsupported"] = len(found)
            found = []
        unique = list(dict.fromkeys((hits[i].document.id, start, end, i) for i, start, end in found))
        return tuple(Citation.of(hits[i].document, start, end) for _, start, end, i in unique), facts

    def _abstain(self, hits: Hits, reason: str, facts: Mapping[str, Any], usage: Mapping[str, float]) -> Answer:
        notes = {NAME: {"llm": self.llm.name, "abstained": reason, **facts}}
        return Answer(hits.query, "", "abstained", (), hits, usage=usage, notes=notes)


Place = tuple[int, int, int]  # position of the hit, start and end in its document


def _said(value: Any) -> Said:
    """Read the JSON; ValueError says what does not fit."""
    if not isinstance(value, dict) or not isinstance(value["answer"], str):
        raise ValueError('it must be an object with a text as "answer"')
    cited = value.get("citations") or []
    if not isinstance(cited, list) or not all(isinstance(c, dict) for c in cited):
        raise ValueError('"citations" must be a list of objects with "source" and "quote"')
    pairs = [(int(c.get("source") or 0), str(c.get("quote") or "")) for c in cited]
    return Said(value["answer"].strip(), tuple(pairs))


def _quoted(hits: Hits, said: Said) -> tuple[list[Place], dict[str, int]]:
    """The places of quotations."""
    found: list[Place] = []
    facts = {"cited": len(said.cited), "dropped": 0, "moved": 0}
    for source, quote in said.cited:
        places = [locate(part, hits.items, source - 1) for part in parts(quote)]
        stand = [place for place in places if place is not None]
        facts["dropped"] += not stand or len(stand) < len(places)
        facts["moved"] += any(place[0] != source - 1 for place in stand)
        found += stand
    return found, facts


def _marked(hits: Hits, said: Said) -> tuple[list[Place], dict[str, int]]:
    """For each claim with marks, the best matching sentence of each source it names."""
    found: list[Place] = []
    facts = {"cited": 0, "dropped": 0}
    begin = 0
    for mark in MARK.finditer(said.answer):
        claim = said.answer[begin : mark.start()]
        begin = mark.end()
        for number in mark.group(1).split(","):
            facts["cited"] += 1
            place = _closest(hits, [i for i in range(len(hits)) if i == int(number) - 1], claim)
            facts["dropped"] += place is None
            found += [place] if place is not None else []
    return found, facts


def _unmarked(hits: Hits, said: Said) -> tuple[list[Place], dict[str, int]]:
    """For each sentence of the answer, the best matching sentence of all sources."""
    claims = [said.answer[a:b] for a, b in sentence_spans(said.answer)]
    places = [_closest(hits, range(len(hits)), claim) for claim in claims]
    found = [place for place in places if place is not None]
    return found, {"claims": len(claims), "dropped": len(claims) - len(found)}


def _closest(hits: Hits, among: Iterable[int], claim: str) -> Place | None:
    """The sentence of these hits that shares most with a claim; None where no word is shared."""
    places = [
        (i, *_tight(hits[i].document.text, a, b))
        for i in among
        for span in hits[i].spans
        for a, b in sentence_spans(hits[i].document.text, *span)
    ]
    scores = match(claim, [hits[i].document.text[a:b] for i, a, b in places])
    best = max(range(len(places)), key=lambda k: (round(float(scores[k]), 9), -k), default=None)
    return None if best is None or scores[best] <= 0 else places[best]


def _holding(hits: Hits, answer: str) -> list[Place]:
    """Of the sentences that hold the answer word for word, the one that shares most with the question."""
    wanted = answer.strip(" .\"'")
    if not terms(wanted):
        return []
    found: list[Place] = []
    for i, hit in enumerate(hits):
        text = hit.document.text
        for span in hit.spans:
            found += [(i, *_tight(text, a, b)) for a, b in sentence_spans(text, *span) if find(wanted, text, a, b)]
    scores = match(hits.query.text, [hits[i].document.text[a:b] for i, a, b in found])
    best = sorted(range(len(found)), key=lambda k: (-round(float(scores[k]), 9), k))
    return [found[k] for k in best[:1]]


def _supports(hits: Hits, places: list[Place], answer: str, share: float) -> bool:
    """Whether enough of the answer's words stand in the sentences cited, or in the question; yes and no need none."""
    wanted = [w for w in terms(answer) if w not in ("yes", "no", "true", "false")]
    known = set(terms(hits.query.text))
    for i, start, end in places:
        text = hits[i].document.text
        near = [s for span in hits[i].spans for s in sentence_spans(text, *span) if s[0] < end and s[1] > start]
        known.update(w for a, b in near for w in terms(text[a:b]))
    return not wanted or sum(w in known for w in wanted) >= share * len(wanted)


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends."""
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())


PROMPTS = {"json": "answer", "marks": "answer-marks", "plain": "answer-plain"}
FINDERS = {"json": _quoted, "marks": _marked, "plain": _unmarked}
