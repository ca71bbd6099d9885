"""Answers from whole documents: every part that may matter is read, and what the parts say is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.lexical import terms
from rag.models.embed import Embedder
from rag.models.ledger import spending
from rag.models.llm import LLM, checked_llm
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import counter
from rag.readers.citing import cited_hits, fitting
from rag.readers.render import rendered
from rag.stage import Field, stage
from rag.trees.aim import AGGREGATE, Aim, aim_of
from rag.trees.gate import gated
from rag.trees.mapreduce import MapReduce, clock
from rag.trees.rationale import Claim, Evidence, Rationale
from rag.trees.reducing import reduce_offline, settled
from rag.types import Answer, Citation, Drop, Hit, Hits, Query

__all__ = ["MapReduceReader"]

NAME = "readers/mapreduce"
SURE = 0.24  # what the cross-encoder's confidence is at the extractive reader's threshold
WORDS = 0.45  # the same without a scorer
NEAR = 12  # leaves of a document read for a fact, beside those retrieved
TOLD = 8  # sentences of an offline summary or comparison


@stage
class MapReduceReader:
    """Read the documents of the hits whole, and answer lists, counts, summaries and comparisons with citations.

    Retrieval decides which documents are read, not which parts: the hits' trees are put through
    `rag.trees.mapreduce`, one Rationale a document, and these are reduced once more. A list's answer joins its
    distinct items by `; ` in the order of the text, each with a citation; a count is the number of them; offline, a
    summary or a comparison is made of the best sentences. For a single fact the leaves retrieved and those nearest to
    the question by their words are read alone. Where sources contradict each other the best supported answer is given
    and all are named in `notes`.

    Context and citations keep to the budget: evidence that does not fit is dropped from the least sure end, and items
    without evidence in the context are left out of the answer and counted in `notes`.

    Args:
        hits: the evidence; their trees hold the documents.

    Returns:
        `answered` with one citation or more, or `abstained`; `confidence` is the support of the best claim times the
        share of units that were mapped as asked; `notes` holds aim, ways, coverage, faults and conflicts; `usage`
        holds calls, tokens and cost.

    Raises:
        MissingWeights: a model's files are not here.
        StoreError: the cache cannot be read or written.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="a language model; None: the offline steps")
    scorer: SkipValidation[Scorer | None] = Field(
        default_factory=OnnxScorer, description="scores sentences; None: by their words"
    )
    embedder: SkipValidation[Embedder | None] = Field(default=None, description="lets parts pass by likeness, too")
    budget: int = Field(default=1500, ge=0, description="tokens of context; a query's own budget goes first")
    documents: int = Field(default=16, ge=1, description="documents read whole, in the order of the hits")
    threshold: float | None = Field(default=None, description="abstain below this confidence; None: the calibrated one")
    window: int = Field(default=2000, ge=50, description="tokens of a unit of several leaves, and of a call's text")
    gate: float = Field(default=0.2, ge=0, le=1, description="share of the question's weight a unit must meet")
    most: int | None = Field(default=None, ge=1, description="units mapped a document, best first")
    max_tokens: int = Field(default=384, ge=16, description="tokens of a model's answer")
    quotes: bool = Field(default=True, description="ask the model for verbatim quotations, and verify them")
    concurrency: int = Field(default=4, ge=1, le=256, description="steps at once, with a language model")
    deadline: float | None = Field(default=None, ge=0, description="seconds; later steps are made without models")
    calls: int | None = Field(default=None, ge=0, description="calls to the language model for a question")
    tokens: int | None = Field(default=None, ge=0, description="tokens in and out of the language model")
    cache: Path | None = Field(default=None, description="file of finished steps, so that a killed run goes on")
    tokenizer: str = Field(default="cl100k", description="counts budget and window")

    def __post_init__(self) -> None:
        """Look at the models' types alone, so that no weights open."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    @cached_property
    def reading(self) -> MapReduce:
        """The map-reduce that reads one document."""
        shared = "llm scorer embedder window gate most max_tokens quotes concurrency calls tokens cache tokenizer"
        return MapReduce(**{name: getattr(self, name) for name in shared.split()})

    def __call__(self, hits: Hits, /) -> Answer:
        """Read, join, cite."""
        query = hits.query
        aim = aim_of(query.text)
        trees = list({hit.doc: hit.tree for hit in hits}.values())
        if not trees or not query.text.strip():
            reason = "no evidence" if not trees else "no question"
            return Answer(query, "", "abstained", (), hits, notes={NAME: {"abstained": reason}})
        with spending() as book:
            made = self.read(hits, aim)
        usage = {name: amount for name, amount in book.usage().items() if name != "seconds"}
        notes = _notes(made, aim, self.llm)
        if len(trees) > self.documents:
            notes["unread"] = len(trees) - self.documents
        reason = self._why_not(made, aim)
        chosen = () if reason else self._chosen(made, aim)
        fits, context = self._fit(hits, chosen, trees)
        if not reason and not fits:
            reason = "no evidence fits the budget"
        if reason:
            return Answer(
                query,
                "",
                "abstained",
                (),
                context,
                made.confidence,
                usage,
                notes={NAME: {**notes, "abstained": reason}},
            )
        if len(fits) < len(chosen):
            notes["over budget"] = len(chosen) - len(fits)
        if aim.aim != "fact":
            order = {tree.document.id: i for i, tree in enumerate(trees)}
            fits = tuple(sorted(fits, key=lambda c: (order[c.evidence[0].span.doc], c.evidence[0].span.start)))
        text = _text(made, aim, fits)
        documents = {tree.document.id: tree.document for tree in trees}
        spans = dict.fromkeys(e.span for claim in fits for e in _shown(claim, aim))
        cited = tuple(Citation.of(documents[s.doc], s.start, s.end) for s in spans)
        return Answer(query, text, "answered", cited, context, made.confidence, usage, notes={NAME: notes})

    def read(self, hits: Hits, aim: Aim | None = None) -> Rationale:
        """What the documents of the hits say together: the Rationale behind the answer, node -1 for several."""
        query = hits.query
        aim = aim or aim_of(query.text)
        trees = list({hit.doc: hit.tree for hit in hits}.values())[: self.documents]
        late = clock(self.deadline)
        said, use, left = [], self.reading, [self.calls, self.tokens]
        for tree in trees:
            only = (
                None
                if aim.aim in AGGREGATE
                else self._near(query, aim, tree, [h for h in hits if h.doc == tree.document.id])
            )
            said.append(use.read(query, tree, only, late))
            if self.calls is not None or self.tokens is not None:  # what one document leaves goes to the next
                spent = said[-1].calls
                took = (spent.get("calls", 0), spent.get("tokens_in", 0) + spent.get("tokens_out", 0))
                left = [None if a is None else max(0, int(a - b)) for a, b in zip(left, took, strict=True)]
                use = replace(use, calls=left[0], tokens=left[1])
        joined = said[0] if len(said) == 1 else reduce_offline(-1, said, aim)
        return settled(joined, aim)

    def _near(self, query: Query, aim: Aim, tree: DocTree, hits: Sequence[Hit]) -> set[int]:
        """Leaves that were retrieved, and those nearest to the question by their words."""
        leaves = tree.leaf_ids
        starts = tree.start[leaves]
        found: set[int] = set()
        for hit in hits:
            low = int(np.searchsorted(starts, hit.start, side="right")) - 1
            high = int(np.searchsorted(starts, hit.end, side="left"))
            found.update(leaves[max(0, low) : high].tolist())
        gate = gated(tree, aim, window=self.window, least=self.gate, question=query.text, only=leaves.tolist())
        passed = np.flatnonzero(gate.passes)
        order = passed[np.lexsort((gate.node[passed], -gate.score[passed]))]
        return found | set(gate.node[order[:NEAR]].tolist())

    def _why_not(self, made: Rationale, aim: Aim) -> str:
        """Why there is no answer, else ""."""
        if not made.claims or made.status != "answered":
            return {
                "none": "nothing in the documents speaks of it",
                "partial": "the documents hold a part of what is asked for only",
                "error": "steps failed and nothing else speaks of it",
                "answered": "nothing to cite",
            }[made.status]
        least = self.threshold
        if least is None:
            offline = self.llm is None
            least = 0.0 if aim.aim != "fact" or not offline else SURE if self.scorer is not None else WORDS
        sure = made.claims[0].confidence
        return f"best claim {sure:.3f} < {least:g}" if sure < least else ""

    def _chosen(self, made: Rationale, aim: Aim) -> tuple[Claim, ...]:
        """The claims that the answer is to rest on, the most important first."""
        if aim.aim == "fact" or (aim.aim in ("summary", "compare") and self.llm is not None and made.reasoning):
            return made.claims[:1]
        if aim.aim == "compare":  # each side gets its best sentence before any gets a second
            sides = [next((c for c in made.claims if set(group) <= _words(c)), None) for group in aim.names or ((),)]
            first = [c for c in dict.fromkeys(sides) if c is not None]
            return (*first, *(c for c in made.claims if c not in first))[:TOLD]
        return made.claims if aim.aim != "summary" else made.claims[:TOLD]

    def _fit(self, hits: Hits, chosen: Sequence[Claim], trees: Sequence[DocTree]) -> tuple[tuple[Claim, ...], Hits]:
        """As many claims from the front as the budget holds, and the context they make."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        tokenizer = counter(self.tokenizer)
        by_doc = {tree.document.id: tree for tree in trees}

        def context(count: int, each: int) -> tuple[Hit, ...]:
            return cited_hits(by_doc, [e for claim in chosen[:count] for e in claim.evidence[:each]], NAME)

        each = 2  # pieces of evidence of a claim; where not all claims fit so, one: rather every item than every proof
        low = fitting(partial(context, each=each), len(chosen), budget, tokenizer)
        if low < len(chosen):
            each = 1
            low = fitting(partial(context, each=each), len(chosen), budget, tokenizer)
        items = context(low, each)
        size = rendered(items, tokenizer).tokens
        kept = {(h.doc, h.node) for h in items}
        drops = tuple(
            Drop(hit, NAME, "not part of the evidence" if low == len(chosen) else f"not within {budget} tokens")
            for hit in hits
            if (hit.doc, hit.node) not in kept
        )
        return tuple(chosen[:low]), replace(hits, items=items, drops=hits.drops + drops, tokens=size)


