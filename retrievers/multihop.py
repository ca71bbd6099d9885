"""One passage or several: a router by rule, ways to search for each, and a cross-encoder that reads bridges along."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import SkipValidation

from rag.errors import RagError
from rag.models.score import Scorer, checked_scorer
from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.bridges import Bridge, bridges, shown
from retrievers.names import names
from retrievers.several import several

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store

__all__ = ["MultiHop", "logged", "unmet"]

NAME = "retrievers/multihop"
LEAST = 1e-5  # share of the best score below which hits of a way are alike
ENOUGH = 5  # hits that should say every name of the question
DIGITS = 9


def _single() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


def _ways() -> tuple[Retriever, ...]:
    from retrievers.graph import Graph
    from retrievers.hybrid import Hybrid

    return (Graph(inner=Hybrid()),)


@stage
class MultiHop:
    """Search in the way a question needs: plainly, or over the passages that lead from one to another.

    The router needs no model: `retrievers.several` reads the question's form. A question that one passage should answer
    goes to `single`, and its hits are ordered by the scorer, as a hybrid search with a cross-encoder does. One that
    needs several goes through `ways`, the next of them only while a name that the question says stands in none of the
    first hits. What the ways find is ordered by

        way + read * scorer,

    where a way's scores count by the logarithm of their share of the best, and the scorer's are stretched to [0, 1]. A
    cross-encoder asked about the second passage of a chain sees nothing that the question says. So it reads each
    passage also with its bridge in front, the sentence of a better passage that names it; where both together score
    above the bridge alone, the higher score counts.

    Measured (`python -m evals.reproduce multihop`), the recipe on 40, 60 and 60 questions of MuSiQue, 2WikiMultihopQA
    and HotpotQA, mean of the sets, 95 %: R@5 +13.0 (+9.0 to +16.9) points ahead of the hybrid search with its
    cross-encoder, all found in five +25.3 (+18.1 to +32.8); ahead of vectors alone +14.5 (+10.8 to +18.4) and +27.5
    (+20.0 to +35.0). MuSiQue's questions had a part in its constants; the other two sets' had none and give +14.4
    (+10.6 to +18.1) and +29.2 (+21.7 to +36.7). Steps (`retrievers/questions`) add +2.4 (+0.1 to +4.7) to the walk
    alone. Of eight sets of plain questions none loses more than 0.8 points of R@5 against that hybrid search.

    Args:
        query: scope and filters are honoured by the ways.

    Returns:
        At most k hits, best first, ties by document and place. The note says the way, why, rounds, calls, and what
        stopped the search: `done`, or the limit that was reached. What was found until then is returned.

    Raises:
        RagError: the first search failed; a later one that fails ends the search with what there is.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    single: Retriever = Field(default_factory=_single, description="for a question that one passage answers")
    ways: tuple[Retriever, ...] = Field(default_factory=_ways, min_length=1, description="for others, in order")
    scorer: SkipValidation[Scorer | None] = Field(
        default=None, description="reads question and passage; None: no model"
    )
    route: Literal["auto", "single", "multi"] = Field(default="auto", description="by the question, or always one way")
    k: int = Field(default=40, ge=1, description="hits returned")
    depth: int = Field(default=40, ge=1, description="hits of `single` that the scorer reads")
    passages: int = Field(default=30, ge=1, description="hits of the ways that are kept and read at most")
    read: float = Field(default=0.2, ge=0, description="weight of the scorer beside the way")
    bridged: int = Field(default=15, ge=0, description="hits read again behind their bridge at most")
    rounds: int = Field(default=4, ge=1, description="searches one after the other at most")
    calls: int = Field(default=12, ge=1, description="calls of retrievers and of the scorer at most")
    seconds: float = Field(default=30.0, gt=0, description="after which nothing new is begun")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: every nested retriever has a part."""

    def bind(self, store: Store, /) -> MultiHop:
        """This retriever with every nested one reading from an opened store."""
        nested = tuple(one.bind(store) for one in self.ways)
        return bound_to(replace(self, single=self.single.bind(store), ways=nested), store)

    def __call__(self, query: Query, /) -> Hits:
        """Choose the way, search, read, order."""
        store_of(self, NAME)
        reasons = several(query.text)
        multi = bool(reasons) if self.route == "auto" else self.route == "multi"
        run = _Run(self, query)
        hits = run.several() if multi else run.plain()
        note = {"way": "multi" if multi else "single", "why": list(reasons), **run.told()}
        return replace(hits, notes={**hits.notes, NAME: note})


@dataclass(eq=False)
class _Run:
    """One question, within the limits."""

    stage: MultiHop
    query: Query
    clock: Callable[[], float] = time.monotonic
    rounds: int = field(init=False, default=0)
    calls: int = field(init=False, default=0)
    pairs: int = field(init=False, default=0)
    stopped: str = field(init=False, default="done")

    def __post_init__(self) -> None:
        self._began = self.clock()

    def told(self) -> dict[str, Any]:
        """The note."""
        return {"rounds": self.rounds, "calls": self.calls, "pairs": self.pairs, "stopped": self.stopped}

    def _open(self) -> bool:
        """Whether one more call may be made; says why not."""
        if self.calls >= self.stage.calls:
            self.stopped = "calls"
        elif self.clock() - self._began >= self.stage.seconds:
            self.stopped = "seconds"
        else:
            self.calls += 1
            return True
        return False

    def plain(self) -> Hits:
        """One search, ordered by the scorer."""
        self.rounds, self.calls = 1, 1
        found = self.stage.single(self.query)
        scores = self._scores(found.items[: self.stage.depth])
        if scores is None:
            return replace(found, items=_named(found.items, [hit.score for hit in found])[: self.stage.k])
        best = _ordered(found.items[: self.stage.depth], scores)
        return replace(found, items=best[: self.stage.k])

    def several(self) -> Hits:
        """The ways one after the other, while a name of the question is found nowhere."""
        points: dict[tuple[str, int, int], float] = {}
        first: dict[tuple[str, int, int], Hit] = {}
        notes: dict[str, Any] = {}
        drops: tuple[Any, ...] = ()
        for way in self.stage.ways:
            if self.rounds >= self.stage.rounds:
                self.stopped = "rounds"
                break
            if not self._open():
                break
            self.rounds += 1
            try:
                found = way(self.query)
            except RagError as error:
                if not first:
                    raise
                self.stopped = f"failed: {type(error).__name__}"
                break
            notes, drops = {**notes, **found.notes}, (*drops, *found.drops)
            for hit, share in zip(found, logged([hit.score for hit in found]), strict=True):
                first.setdefault(hit.key, hit)
                points[hit.key] = max(points.get(hit.key, 0.0), share)
            ranked = sorted(first, key=lambda key: (-points[key], key))
            if not unmet(self.query.text, [first[key] for key in ranked[:ENOUGH]]):
                break
        ranked = sorted(first, key=lambda key: (-points[key], key))
        items = [first[key] for key in ranked[: self.stage.passages]]
        worth = np.array([points[hit.key] for hit in items])
        scores = self._scores(items)
        if scores is not None:
            scores = np.maximum(scores, self._bridged(items))
            worth = worth + self.stage.read * _spread(scores)
        best = _ordered(items, worth)
        return Hits(self.query, best[: self.stage.k], drops=drops, notes=notes)

    def _scores(self, hits: Sequence[Hit]) -> NDArray[np.float64] | None:
        """What the scorer says of each hit; None without a scorer or a call left."""
        if self.stage.scorer is None or not hits or not self.query.text.strip() or not self._open():
            return None
        return self._read([shown(hit) for hit in hits])

    def _bridged(self, hits: Sequence[Hit]) -> NDArray[np.float64]:
        """float64 (n,): the score behind the bridge, where there is one and the two say more than the bridge alone."""
        found = np.full(len(hits), -np.inf)
        ways: list[Bridge] = bridges(hits)[: self.stage.bridged]
        if not ways or not self._open():
            return found
        alone = list(dict.fromkeys(way.text for way in ways))
        scores = self._read([*alone, *(f"{way.text}\n{shown(hits[way.to])}" for way in ways)])
        least = dict(zip(alone, scores.tolist(), strict=False))
        for way, score in zip(ways, scores[len(alone) :].tolist(), strict=True):
            if score > least[way.text]:
                found[way.to] = score
        return found

    def _read(self, texts: Sequence[str]) -> NDArray[np.float64]:
        assert self.stage.scorer is not None
        self.pairs += len(texts)
        return np.asarray(self.stage.scorer.score(self.query.text, texts), dtype=np.float64)


def logged(scores: Sequence[float]) -> list[float]:
    """Scores as 1 + log(share of the best) / log(1 / LEAST), in [0, 1]; where the best is not above 0, stretched."""
    best = max(scores, default=0.0)
    if best <= 0:
        spread: list[float] = _spread(np.asarray(scores, dtype=np.float64)).tolist()
        return spread
    share = np.maximum(np.asarray(scores, dtype=np.float64) / best, LEAST)
    found: list[float] = (1 - np.log(share) / np.log(LEAST)).tolist()
    return found


def _spread(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(scores):
        return scores
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))


def unmet(question: str, hits: Sequence[Hit]) -> set[str]:
    """Keys of names that the question says and none of the hits does, title and headings included.

    A name of several words is said where two of its words in a row are, as in `Director John Ford`.
    """
    said = {one for hit in hits for one in names(shown(hit))}
    asked = {one for one in names(question) if " and " not in one}
    whole = {one for one in asked if not any(one != other and f" {one} " in f" {other} " for other in asked)}
    parts = {one: [other for other in asked if f" {other} " in f" {one} " and " " in other] or [one] for one in whole}
    return {one for one, rows in parts.items() if not said.intersection(rows)}


def _named(hits: Sequence[Hit], scores: Sequence[float]) -> tuple[Hit, ...]:
    pairs = zip(hits, scores, strict=True)
    return tuple(replace(hit, score=one, scores={**hit.scores, NAME: one}) for hit, one in pairs)


def _ordered(hits: Sequence[Hit], worth: NDArray[np.float64]) -> tuple[Hit, ...]:
    told = _named(hits, [round(float(one), DIGITS) for one in worth])
    return tuple(sorted(told, key=lambda hit: (-hit.score, hit.key)))
