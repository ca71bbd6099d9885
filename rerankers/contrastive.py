"""A language model sorts hits into what supports, what refutes and what does neither, with quotes that are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import SkipValidation

from rag.errors import MissingWeights, ModelError
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import prompt
from rag.models.typed import typed
from rag.pool import ordered
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.shown import shown

__all__ = ["Contrastive", "Placed", "placed"]

NAME = "rerankers/contrastive"
SIDES = ("supporting", "refuting")
LEAST = 3  # words of a quote; fewer stand anywhere
QUOTED: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "quote": {"type": "string"}, "why": {"type": "string"}},
        "required": ["id", "quote", "why"],
        "additionalProperties": False,
    },
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "supporting": QUOTED,
        "refuting": QUOTED,
        "irrelevant": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "why": {"type": "string"}},
                "required": ["id", "why"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["supporting", "refuting", "irrelevant"],
    "additionalProperties": False,
}


class Placed(NamedTuple):
    """What a model's answer comes to once it is checked.

    Args:
        quotes: (place of the passage, side, start, end), a slice of the passage's document that equals the quote.
        off: places of passages it calls irrelevant and has no quote of.
        unverified: quotes that stand nowhere in their passage, or are too short to prove anything.
        invented: rows that name no passage.
    """

    quotes: tuple[tuple[int, str, int, int], ...] = ()
    off: tuple[int, ...] = ()
    unverified: int = 0
    invented: int = 0


def placed(said: Mapping[str, Any], hits: Sequence[Hit]) -> Placed:
    """Check an answer against the passages that were shown.

    Raises:
        ValueError: it has none of the three rows, or no row of it names a passage.
        TypeError: a part of it is no array.
    """
    quotes: list[tuple[int, str, int, int]] = []
    off: list[int] = []
    unverified = invented = rows = 0
    if not any(key in said for key in (*SIDES, "irrelevant")):
        raise ValueError("it must hold supporting, refuting and irrelevant")
    for side in (*SIDES, "irrelevant"):
        part = said.get(side, [])
        if not isinstance(part, list):
            raise TypeError(f"{side} must be an array")
        for row in part:
            rows += 1
            number = row.get("id") if isinstance(row, dict) else None
            if type(number) is not int or not 1 <= number <= len(hits):
                invented += 1
            elif side == "irrelevant":
                off.append(number - 1)
            else:
                place = _stands(row.get("quote"), hits[number - 1])
                if place is None:
                    unverified += 1
                elif (number - 1, side, *place) not in quotes:
                    quotes.append((number - 1, side, *place))
    if rows and rows == invented:
        raise ValueError(f"every id must be from 1 to {len(hits)}")
    proven = {place for place, *_ in quotes}
    return Placed(tuple(quotes), tuple(sorted(set(off) - proven)), unverified, invented)


def _stands(quote: Any, hit: Hit) -> tuple[int, int] | None:
    """Where a quote stands word for word within what was shown of a hit."""
    words = quote.strip() if isinstance(quote, str) else ""
    if len(words.split()) < min(LEAST, max(1, len(hit.text.split()))):
        return None
    for start, end in hit.spans:
        at = hit.document.text.find(words, start, end)
        if at >= 0:
            return at, at + len(words)
    return None


@stage
class Contrastive:
    """Keep what bears on the question, said with a quote for or against, and list the rest with a reason.

    C-RAG: Ranaldi, Valentino and Freitas, "Eliciting Critical Reasoning in Retrieval-Augmented Language Models via
    Contrastive Explanations", NAACL 2025, https://arxiv.org/abs/2410.22874, sets relevant passages against irrelevant
    ones within one generated answer. Departures: the contrast is a selection, before any answer; evidence against is a
    side of its own, since a reader that never sees it cannot weigh it; every quote must stand word for word in its
    passage, where its place is then known, and one that does not proves nothing: its passage stays where it was.

    Hits with a checked quote come first, in the order given, then those not spoken of; `strict` drops the hits
    that are called irrelevant, else they stand last. Without a model, and for a group whose answer cannot be used after
    one repair, nothing is known and the order stays.

    Args:
        hits: n >= 0, best first.

    Returns:
        At most k of the same hits; `why` names the side and the place of the quote. The note holds the quotes as
        (document, start, end) by side, and counts what failed the check. `score` is (n - rank + 1) / n.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="sorts the passages; None keeps the order")
    k: int = Field(default=10, ge=1, description="hits kept")
    strict: bool = Field(default=False, description="drop what is called irrelevant")
    group: int = Field(default=5, ge=1, description="passages shown in a call")
    tokens: int = Field(default=300, ge=8, description="of a passage shown at most, headings apart")
    workers: int = Field(default=4, ge=1, description="calls at once; changes no result")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        """Look at the model by its type alone, so that no weights open."""
        if self.llm is not None:
            checked_llm(self.llm, f"{NAME}: llm")

    @cached_property
    def _model(self) -> LLM:
        return checked_llm(self.llm, f"{NAME}: llm")

    def __call__(self, hits: Hits, /) -> Hits:
        """Sort, order, cut."""
        if not hits.items:
            return hits
        items = hits.items
        found: list[tuple[Placed | None, int]] = []
        groups = [items[at : at + self.group] for at in range(0, len(items), self.group)]
        if self.llm is not None and hits.query.text.strip():
            found = list(ordered(lambda group: self._ask(hits.query.text, group), groups, workers=self.workers))
        quotes: dict[str, list[tuple[str, int, int]]] = {side: [] for side in SIDES}
        why: dict[int, str] = {}
        off: set[int] = set()
        for at, (one, _) in zip(range(0, len(items), self.group), found, strict=False):
            for place, side, start, end in one.quotes if one else ():
                quotes[side].append((items[at + place].doc, start, end))
                why.setdefault(at + place, f"{side}: [{start}, {end})")
            off |= {at + place for place in one.off} if one else set()
        order = sorted(range(len(items)), key=lambda i: (i in off, i not in why, i))
        note = {
            "llm": self._model.name if self.llm is not None else None,
            **quotes,
            "unverified": sum(one.unverified for one, _ in found if one),
            "invented": sum(one.invented for one, _ in found if one),
            "unsorted": sum(len(group) for group, (one, _) in zip(groups, found, strict=False) if one is None),
            "cut": sum(cut for _, cut in found),
        }
        return self._kept(hits, order, why, off, note)

    def _kept(
        self, hits: Hits, order: Sequence[int], why: Mapping[int, str], off: set[int], note: Mapping[str, Any]
    ) -> Hits:
        kept: list[Hit] = []
        drops: list[Drop] = []
        for rank, i in enumerate(order):
            score = (len(order) - rank) / len(order)
            hit = hits.items[i]
            one = replace(hit, score=score, scores={**hit.scores, NAME: score}, why=why.get(i, hit.why))
            if self.strict and i in off:
                drops.append(Drop(one, NAME, "called irrelevant, without a quote for or against"))
            elif len(kept) == self.k:
                drops.append(Drop(one, NAME, f"rank {rank + 1} > k={self.k}"))
            else:
                kept.append(one)
        return replace(hits, items=tuple(kept), drops=(*hits.drops, *drops), notes={**hits.notes, NAME: note})

    def _ask(self, question: str, group: Sequence[Hit]) -> tuple[Placed | None, int]:
        """One group sorted, None where the answer cannot be used; and how many passages were cut."""
        sources = shown(group, self.tokens, self.tokenizer)
        form = prompt("contrast")

        def parse(value: Any) -> Placed | None:
            return placed(value, sources.hits)

        try:
            made = typed(
                self._model,
                form.fill(question=question, sources=sources.text, last=str(len(group))),
                schema=SCHEMA,
                parse=parse,
                fallback=lambda: None,
                version=form.version,
                max_tokens=64 + 96 * len(group),
            )
        except MissingWeights:
            raise
        except ModelError:
            return None, sources.cut
        return made.value, sources.cut
