"""Follow a question's steps from answer to answer, keeping the best few ways: a beam over any search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rag.lexical import match
from rag.sentences import sentence_spans
from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.decompose import REFERENCE, decompose, references
from retrievers.hybrid import scaled
from retrievers.names import key, names

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Chain"]

NAME = "retrievers/chain"
DIGITS = 9


def _default() -> Retriever:
    from retrievers.bm25 import BM25

    return BM25()


@dataclass(frozen=True)
class _State:
    """One way through the steps so far: what each was answered with, how well, and on what it rests."""

    answers: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    hits: tuple[Hit, ...] = ()

    @property
    def score(self) -> float:
        """Geometric mean of (1 + s) / 2 over the steps, 1 before the first."""
        return float(np.prod([(1 + one) / 2 for one in self.scores]) ** (1 / max(len(self.scores), 1)))


@stage
class Chain:
    """Search for the first step of a question, put each answer it may have into the next, and keep the best ways.

    Panini (2026, https://arxiv.org/abs/2602.15156, section on inference chains) follows such a beam over questions and
    answers that a model wrote for every document. Here the steps come from rules (`retrievers.decompose`), are searched
    in any index, and an answer is a name in the sentence that matches a step best. As there, a way is worth the
    geometric mean of (1 + s) / 2 over its steps, one way is kept for each answer, and `beam` in all. A passage is worth
    its best way, beside its place in the search for the whole question.

    Over BM25, R@5 78.1, 73.8 and 57.3 against 69.4, 70.0 and 47.9 of BM25 (2WikiMultihopQA, HotpotQA, MuSiQue, 40
    questions each); `retrievers/graph` finds more and is faster.

    Args:
        query: scope and filters are honoured by `inner`. A question of one step is searched as it is.

    Returns:
        At most k leaves, best first, ties by document and place; `why` says the answers on the way. The note counts
        steps and searches, at most 1 + `beam` a step.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_default, description="searched at each step")
    k: int = Field(default=100, ge=1, description="hits returned")
    steps: int = Field(default=4, ge=1, le=6, description="steps at most")
    beam: int = Field(default=5, ge=1, le=20, description="ways kept")
    found: int = Field(default=5, ge=1, description="passages of a search that are looked at")
    answers: int = Field(default=3, ge=1, description="names taken from a passage at most")
    weight: float = Field(default=1.0, ge=0, description="of the ways beside the search for the whole question")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Chain:
        """This retriever and the one inside it, reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Take the steps, rank what they rest on."""
        store_of(self, NAME)
        whole = self.inner(query)
        steps = decompose(query.text, self.steps)
        searches = 1
        ways: list[_State] = [_State()]
        known: dict[str, Hits] = {}
        for text in steps if len(steps) > 1 else ():
            fresh: dict[str, _State] = {}
            for way in ways:
                asked = _filled(text, way.answers)
                if asked not in known:
                    known[asked] = self.inner(replace(query, text=asked)) if asked else Hits(query)
                    searches += 1
                for state in self._next(way, asked, known[asked]):
                    answer = state.answers[-1]
                    if answer not in fresh or fresh[answer].score < state.score:
                        fresh[answer] = state
            ways = sorted(fresh.values(), key=lambda one: (-one.score, one.answers))[: self.beam] or ways
        return self._hits(query, whole, ways, {"steps": len(steps), "searches": searches})

    def _next(self, way: _State, asked: str, hits: Hits) -> list[_State]:
        """The way, one step longer, for each name that may answer it; without a name it goes on with none."""
        found: list[_State] = []
        points = scaled(hits.items, "minmax").tolist()
        for hit, share in zip(hits.items[: self.found], points, strict=False):
            for answer in self._answers(asked, hit) or [""]:
                place = ((*way.scores, float(share)), (*way.hits, hit))
                found.append(_State((*way.answers, answer), *place))
        return found

    def _answers(self, asked: str, hit: Hit) -> list[str]:
        """Names in the sentences of a passage that match a step best and that the step does not say."""
        text = hit.text
        spans = list(sentence_spans(text))
        worth = match(asked, [text[a:b] for a, b in spans])
        said = f" {key(asked)} "
        found: dict[str, None] = {}
        for i in np.argsort(-worth, kind="stable").tolist():
            keys = names(text[spans[i][0] : spans[i][1]])
            whole = [one for one in keys if not any(one != other and f" {one} " in f" {other} " for other in keys)]
            found.update(dict.fromkeys(one for one in whole if f" {one} " not in said))
        return list(found)[: self.answers]

    def _hits(self, query: Query, whole: Hits, ways: Sequence[_State], note: dict[str, Any]) -> Hits:
        first: dict[tuple[str, int, int], Hit] = {}
        total: dict[tuple[str, int, int], float] = {}
        for hit, share in zip(whole, scaled(whole.items, "minmax").tolist(), strict=True):
            first[hit.key], total[hit.key] = hit, share
        best: dict[tuple[str, int, int], _State] = {}
        for way in ways:
            for hit in way.hits:
                first.setdefault(hit.key, hit)
                if hit.key not in best or best[hit.key].score < way.score:
                    best[hit.key] = way
        for one, way in best.items():
            total[one] = total.get(one, 0.0) + self.weight * way.score
        ranked = sorted(total, key=lambda one: (-round(total[one], DIGITS), one))[: self.k]
        items = []
        for one in ranked:
            score = round(total[one], DIGITS)
            why = " > ".join(filter(None, best[one].answers)) if one in best else ""
            hit = first[one]
            items.append(replace(hit, score=score, scores={**hit.scores, NAME: score}, why=why))
        return Hits(query, tuple(items), drops=whole.drops, notes={**whole.notes, NAME: note})


def _filled(step: str, answers: Sequence[str]) -> str:
    """A step with answers in place of its references; one that is not known is left out."""
    known = {number: answers[number - 1] for number in references(step) if 0 < number <= len(answers)}
    return " ".join(REFERENCE.sub(lambda found: known.get(int(found.group(1)), ""), step).split())
