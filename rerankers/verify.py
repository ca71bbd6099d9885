"""Keep what was planted away from the reader: hidden orders, floods, outvoted claims, sources without trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import SkipValidation

from rag.lexical import terms
from rag.models.embed import Embedder
from rag.models.llm import LLM, checked_llm
from rag.readers.render import heading
from rag.stage import Field, stage
from rag.types import Drop, Hits
from rerankers.checks import checked
from rerankers.claims import Evidence, Rivals, rivals, settled, words_of
from rerankers.floods import COPY, alike, floods
from rerankers.injections import order
from rerankers.trust import over_cap, trust

__all__ = ["Verify"]

NAME = "rerankers/verify"


@stage
class Verify:
    """Sort hits into kept, quarantined and dropped, each that goes with a reason; nothing is changed or reordered.

    Quarantined (the reason begins with `quarantine:`), in this order, each step only over what the earlier ones left:

    - sources of weight 0 in `trust`;
    - text that gives orders to the machine that reads it, seen or hidden (`rerankers/injections.py`, `hidden.py`);
    - floods: documents that make one claim about the question in other words (`rerankers/floods.py`);
    - the loser of two passages that are the same but for a value, where the other hits side with one
      (`rerankers/claims.py`); a dispute that they do not settle leaves both and is told in `why`;
    - what a language model blames, where there is one, with words quoted from the passage (`rerankers/checks.py`).

    Dropped (`drop:`): copies of a better hit of another document, and hits beyond `per_source` of their source.

    The threat: someone can add documents to the corpus, and knows the questions, but cannot change other documents or
    how sources are trusted. Used are words, places in the outline, `trust` and, for ties, an embedder; never ids,
    lengths or formats. Not found: one planted passage that nothing contradicts, and a lie that the corpus believes.

    What it finds, and what honest passages it costs, is measured by `python -m evals.reproduce poisoning` and
    `python -m evals.reproduce injection`; the figures are in `rag/docs/guard.md`.

    Args:
        hits: n >= 0, best first.

    Returns:
        Those kept, in their order; `drops` gains the others, `notes` counts by outcome, rule, and the model's replies.

    Raises:
        ModelError: the language model or the embedder failed.
    """

    injections: bool = Field(default=True, description="quarantine text that gives orders to the reading machine")
    flood: int = Field(default=3, ge=0, description="documents that make a flood; 0: floods are let through")
    claims: bool = Field(default=True, description="quarantine the outvoted of two passages that differ in a value")
    copies: bool = Field(default=True, description="drop copies of a better hit of another document")
    embedder: SkipValidation[Embedder | None] = Field(
        default=None, description="settles ties between rival values by their likeness to the question; None: both stay"
    )
    trust: Mapping[str, float] = Field(
        default_factory=dict,
        description="pattern of a source or document id -> weight; 0: never shown; above 1: never part of a flood",
    )
    source: str = Field(default="", description="metadata key that names a hit's source; empty: its document")
    per_source: int | None = Field(default=None, ge=1, description="hits kept of one source; None: any number")
    llm: SkipValidation[LLM | None] = Field(default=None, description="looks at what is left; None: no such look")
    per_call: int = Field(default=5, ge=1, le=20, description="passages the model is shown a call")
    most: int = Field(default=20, ge=1, description="hits the model looks at, best first")

    def __post_init__(self) -> None:
        """Look at the models' types alone, so that no weights open."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        for pattern, weight in self.trust.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"trust[{pattern!r}] must be >= 0 and finite, got {weight}")
        if self.flood == 1:
            raise ValueError("flood must be 0 or >= 2, got 1")

    def __call__(self, hits: Hits, /) -> Hits:
        """Look, sort, give reasons."""
        if not hits.items:
            return hits
        case = _Case(hits, self.trust, self.source)
        for i, weight in enumerate(case.weight):
            if weight == 0:
                case.out(i, "quarantine", "trust", "its source is not trusted")
        if self.injections:
            _orders(case)
        if self.flood:
            _floods(case, self.flood)
        if self.copies:
            _copies(case)
        if self.claims:
            _claims(case, None if self.embedder is None else _Fit(self.embedder, hits.query.text))
        if self.per_source is not None:
            left = case.left
            for at in over_cap([hits[i] for i in left], self.per_source, self.source):
                case.out(left[at], "drop", "cap", f"beyond {self.per_source} hits of its source")
        told = {} if self.llm is None else _asked(case, self.llm, self.per_call, self.most)
        return case.close(told)


