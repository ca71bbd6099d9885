"""Intent-driven chunks: cut so that what a reader may ask is answered by one chunk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import SkipValidation

from chunkers.asked import ask
from chunkers.intents import Intent, from_headings, from_log, from_text, how_many, spread, unlike
from chunkers.objectives import Plan, divide, whole
from chunkers.scaffold import Format, Scaffold, remarked
from chunkers.structure import WEIGHT
from chunkers.tuning import tuned
from chunkers.vectors import checked_embedder, embedded, small_embedder
from rag.doctree import DocTree, flat
from rag.models.embed import Embedder
from rag.models.llm import LLM, checked_llm
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["IntentChunker"]

NAME = "chunkers/intent"
WEAK = 0.5  # weight of questions that are made by rule; a language model's are better


@stage
class IntentChunker:
    """Cut where it serves the questions that a document answers.

    Koutsiaris, "Intent-Driven Dynamic Chunking", https://arxiv.org/abs/2602.14784: questions are predicted, and dynamic
    programming finds the division whose chunks are each near to one of them. `objective` names what is maximised:

    `paper`: section 3's sum over chunks of max cos(chunk, intent) - length * sentences^2, less `beta` a cut, over plain
    sentences, at most `most` a chunk. Departures: token caps hold as well, and its merging and splitting
    afterwards is left out. The paper does not state beta; the sum grows with every chunk by the cosine that is
    usual for the embedder, so beta must be about that (bge-small: 0.6).

    `centred` (default): units, sections, prices, caps and even sizes of `chunkers/structure`, and a chunk of T tokens
    earns T / size times what its cosine to its best intent is above that intent's mean over the document, and
    `cohesion` times what the mean cosine of its pairs is above the document's. So nothing is paid for cutting, a
    constant added to all cosines changes nothing, and the sum does not depend on the number of chunks. A cut that
    divides an answer costs `integrity` times the weight of its intent.

    `structure`: neither intents nor vectors; the chunks of `chunkers/structure`.

    Intents come from `llm` (one call in 3,000 tokens; each question with a quote that must be in the text, word
    for word; without one its place is guessed from vectors and it counts half), from headings, from questions that the
    text asks or its sentences answer by rule, from a query `log`, from a list. Those closer than cosine 0.85 to an
    earlier one are dropped; one in 250 tokens is kept, 4 to 60, those that were given aside. With `tune`, sizes and
    weights are chosen on the document's own intents: one half divides, the other scores, so nothing else is looked at.

    Measured with bge-small and intents by rule, paired against `chunkers/structure` at equal tokens on 733 questions
    over five sets (`evals/reproduce/intent.py`): -0.3 points of recall in 256 tokens (95 %: -1.2 to 0.6), +0.1 (-0.8
    to 1.0) in 512, 0.0 (-0.6 to 0.7) in 1,024: no difference was found. It costs an embedding a sentence.

    The paper's own comparison (`evals/reproduce/intent_paper.py`; SQuAD, two articles at a time, 287 questions, intents
    by rule; R@1 / R@5, published .689 / .952 with half the chunks of six sentences each): `centred` .787 / .958 with
    34 chunks, six sentences .672 / .927 with 46, blank lines alone .784 / .962 with 51; `paper` with beta for half as
    many .679 / .934. Among as many sentences as the paper's pair has, 700, `centred` has .768 / .946. So it equals the
    published rows and beats six sentences, and so do the paragraphs that are there anyway.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree whose leaves are the chunks and whose inner nodes are the sections. Notes of the root: `intents`, with
        the ranges that answer them, and `chunker`, what was given up. Note `margin` of a leaf: by how much its way
        of ending beat the next best.

    Raises:
        ModelError: the embedder failed; a language model that fails is recorded.
    """

    objective: Literal["centred", "paper", "structure"] = Field(default="centred", description="what is maximised")
    embedder: SkipValidation[Embedder] = Field(default_factory=small_embedder, description="of units and intents")
    llm: SkipValidation[LLM | None] = Field(default=None, description="asks questions; none by default")
    sources: tuple[Literal["headings", "questions"], ...] = Field(
        default=("headings", "questions"), description="intents that are found in the text"
    )
    given: tuple[str, ...] = Field(default=(), description="intents that are known")
    log: Path | None = Field(default=None, description="a file of queries, one a line")
    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    relevance: float = Field(default=1.0, ge=0, description="weight of the nearest intent")
    cohesion: float = Field(default=0.5, ge=0, description="centred: weight of the mean cosine within a chunk")
    integrity: float = Field(default=0.5, ge=0, description="centred: price of dividing an answer")
    length: float | None = Field(default=None, ge=0, description="weight of lengths; default 1, paper 0.0005")
    beta: float | None = Field(default=None, description="price of every cut; default 0, paper 0.6")
    most: int = Field(default=15, ge=1, description="paper: sentences of a chunk at most")
    tune: bool = Field(default=False, description="choose settings on halves of the document's own intents")
    workers: int = Field(default=4, ge=1, description="calls of the language model at once")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        """Check sizes, and models by their types alone."""
        object.__setattr__(self, "embedder", checked_embedder(self.embedder, NAME))
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        if self.cap < self.size:
            raise ValueError(f"max_size must be >= size, got {self.max_size} < {self.size}")
        if self.least > self.size:
            raise ValueError(f"min_size must be <= size, got {self.min_size} > {self.size}")

    @property
    def cap(self) -> int:
        """Most tokens of a chunk."""
        return self.size * 3 // 2 if self.max_size is None else self.max_size

    @property
    def least(self) -> int:
        """Fewest tokens of a chunk, where its section has as many."""
        return self.size // 4 if self.min_size is None else self.min_size

    @property
    def plan(self) -> Plan:
        """The objective with its weights."""
        paper = self.objective == "paper"
        return Plan(
            paper=paper,
            vectors=self.objective != "structure",
            size=self.size,
            cap=self.cap,
            least=self.least,
            relevance=self.relevance if self.objective != "structure" else 0.0,
            cohesion=self.cohesion if self.objective == "centred" else 0.0,
            integrity=self.integrity if self.objective == "centred" else 0.0,
            length=(0.0005 if paper else WEIGHT) if self.length is None else self.length,
            beta=(0.6 if paper else 0.0) if self.beta is None else self.beta,
            most=self.most,
        )

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        scaffold = Scaffold.of(
            document,
            size=self.size,
            cap=self.cap,
            least=self.least,
            tokenizer=self.tokenizer,
            format=self.format,
            blocks=whole(document) if self.objective == "paper" else None,
        )
        if self.objective == "structure":
            made = divide(scaffold, self.plan)
            return remarked(scaffold.tree(made.chosen), NAME, made.reasons, made.margins)
        intents, vectors, reasons = self._intents(scaffold)
        plan = self.plan
        if self.tune:
            plan, told = tuned(scaffold, plan, self.embedder, intents, vectors)
            reasons += told
        made = divide(scaffold, plan, self.embedder, intents, vectors)
        tree = remarked(scaffold.tree(made.chosen), NAME, [*reasons, *made.reasons], made.margins)
        notes = [
            Note(one.text, (one.span,) if one.span else (), f"{NAME}: {one.by}", one.quoted) for one in made.intents
        ]
        return noted(tree, "intents", {0: notes}) if notes else tree

    def _intents(self, scaffold: Scaffold) -> tuple[list[Intent], NDArray[np.float64], list[str]]:
        """The intents, their vectors, and what was given up."""
        text = scaffold.document.text
        wanted = [Intent(" ".join(one.split()), by="given") for one in self.given if one.strip()]
        wanted += from_log(self.log) if self.log is not None else []
        found: list[Intent] = []
        reasons: list[str] = []
        if self.llm is not None:
            found, reasons = ask(self.llm, scaffold, workers=self.workers)
        most = how_many(int(scaffold.measured.rank(np.array([len(text)]))[0]))
        if "headings" in self.sources:
            found += _every(from_headings(scaffold), most // 2)
        if "questions" in self.sources:
            asked = [one for one in from_text(text) if self.llm is None or one.weight > WEAK]
            found += spread(asked, most, len(text))
        both = list({one.text: one for one in reversed([*wanted, *found])}.values())[::-1]
        if not both:
            return [], np.zeros((0, self.embedder.dim)), [*reasons, "no intents: cohesion alone decides"]
        vectors = embedded(self.embedder, [one.text for one in both], query=True)
        kept = unlike(both, vectors)
        first = [k for k in kept if k < len(wanted)]
        rest = cast("Sequence[Intent]", [both[k] for k in kept if k >= len(wanted)])
        chosen = {id(one) for one in spread(rest, most, len(text))}
        final = first + [k for k in kept if k >= len(wanted) and id(both[k]) in chosen]
        return [both[k] for k in final], vectors[final], reasons


def _every(intents: Sequence[Intent], most: int) -> list[Intent]:
    """At most so many, evenly from first to last."""
    if len(intents) <= most:
        return list(intents)
    return [intents[k * len(intents) // most] for k in range(most)]
