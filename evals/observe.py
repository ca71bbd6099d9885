"""Run one question through a pipeline and keep what the metrics need.

A metric at a budget runs the pipeline with that budget. Retrievers and rerankers do not read the
budget, so they run once a question and what follows runs once a budget; a stage that is not installed,
or says `budgeted = True`, is run again as well, and so is what follows it, but a cross-encoder reads each pair of a
question once. The reader runs once, with the pipeline's own budget.

Where no compressor packs the context, it is whole hits in rank order: hits are taken until one does not
fit, and there it stops, so a larger budget never loses a hit. Their cost is the tokens of their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from evals.attribution import Passed, lost
from evals.datasets import Item
from evals.metrics.ranking import distinct
from evals.metrics.spans import coverage, kept, omega
from rag import trace
from rag.chosen import explained
from rag.index import check
from rag.models.score import keeping
from rag.pipeline import Pipeline, kind_of
from rag.registry import name_of
from rag.types import Answer, Hit, Hits, Query, Span

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer
    from rag.store.corpus import Corpus

__all__ = ["Observer", "Subject", "fill"]

RANKERS = frozenset({"retriever", "reranker"})
UNLIMITED = 10_000_000  # tokens: a budget that leaves nothing out
PIECE = ("doc", "start", "end", "kept", "gain", "tokens", "section", "reason")
PIECES = 200  # a question
LLM_FACTS = ("tokens_in", "tokens_out", "cost")


class Subject(Protocol):
    """What is evaluated: a bound pipeline, or anything that looks like one."""

    @property
    def stages(self) -> tuple[Any, ...]:
        """Its stages, in order."""

    def steps(self, query: Query) -> Iterator[tuple[str, str, Any]]:
        """`(place, name, value)` after each stage."""


def fill(hits: Iterable[Hit], budget: int, tokenizer: Tokenizer) -> tuple[Hit, ...]:
    """The first hits whose texts fit in `budget` tokens together."""
    chosen: list[Hit] = []
    for hit in hits:
        budget -= size(hit, tokenizer)
        if budget < 0:
            break
        chosen.append(hit)
    return tuple(chosen)


def size(hit: Hit, tokenizer: Tokenizer) -> int:
    """Tokens of a hit's text; the chunker's own count where it used this tokenizer."""
    tree, node = hit.tree, hit.node
    whole = hit.spans == ((int(tree.start[node]), int(tree.end[node])),)
    if whole and tree.tokenizer == tokenizer.name and tree.tokens[node] >= 0:
        return int(tree.tokens[node])
    return tokenizer.count(hit.text)


def budget_blind(stage: Any) -> bool:
    """Whether a stage is known not to look at the budget."""
    name = name_of(type(stage))
    plain = name.startswith(("retrievers/", "rerankers/")) and not isinstance(stage, Pipeline)
    return plain and not getattr(stage, "budgeted", False)


@dataclass(frozen=True)
class Observer:
    """Turns questions into records.

    Args:
        subject: the pipeline, bound to its index.
        corpus: the index's leaves, where there are any: for metrics of cuts and for attribution.
        tokenizer: counts contexts.
        budgets: context sizes to run.
        read: whether the reader runs.
    """

    subject: Subject
    corpus: Corpus | None
    tokenizer: Callable[[], Tokenizer]
    budgets: tuple[int, ...] = ()
    read: bool = True

    @cached_property
    def _kinds(self) -> tuple[str, ...]:
        return tuple(kind_of(stage) for stage in self.subject.stages)

    @cached_property
    def _blind(self) -> int:
        """How many stages at the front need not run again for another budget."""
        stages, blind = self.subject.stages, 0
        while blind < len(stages) and budget_blind(stages[blind]):
            blind += 1
        return blind

    def __call__(self, item: Item) -> tuple[dict[str, Any], list[trace.TraceSpan]]:
        """The record of one question, and its trace.

        Raises:
            RagError: the question cannot be asked, or a stage failed on it.
        """
        query = check(item.query())
        with keeping() as scores:
            with trace.record() as spans:
                values = self._steps(query, read=self.read)
            scores.read = True
            found = self._record(item, values, spans)
            found["at"] = {str(budget): self._at(item, budget, values) for budget in self.budgets}
        return found, list(spans)

    def _steps(self, query: Query, *, read: bool) -> list[tuple[str, str, Any]]:
        """What each stage gave; without the reader unless it is to run."""
        count = len(self._kinds) - (self._kinds[-1:] == ("reader",) and not read)
        return list(islice(self.subject.steps(query), count))

    def _record(self, item: Item, values: list[tuple[str, str, Any]], spans: list[trace.TraceSpan]) -> dict[str, Any]:
        steps = [(place, name, value) for place, name, value in values if isinstance(value, Hits)]
        ranked = _ranked(self._kinds, values)
        answer = values[-1][2] if values and isinstance(values[-1][2], Answer) else None
        last = steps[-1][2] if steps else Hits(item.query())
        context = answer.context if answer is not None and answer.context is not None else last
        drops = context.drops or last.drops
        return {
            "id": item.id,
            "status": answer.status if answer is not None else "retrieved",
            "answer": answer.text if answer is not None and answer.status != "abstained" else "",
            "citations": [[c.doc, c.start, c.end] for c in answer.citations] if answer is not None else [],
            "ranking": distinct(hit.doc for hit in ranked),
            "hits": [[hit.doc, *(i for span in hit.spans for i in span)] for hit in ranked],
            "retrieved": distinct(hit.doc for hit in steps[0][2]) if steps else [],
            "context": self._context(item, context.items, context.tokens, values),
            "flagged": distinct(d.hit.doc for d in drops if d.reason.startswith(("quarantine", "flag", "poison"))),
            "cuts": self._cuts(item),
            "kept": [
                [place, name, len(value), *kept(value.spans(), item.spans)]
                for place, name, value in (steps if item.spans else ())
            ],
            "usage": _usage(answer, spans),
            "failed": None,
            **_pieces(context),
        }

    def _context(
        self, item: Item, items: Sequence[Hit], tokens: int | None, values: Sequence[tuple[str, str, Any]]
    ) -> dict[str, Any]:
        if tokens is None:
            tokens = sum(size(hit, self.tokenizer()) for hit in items)
        shown = [[h.doc, start, end] for h in items for start, end in h.spans]
        return {"tokens": tokens, "spans": shown, "lost": self._lost(item, shown, values)}

    def _lost(
        self, item: Item, shown: Sequence[Sequence[Any]], values: Sequence[tuple[str, str, Any]]
    ) -> dict[str, Any] | None:
        """The stage that lost the question's evidence on the way to what was shown."""
        if not item.spans:
            return None
        hits = [(p, n, k, v) for (p, n, v), k in zip(values, self._kinds, strict=False) if isinstance(v, Hits)]
        steps = [Passed(place, name, kind, value.spans()) for place, name, kind, value in hits]
        if steps and sorted(map(list, steps[-1].spans)) != sorted(map(list, shown)):
            steps.append(Passed("context", "context", "fill", shown))

        def lifted(at: int) -> list[Any]:
            before: Hits = hits[at - 1][3]
            asked = replace(before.query, budget=UNLIMITED)
            return list(self._apply(at, replace(before, query=asked), asked).spans())

        found = lost(item.spans, steps, self._text, self._whole, lifted)
        return None if found is None else {**found._asdict(), "spans": list(found.spans)}

    def _text(self, doc: str) -> str | None:
        if self.corpus is None or doc not in self.corpus.ordinals:
            return None
        return self.corpus.tree(self.corpus.ordinals[doc]).document.text

    def _whole(self, span: Sequence[Any]) -> bool:
        doc, start, end = span
        return any(s <= start and end <= e for s, e in self._near(doc, [Span(doc, start, end)]))

    def _at(self, item: Item, budget: int, values: Sequence[tuple[str, str, Any]]) -> dict[str, Any]:
        """The context of one budget."""
        asked = item.query(budget)
        if self._blind:
            again = list(values[: self._blind])
            value = replace(again[-1][2], query=asked)
            for i, (place, name) in enumerate(self._after, start=self._blind):
                value = self._apply(i, value, asked)
                again.append((place, name, value))
        else:
            again = self._steps(asked, read=False)
            value = again[-1][2]
        if "compressor" in self._kinds or value.tokens is not None:
            return self._context(item, value.items, value.tokens, again)
        return self._context(item, fill(value.items, budget, self.tokenizer()), None, again)

    def _apply(self, i: int, value: Any, query: Query) -> Any:
        """One stage again; a subject that shares stages has an `apply` of its own."""
        shared = getattr(self.subject, "apply", None)
        return self.subject.stages[i](value) if shared is None else shared(i, value, query)

    @cached_property
    def _after(self) -> list[tuple[str, str]]:
        """Place and name of the stages that run again for another budget."""
        named = [(f"stages[{i}]", name_of(type(s))) for i, s in enumerate(self.subject.stages)]
        return [pair for pair, kind in zip(named, self._kinds, strict=True) if kind != "reader"][self._blind :]

    def _cuts(self, item: Item) -> dict[str, float] | None:
        """How the chunks lie over the gold; documents that were not loaded have no chunks."""
        if self.corpus is None or not item.spans:
            return None
        near = {doc: self._near(doc, [s for s in item.spans if s.doc == doc]) for doc in {s.doc for s in item.spans}}
        return {
            "omega": omega(item.spans, near.__getitem__),
            "compat": omega(item.spans, near.__getitem__, compat=True),
            "whole": coverage(item.spans, near.__getitem__),
        }

    def _near(self, doc: str, gold: Sequence[Any]) -> list[tuple[int, int]]:
        """The chunks of a document that overlap or touch its gold."""
        if self.corpus is None or doc not in self.corpus.ordinals:
            return []
        tree = self.corpus.tree(self.corpus.ordinals[doc])
        start, end = tree.start[tree.leaf_ids], tree.end[tree.leaf_ids]
        hit = start < -1
        for span in gold:
            hit |= (start <= span.end) & (end >= span.start)
        return list(zip(start[hit].tolist(), end[hit].tolist(), strict=True))


