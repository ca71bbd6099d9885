"""A question of several hops, taken apart: each step is searched with the answers of the steps before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from rag.lexical import terms
from rag.models.bounded import Meter
from rag.models.llm import LLM, Reply, checked_llm
from rag.models.prompts import fenced, prompt
from rag.readers.quotes import locate
from rag.readers.render import rendered
from rag.stage import Field, Reader, Reranker, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.hybrid import scaled
from retrievers.plan import Plan, filled, planned

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Questions"]

NAME = "retrievers/questions"
DEEP = 20  # hits of each step that count
AGREED = 0.05  # what a second step that finds a hit adds, as a share of its points
LONGEST = 100  # characters of an answer that are put into the next question
UNKNOWN = frozenset(("", "unknown", "none", "n/a", "i do not know", "i don't know", "not stated"))


def _inner() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


def _reader() -> Reader:
    from rag.readers.extractive import Extractive

    return Extractive(scorer=None, form="span", threshold=-99.0)  # by words; an unsure answer finds more than none


@dataclass(frozen=True, slots=True)
class Found:
    """What a step was answered with.

    Args:
        text: the answer, "" where there is none.
        by: `reader`, `model` or `closed book`.
        sure: in [0, 1].
        place: document and range of the sentence or words it rests on; None where it rests on nothing shown.
    """

    text: str
    by: str
    sure: float
    place: tuple[str, int, int] | None = None


@stage
class Questions:
    """Find the evidence of a question step by step.

    ProbTree (Cao et al., EMNLP 2023, https://arxiv.org/abs/2311.13982): a tree of sub-questions is answered from its
    leaves up, each node from evidence or from memory, whichever is surer. Departures: the steps come from rules
    (`retrievers.decompose`) unless an `llm` is given, whose plan is checked for references, depth and number and
    else replaced by the rules'; what is kept are passages, so an answer only words the next search; one of a
    `reader` (no model needed) competes with the model's, sure by the probability of its tokens where the model
    tells them, else by the share of its words that stand in the evidence; an answer from memory (`closed_book`) never
    counts as evidence. Hits of all steps and of the question itself are one list: a hit counts with the best of its
    scaled scores. A question of one step is searched plainly, so it costs nothing more and loses nothing.

    Measured without any model (`python -m evals.reproduce decomposition`) on questions that the rules were not written
    with: R@5 over BM25 +17.1 points (95 %: +12.5 to +21.7) on 2WikiMultihopQA and +2.9 (-0.4 to +6.2) on HotpotQA;
    over a graph of names -0.8 (-2.3 to +0.4) and 0.0. On MuSiQue, whose questions the rules had seen, +14.7 over BM25
    and +6.2 (+1.6 to +11.2) over the graph.

    Limits hold whatever a model says: `steps`, `depth`, `calls` (repairs and retries among them), `passages`
    read, `seconds` (looked at before each step; a call under way is given up). What was found by then is returned, and
    the note says which limit was reached.

    Args:
        query: any question; scope and filters hold for every step.

    Returns:
        At most k hits, best first, ties by document and place; `why` names the step. The note holds the steps, each
        with what was asked, how it was answered, how surely, and the range it rests on.

    Raises:
        MissingWeights: the model's files are not here; other errors of a model are counted and survived.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_inner, description="searches each step")
    reranker: Reranker | None = Field(default=None, description="orders what each step finds")
    reader: Reader = Field(default_factory=_reader, description="answers a step, so that the next can be asked")
    llm: SkipValidation[LLM | None] = Field(default=None, description="plans and answers; None: rules and the reader")
    weight: float = Field(default=1.0, gt=0, le=1, description="of what a step finds, beside the question's own hits")
    closed_book: bool = Field(default=False, description="also ask the model for answers from memory")
    steps: int = Field(default=6, ge=1, le=8, description="sub-questions at most")
    depth: int = Field(default=3, ge=1, le=8, description="steps that hang on each other, at most")
    each: int = Field(default=5, ge=1, description="hits of a step that are read for its answer")
    calls: int = Field(default=12, ge=0, description="calls to the model at most")
    passages: int = Field(default=30, ge=1, description="passages read for answers at most")
    seconds: float = Field(default=30.0, gt=0, description="time at most")
    k: int = Field(default=40, ge=1, description="hits returned")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Questions:
        """This stage with its retriever reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Plan, take the steps, add up."""
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        plan = planned(query.text, meter, self.steps, self.depth)
        lists = [("question", self._searched(query))]
        told: list[dict[str, Any]] = []
        read = 0
        limit = ""
        if len(plan.steps) > 1:
            answers: list[str] = []
            for number, step in enumerate(plan.steps, 1):
                limit = "seconds" if meter.left <= 0 else limit
                if limit:
                    break
                text = filled(step, answers) or query.text
                hits = self._searched(replace(query, text=text))
                lists.append((f"step {number}", hits))
                room = min(self.each, self.passages - read)
                last = number == len(plan.steps)
                found = Found("", "", 0.0)
                if not last and room < 1:
                    limit = "passages"
                elif not last:
                    read += min(room, len(hits))
                    found = self._answer(replace(hits, items=hits.items[:room]), meter)
                answers.append(found.text[:LONGEST])
                told.append(_told(text, found, last=last))
        note = {"plan": plan.way, "steps": told, "passages": read, **meter.facts()}
        note |= {"limit": limit} if limit else {}
        note |= {"problem": plan.problem} if plan.problem else {}
        return self._added(query, lists, plan, note)

    def _searched(self, query: Query) -> Hits:
        hits = self.inner(query)
        return hits if self.reranker is None or not hits.items else self.reranker(hits)

    def _answer(self, hits: Hits, meter: Meter) -> Found:
        """The surest answer to a step: the reader's, the model's from the evidence, the model's from memory."""
        found = [Found("", "", 0.0)]
        given = self.reader(hits) if hits.items else None
        if given is not None and given.status == "answered":
            cited = given.citations[0] if given.citations else None
            place = None if cited is None else (cited.doc, cited.start, cited.end)
            found.append(Found(given.text, "reader", 0.5 if given.confidence is None else given.confidence, place))
        if hits.items and meter.open:
            asked = prompt("answer-short")
            messages = asked.fill(sources=fenced(rendered(hits).text), question=hits.query.text)
            said = meter.say(messages, version=asked.version, max_tokens=32, logprobs=1)
            found.append(_from_evidence(said, hits))
        if self.closed_book and meter.open:
            asked = prompt("answer-closed")
            messages = asked.fill(question=hits.query.text)
            said = meter.say(messages, version=asked.version, max_tokens=32, logprobs=1)
            found.append(Found(_line(said), "closed book", _sure(said) or 0.0))
        return max(found, key=lambda one: one.sure)

    def _added(self, query: Query, lists: Sequence[tuple[str, Hits]], plan: Plan, note: dict[str, Any]) -> Hits:
        """One list of several: the best of a hit's scaled scores, and a little of the others."""
        ordinals = store_of(self, NAME).corpus.ordinals
        points: dict[tuple[int, int], float] = {}
        first: dict[tuple[int, int], tuple[Hit, str]] = {}
        if len(plan.steps) == 1:
            plain = lists[0][1]
            return replace(plain, query=query, items=plain.items[: self.k], notes={**plain.notes, NAME: note})
        for name, found in lists:
            top = found.items[:DEEP]
            weighed = scaled(top, "minmax") * (1.0 if name == "question" else self.weight)
            for hit, point in zip(top, weighed.tolist(), strict=True):
                key = ordinals[hit.doc], hit.node
                if key not in first or point > points[key]:
                    first[key] = hit, name
                least, most = sorted((point, points.get(key, 0.0)))
                points[key] = most + AGREED * least
        best = sorted(points, key=lambda key: (-points[key], key))[: self.k]
        items = tuple(
            replace(
                hit, score=points[key], scores={**hit.scores, NAME: points[key]}, why=f"{name}: {hit.why}".rstrip(": ")
            )
            for key in best
            for hit, name in (first[key],)
        )
        notes = {stage: fact for _, found in reversed(lists) for stage, fact in found.notes.items()}
        return Hits(query, items, notes={**notes, NAME: note})


def _from_evidence(said: Reply | None, hits: Hits) -> Found:
    """A model's answer, as sure as its tokens, by the share of its words that the evidence holds."""
    text = _line(said)
    words = set(terms(text))
    if not words:
        return Found("", "model", 0.0)
    shares = [len(words & set(terms(hit.text))) / len(words) for hit in hits.items]
    place = locate(text, hits.items, max(range(len(shares)), key=lambda i: (shares[i], -i)))
    sure = _sure(said)
    held = max(shares) * (0.5 if sure is None else sure)
    at = None if place is None else (hits[place[0]].doc, place[1], place[2])
    return Found(text, "model", round(held, 6), at)


def _line(said: Reply | None) -> str:
    """The first line of an answer, without marks around it; "" for none."""
    text = "" if said is None else said.text.strip().partition("\n")[0].strip(" .\"'")
    return "" if text.lower() in UNKNOWN else text[:LONGEST]


def _sure(said: Reply | None) -> float | None:
    """The geometric mean of the probabilities of an answer's tokens; None where the model does not tell them."""
    if said is None or not said.logprobs:
        return None
    return round(math.exp(math.fsum(one.logprob for one in said.logprobs) / len(said.logprobs)), 6)


def _told(text: str, found: Found, *, last: bool) -> dict[str, Any]:
    """A step for the note."""
    if last:
        return {"asked": text}
    told: dict[str, Any] = {"asked": text, "answer": found.text, "by": found.by, "sure": round(found.sure, 6)}
    return told | ({"place": list(found.place)} if found.place else {})
