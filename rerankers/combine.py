"""Choose the set of hits that together is worth most within a token budget."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import SkipValidation

from rag.errors import ModelError
from rag.lexical import terms
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import Tokenizer, counter
from rag.readers.render import cost, heading
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.cutoff import in_order
from rerankers.setsearch import Found, search
from rerankers.worth import Coverage, Set, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Combine"]

NAME = "rerankers/combine"
MARKS = 8  # tokens foreseen for a source's number and the line between sources


@stage
class Combine:
    """Choose hits as a set: what they cover together, within a budget of tokens that is never exceeded.

    CORAG, later CARROT ("Cost-constrained retrieval optimization", https://arxiv.org/abs/2411.00744), searches chunk
    combinations by Monte Carlo tree search, since the worth of passages does not add up. Departures: nodes are sets,
    put in order afterwards, so that no set is searched twice; the budget counts the rendered context in the reader's
    tokens, and is a postcondition; the search begins with the better of two greedy sets and returns the best set
    seen, so it is never below them, and goes on by branch and bound while there are evaluations left (`proven` in the
    notes: no other set is worth more; always so up to ten hits); there is no trained agent that chooses the search.

    Without a scorer a set is worth the words of the question that it covers, weighted by their rarity among the hits,
    and the relevance it holds (the incoming scores, scaled to [0, 1]), both with diminishing returns, less
    `distractor` times what each hit lacks to the relevance `floor`. So the budget may stay unused: a passage that adds
    nothing is left out. With a scorer the worth of a set is the scorer's probability for its joined text, as published.

    Args:
        hits: n >= 0, in any order. Scores that are no numbers count as the lowest.

    Returns:
        Hits whose rendering has at most `budget` tokens (or the question's own budget), in the order asked for.
        `tokens` is its size. Every hit left out is a drop: too long, or worth nothing beside the others.

    Raises:
        ModelError: the scorer gave scores that are not finite.
    """

    budgeted: ClassVar[bool] = True  # the evaluation runs it again for each budget

    budget: int = Field(default=1000, ge=0, description="tokens of the rendered context")
    search: Literal["greedy", "beam", "mcts"] = Field(default="beam", description="how sets are searched")
    width: int = Field(default=4, ge=1, description="sets kept a round by `beam`")
    evaluations: int = Field(default=2000, ge=0, description="sets looked at beyond the greedy ones; 200 with a scorer")
    order: Literal["document", "score", "ends"] = Field(
        default="document",
        description="source order, documents by their best hit; best first; or best at both ends of the context",
    )
    floor: float = Field(default=0.1, ge=0, le=1, description="relevance below which a hit counts as a distractor")
    distractor: float = Field(default=1.0, ge=0, description="price of relevance missing to the floor")
    scorer: SkipValidation[Scorer | None] = Field(
        default=None, description="reads joined texts; None: words and scores"
    )
    tokenizer: str = Field(default="cl100k", description="the reader's")

    def __post_init__(self) -> None:
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    @cached_property
    def _counter(self) -> Tokenizer:
        return counter(self.tokenizer)

    def __call__(self, hits: Hits, /) -> Hits:
        """The best set."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, scores = in_order(hits.items)
        if not ranked:
            return replace(hits, tokens=0)
        relevance = np.zeros(len(ranked))
        relevance[: len(scores)] = _unit(scores)
        sizes = np.array([cost((hit,), self._counter) + MARKS for hit in ranked], dtype=np.int64)
        found = self._search(hits.query.text, ranked, relevance, sizes, budget)
        items, repairs = self._fitted(ranked, found.chosen, budget)
        kept = {(hit.key, hit.spans) for hit in items}
        drops = tuple(
            Drop(hit, NAME, f"{size} tokens do not fit into {budget}" if size > budget else "adds less than it costs")
            for hit, size in zip(ranked, sizes.tolist(), strict=True)
            if (hit.key, hit.spans) not in kept
        )
        fact = {
            "value": round(found.value, 9),
            "greedy": round(found.greedy, 9),
            "evaluations": found.evaluations,
            "proven": found.proven,
            "search": self.search,
            "repairs": repairs,
        }
        return replace(
            hits,
            items=items,
            drops=hits.drops + drops,
            tokens=cost(items, self._counter),
            notes={**hits.notes, NAME: fact},
        )

    def _search(
        self,
        question: str,
        ranked: tuple[Hit, ...],
        relevance: NDArray[np.float64],
        sizes: NDArray[np.int64],
        budget: int,
    ) -> Found:
        worth: Worth
        if self.scorer is None:
            worth = coverage(question, ranked, relevance, self.floor, self.distractor)
            return search(worth, sizes, budget, how=self.search, width=self.width, evaluations=self.evaluations)
        worth = Joined(question, ranked, self.scorer)
        limit = min(self.evaluations, 200)
        return search(worth, sizes, budget, how=self.search, width=self.width, evaluations=limit, prior=relevance)

    def _fitted(self, ranked: tuple[Hit, ...], chosen: Set, budget: int) -> tuple[tuple[Hit, ...], int]:
        """The chosen hits in order; what was taken up last goes while the rendering is over the budget."""
        kept = list(chosen)
        repairs = 0
        while kept and cost(arranged([ranked[i] for i in sorted(kept)], self.order), self._counter) > budget:
            kept.pop()
            repairs += 1
        return arranged([ranked[i] for i in sorted(kept)], self.order), repairs


def coverage(
    question: str, hits: tuple[Hit, ...], relevance: NDArray[np.float64], floor: float, distractor: float
) -> Coverage:
    """What sets of hits cover of a question.

    Facets are the question's words, by rarity among the hits, with weights that sum to 1, and relevance itself, with
    weight 1, of which a hit covers half its own. A word that stands twice is covered more surely: tf / (tf + 0.5).

    Returns:
        The worth of sets; t = words that some hit has + 1.
    """
    bags = [Counter(terms(f"{heading(hit)}\n{hit.text}")) for hit in hits]
    wanted = [word for word in dict.fromkeys(terms(question)) if any(word in bag for bag in bags)]
    spread = np.array([sum(word in bag for bag in bags) for word in wanted], dtype=np.float64)
    weight = np.log1p((len(hits) + 1) / (spread + 0.5)) if wanted else np.zeros(0)
    times = np.array([[bag[word] for bag in bags] for word in wanted], dtype=np.float64).reshape(len(wanted), len(hits))
    return Coverage(
        weight=np.append(weight / (weight.sum() or 1.0), 1.0),
        cover=np.vstack((times / (times + 0.5), relevance / 2)),
        own=-distractor * np.maximum(0.0, floor - relevance),
    )


@dataclass(frozen=True, eq=False)
class Joined:
    """A set's worth is the scorer's probability for its texts, joined in the order of the hits."""

    question: str
    hits: tuple[Hit, ...]
    scorer: Scorer
    submodular: ClassVar[bool] = False

    def value(self, chosen: Set, /) -> float:
        """Of one set; 0 for none."""
        return float(self._score([chosen])[0]) if chosen else 0.0

    def grown(self, chosen: Set, more: NDArray[np.int64], /) -> NDArray[np.float64]:
        """Of the set with each further hit."""
        return self._score([tuple(sorted((*chosen, int(c)))) for c in more])

    def _score(self, sets: list[Set]) -> NDArray[np.float64]:
        texts = ["\n".join(self.hits[i].text for i in one) for one in sets]
        found = np.asarray(self.scorer.score(self.question, texts), dtype=np.float64)
        if found.shape != (len(texts),) or not np.isfinite(found).all():
            raise ModelError(
                f"{NAME}: {self.scorer.name} must give {len(texts)} finite scores. Check the model's files."
            )
        return 1 / (1 + np.exp(-np.clip(found, -60, 60)))


def arranged(hits: list[Hit], order: str) -> tuple[Hit, ...]:
    """Hits that stand best first, in another order.

    Args:
        hits: best first.
        order: `score` leaves them; `document` puts documents by their best hit, hits of one in source order; `ends`
            puts ranks 1, 3, 5 ... 6, 4, 2 (Liu et al., "Lost in the Middle", TACL 2024: readers miss the middle).
    """
    if order == "ends":
        return (*hits[::2], *hits[1::2][::-1])
    if order == "document":
        rank = {doc: i for i, doc in reversed(list(enumerate(hit.doc for hit in hits)))}
        return tuple(sorted(hits, key=lambda hit: (rank[hit.doc], hit.spans, hit.key)))
    return tuple(hits)


def _unit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Falling scores on [0, 1]; all 1 where they are equal."""
    spread = float(scores[0] - scores[-1]) if len(scores) else 0.0
    if not spread > 0 or not math.isfinite(spread):
        return np.ones(len(scores))
    scaled: NDArray[np.float64] = (scores - scores[-1]) / spread
    return scaled
