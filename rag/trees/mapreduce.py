"""Query x DocTree -> Rationale: read a whole document for one question, part by part, and join what the parts say."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.models.embed import Embedder
from rag.models.llm import LLM, checked_llm
from rag.models.score import Scorer, checked_scorer
from rag.stage import Field, stage
from rag.trees.aim import aim_of
from rag.trees.asking import Asking
from rag.trees.gate import gated
from rag.trees.mapcache import MapCache
from rag.trees.rationale import Rationale, summed
from rag.trees.reducing import settled
from rag.trees.schedule import bottom_up
from rag.trees.steps import LISTS, Run
from rag.types import Query

__all__ = ["MapReduce", "clock"]

NAME = "trees/mapreduce"


@stage
class MapReduce:
    """Map the parts of a document that may say something about a question, and reduce what they say up its tree.

    Tree-oriented map-reduce after ToM (Guo et al., EMNLP 2025, https://arxiv.org/abs/2511.00489) and LLMxMapReduce
    (Zhou et al., 2024, https://arxiv.org/abs/2410.09342). A flat tree gives the latter: map each chunk, join the
    structured records (evidence, reasoning, answer, confidence) in groups that fit, reduce once. Departures: the tree
    is the document's own outline and is built once, not by a model for each question; a gate by words (and vectors,
    with an embedder) leaves out what has nothing of the question; nodes without text of their own are reduced, never
    mapped; every step has an offline form (`rag.trees.mapping`, `rag.trees.reducing`), which also answers where a
    model failed, time ran out or the budget is spent; failures are values and lower the confidence by coverage.

    The order of work cannot change the result: a step depends on its own text and its children's records alone, and
    which steps may call a model under a budget is settled before the first call: the root's reduction, then units
    by their score at the gate, then the other reductions, each counted with its repair (retries of a broken
    connection are not). A deadline depends on the clock by its nature, except 0, which leaves everything offline.

    Args:
        query: the question.
        tree: the document's outline.
        only: leaves that may be read; None is all.

    Returns:
        The root's Rationale, its confidence multiplied by its coverage.

    Raises:
        MissingWeights: a model's files are not here.
        StoreError: the cache cannot be read or written.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="a language model; None: the offline steps")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores sentences; None: by their words")
    embedder: SkipValidation[Embedder | None] = Field(default=None, description="lets units pass by likeness, too")
    window: int = Field(default=2000, ge=50, description="tokens of a unit of several leaves, and of a call's text")
    gate: float = Field(default=0.2, ge=0, le=1, description="share of the question's weight a unit must meet")
    similar: float = Field(default=0.6, ge=-1, le=1, description="cosine from which a unit passes, with an embedder")
    most: int | None = Field(default=None, ge=1, description="units mapped, best first; others lower the coverage")
    margin: float = Field(default=0.15, ge=0, le=1, description="of support; closer answers are in conflict")
    max_tokens: int = Field(default=384, ge=16, description="tokens of a model's answer")
    quotes: bool = Field(default=True, description="ask the model for verbatim quotations, and verify them")
    concurrency: int = Field(default=4, ge=1, le=256, description="steps at once, with a language model")
    deadline: float | None = Field(default=None, ge=0, description="seconds; later steps are made without models")
    calls: int | None = Field(default=None, ge=0, description="calls to the language model for a question")
    tokens: int | None = Field(default=None, ge=0, description="tokens in and out of the language model")
    cache: Path | None = Field(default=None, description="file of finished steps, so that a killed run goes on")
    tokenizer: str = Field(default="cl100k", description="counts the window")

    def __post_init__(self) -> None:
        """Look at the models' types alone, so that no weights open."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    @cached_property
    def kept(self) -> MapCache | None:
        """The file of finished steps, opened when it is first needed."""
        return None if self.cache is None else MapCache(self.cache)

    @cached_property
    def asking(self) -> Asking | None:
        """How the language model is asked."""
        if self.llm is None:
            return None
        return Asking(self.llm, self.window, self.max_tokens, self.quotes, self.tokenizer)

    def __call__(self, query: Query, tree: DocTree, /, only: Collection[int] | None = None) -> Rationale:
        """Read the document."""
        return settled(self.read(query, tree, only), aim_of(query.text))

    def read(
        self,
        query: Query,
        tree: DocTree,
        only: Collection[int] | None = None,
        late: Callable[[], bool] | None = None,
    ) -> Rationale:
        """As a call, with the confidence not yet multiplied, so that several documents can be reduced together.

        Args:
            query: the question.
            tree: the document's outline.
            only: leaves that may be read; None is all.
            late: tells whether the time is up; None starts the deadline now.
        """
        aim = aim_of(query.text)
        gate = gated(
            tree,
            aim,
            window=self.window,
            least=self.gate,
            question=query.text,
            embedder=self.embedder,
            similar=self.similar,
            only=only,
        )
        scores = {int(n): float(s) for n, s, p in zip(gate.node, gate.score, gate.passes, strict=True) if p}
        ranked = sorted(scores, key=lambda node: (-scores[node], node))
        chosen = ranked if self.most is None else ranked[: self.most]
        if not chosen:
            return Rationale(0)
        parents = _paths(tree, chosen)
        run = Run(self, query, tree, aim, frozenset(chosen), late or clock(self.deadline), only)
        run.allowed.update(self._plan(run, chosen, parents))
        modelled = self.llm is not None and not (self.calls == 0 or self.tokens == 0)
        workers = self.concurrency if modelled else 1
        made = bottom_up(parents, run.step, rank=scores, workers=workers)[0]
        left = len(ranked) - len(chosen)
        if left:
            made = replace(made, attempted=made.attempted + left, ways=summed((made.ways, {"left out": left})))
        return made

    def _plan(self, run: Run, units: Sequence[int], parents: Mapping[int, int]) -> dict[int, bool]:
        """Which steps may call the language model: node -> whether it may collapse, for those that may."""
        asking = self.asking
        if asking is None:
            return {}
        live: dict[int, int] = {}
        for up in parents.values():
            if up >= 0:
                live[up] = live.get(up, 0) + 1
        inner = [] if run.aim.aim in LISTS else sorted(node for node, below in live.items() if below > 1)
        if self.calls is None and self.tokens is None:
            return dict.fromkeys((*inner, *units), True)
        calls = self.calls if self.calls is not None else 1 << 60
        tokens = self.tokens if self.tokens is not None else 1 << 60
        allowed: dict[int, bool] = {}
        for node in (*inner[:1], *units, *inner[1:]):
            mapping = node in run.units
            cost = asking.map_cost(run.tree, node, run.query, run.aim) if mapping else asking.reduce_cost
            if cost[0] <= calls and cost[1] <= tokens:
                calls, tokens = calls - cost[0], tokens - cost[1]
                allowed[node] = False
        return allowed


def _paths(tree: DocTree, units: Sequence[int]) -> dict[int, int]:
    """The units and all nodes above them: node -> parent."""
    found: dict[int, int] = {}
    for unit in units:
        node = unit
        while node >= 0 and node not in found:
            found[node] = int(tree.parent[node])
            node = found[node]
    return found


def clock(deadline: float | None) -> Callable[[], bool]:
    """Tells whether so many seconds from now are over; 0 seconds always are, None never."""
    if deadline is None:
        return lambda: False
    end = time.monotonic() + deadline
    return lambda: deadline == 0 or time.monotonic() >= end