@dataclass
class _Case:
    """The hits under examination and what was found so far."""

    hits: Hits
    table: Mapping[str, float]
    source: str
    gone: dict[int, tuple[str, str, str]] = field(default_factory=dict)  # place -> outcome, rule, reason
    disputed: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.texts = [hit.text for hit in self.hits]
        self.docs = [hit.doc for hit in self.hits]
        self.bags = [frozenset(terms(text)) for text in self.texts]
        self.weight = [trust(hit, self.table, self.source) for hit in self.hits]
        self.question = frozenset(terms(self.hits.query.text))

    @property
    def left(self) -> list[int]:
        """Places of the hits that are still in."""
        return [i for i in range(len(self.hits)) if i not in self.gone]

    def out(self, at: int, outcome: str, rule: str, reason: str) -> None:
        """Take a hit out; the first reason stays."""
        self.gone.setdefault(at, (outcome, rule, reason))

    def close(self, told: Mapping[str, Any]) -> Hits:
        """The hits that are left, the others with their reasons, and the counts."""
        hits = self.hits
        drops = tuple(
            Drop(hits[i], NAME, f"{outcome}: {reason}") for i, (outcome, _, reason) in sorted(self.gone.items())
        )
        kept = tuple(
            replace(hit, why="; ".join(filter(None, (hit.why, self.disputed[i])))) if i in self.disputed else hit
            for i, hit in enumerate(hits)
            if i not in self.gone
        )
        counts: dict[str, int] = {}
        for outcome, rule, _ in self.gone.values():
            for name in (outcome, rule):
                counts[name] = counts.get(name, 0) + 1
        fact = {"kept": len(kept), **dict(sorted(counts.items())), "disputed": len(self.disputed), **told}
        return replace(hits, items=kept, drops=hits.drops + drops, notes={**hits.notes, NAME: fact})


@dataclass
class _Fit:
    """How well values suit a question, by the likeness of their vectors."""

    embedder: Embedder
    question: str
    known: dict[str, float] = field(default_factory=dict)

    def __call__(self, values: Sequence[str]) -> float:
        """The mean likeness of the values; embeds each once."""
        new = [value for value in dict.fromkeys(values) if value not in self.known]
        if new:
            rows = np.asarray(self.embedder.embed([self.question, *new]), dtype=np.float64)
            self.known.update(zip(new, (rows[1:] @ rows[0]).tolist(), strict=True))
        return float(np.mean([self.known[value] for value in values]))


def _orders(case: _Case) -> None:
    for i in case.left:
        found = order(f"{heading(case.hits[i])}\n{case.texts[i]}")
        if found is not None:
            seen = "" if found.view == "text" else f", hidden ({found.view})"
            case.out(i, "quarantine", "injection", f"gives orders to a machine{seen}: {', '.join(found.signs)}")


def _floods(case: _Case, least: int) -> None:
    places = [i for i in case.left if case.weight[i] <= 1]
    for group in floods(case.question, [case.bags[i] for i in places], [case.docs[i] for i in places], least):
        count = len({case.docs[places[i]] for i in group})
        for i in group:
            case.out(places[i], "quarantine", "flood", f"one of {count} documents with one claim in other words")


def _copies(case: _Case) -> None:
    left = case.left
    for at, i in enumerate(left):
        for j in left[:at]:
            same = case.docs[i] != case.docs[j] and j not in case.gone and alike(case.bags[i], case.bags[j]) == 1
            if same and " ".join(case.texts[i].split()) == " ".join(case.texts[j].split()):
                case.out(i, "drop", "copy", f"says the same as {case.docs[j]!r}, word for word")
                break


def _claims(case: _Case, fit: Callable[[Sequence[str]], float] | None) -> None:
    left = case.left
    titles = [case.hits[i].document.title for i in left]
    pairs = rivals(case.question, [case.texts[i] for i in left], [case.docs[i] for i in left], titles)
    if not pairs:
        return
    heads = [frozenset(terms(heading(case.hits[i]))) for i in left]
    bags = [words_of(case.texts[i]) | head for i, head in zip(left, heads, strict=True)]
    voices = _voices([case.bags[i] for i in left])
    evidence = Evidence(bags, voices, [case.weight[i] for i in left], [case.docs[i] for i in left])
    for pair in pairs:
        topic = case.question | heads[pair.one.at] | heads[pair.other.at]
        loser, why = settled(pair, topic, evidence, fit)
        if loser is not None:
            winner = left[_other(pair, loser)]
            case.out(left[loser], "quarantine", "claim", f"contradicts {case.docs[winner]!r}: {why}")
        else:
            for one, other in ((pair.one.at, pair.other.at), (pair.other.at, pair.one.at)):
                case.disputed[left[one]] = f"disputed by {case.docs[left[other]]!r}"


def _other(pair: Rivals, at: int) -> int:
    return pair.other.at if at == pair.one.at else pair.one.at


def _voices(bags: Sequence[frozenset[str]]) -> list[int]:
    """The number of each passage's voice: that of the first passage it repeats."""
    found: list[int] = []
    for i, bag in enumerate(bags):
        found.append(next((found[j] for j in range(i) if alike(bag, bags[j]) >= COPY), i))
    return found


def _asked(case: _Case, llm: LLM, batch: int, most: int) -> dict[str, Any]:
    places = case.left[:most]
    made = checked(llm, case.hits.query.text, [case.texts[i] for i in places], batch)
    for blame in made.blamed:
        case.out(places[blame.at], "quarantine", "model", f"the model finds {blame.reason}")
    return {
        "calls": made.calls,
        "ways": dict(made.ways),
        "unquoted": made.unquoted,
        "refused": made.refused,
    }