def _ranked(kinds: Sequence[str], values: Sequence[tuple[str, str, Any]]) -> tuple[Hit, ...]:
    """What the last ranking stage before the first compressor gave."""
    ranked: tuple[Hit, ...] = ()
    for kind, (_, _, value) in zip(kinds, values, strict=False):
        if kind not in RANKERS:
            break
        ranked = value.items
    return ranked


def _pieces(context: Hits) -> dict[str, Any]:
    """What a compressor that explains itself says of each piece it could choose, the chosen first, then the best."""
    name = explained(context)
    rows = context.notes[name]["records"][:PIECES] if name else ()
    return {"pieces": [[one[field] for field in PIECE] for one in rows]} if rows else {}


def _usage(answer: Answer | None, spans: Iterable[trace.TraceSpan]) -> dict[str, float]:
    """Calls and tokens of language models: from the trace where it has them, else from the answer."""
    calls = [s for s in spans if not s.place and "tokens_out" in s.facts]  # spans of models, not of stages
    if calls:
        totals = {fact: sum(float(s.facts.get(fact) or 0) for s in calls) for fact in LLM_FACTS}
        return {"calls": len(calls), **{k: int(v) if k != "cost" else v for k, v in totals.items()}}
    return dict(answer.usage) if answer is not None else {}