def _shown(claim: Claim, aim: Aim) -> Sequence[Evidence]:
    return claim.evidence[:1] if aim.aim in AGGREGATE else claim.evidence[:2]


def _words(claim: Claim) -> set[str]:
    return {w for e in claim.evidence for w in terms(e.quote)}


def _text(made: Rationale, aim: Aim, fits: Sequence[Claim]) -> str:
    """The answer's words, from claims in the order of the text."""
    if aim.aim == "fact" or (aim.aim in ("summary", "compare") and made.reasoning):
        return " ".join(fits[0].answer.split())
    if aim.aim == "count":
        return str(len(fits))
    rows = [" ".join(claim.answer.split()) for claim in fits]
    return ("; " if aim.aim in ("list", "sections") else " ").join(dict.fromkeys(rows))


def _notes(made: Rationale, aim: Aim, llm: LLM | None) -> dict[str, Any]:
    """Which way the answer was won."""
    notes: dict[str, Any] = {
        "aim": aim.aim,
        "kind": aim.kind,
        "llm": "none" if llm is None else llm.name,
        "ways": dict(made.ways),
        "units": made.attempted,
        "coverage": round(made.coverage, 6),
        "claims": len(made.claims),
    }
    if made.faults:
        kinds = sorted({fault.error for fault in made.faults})
        notes["faults"] = {kind: sum(fault.error == kind for fault in made.faults) for kind in kinds}
        notes["first fault"] = made.faults[0].message
    if made.conflicts:
        notes["conflicts"] = [[c.answer, c.confidence] for c in made.conflicts]
    return notes
