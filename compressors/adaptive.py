"""Keep the leaves that a question needs and stop there, however large the budget is."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import SkipValidation

from compressors.account import accounted, alike, best_first, one_text
from compressors.aspects import facets
from compressors.edu import Edu
from compressors.fit import Fitted
from compressors.leaves import Leaves, filled, leaves
from compressors.regions import by_worth
from rag.lexical import terms
from rag.models.score import Scorer
from rag.models.tokens import counter
from rag.readers.render import heading
from rag.stage import Field, stage
from rag.types import Hit, Hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Adaptive"]

NAME = "compressors/adaptive"


@stage
class Adaptive:
    """Keep the leaves that a question needs and stop there, however large the budget is.

    A budget is a limit, not a goal: after the idea, common to ACC-RAG and AdaComp (arXiv 2409.01579), that the question
    and what was found decide how much context is enough; both learn it, here it is a rule. Leaves are worth what they
    are to `compressors/edu`, and come from the best down. The first whose worth, to the power `focus`, is below `stop`
    of the mean of those before it is the last word, once what is kept also says every rare term of the question and
    everything it names, as far as any candidate does. The rest of the budget stays unused, and the note counts it.

    Of 1,024 tokens it uses 593 where `compressors/edu` uses 936, and of 2,048 it uses 746 of 1,714, for 3.5 and 5.1
    points of SpanR (`evals.reproduce.compress`, 192 questions of eight sets, those its weights were chosen on).

    Args:
        hits: n >= 0; their order has no effect, their scores do.

    Returns:
        The hits that keep something, in reading order. The note has `stopped` and `unused`, the tokens of the budget
        that were left because nothing more seemed needed; 0 where the budget was the limit.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the scorer gave another number of scores than it got leaves, or not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores leaves; None: by their words")
    words: float = Field(default=1.0, ge=0, description="weight of a leaf's words beside what the scorer says")
    stop: float = Field(default=0.1, ge=0, le=1, description="share of the mean gain so far that the next must reach")
    focus: float = Field(default=4.0, gt=0, description="power of a leaf's worth, as its gain")
    cover: bool = Field(default=True, description="go on until the question's rare terms and names are there")
    prior: float = Field(default=0.3, ge=0, description="weight of the hit's score beside the leaf's own")
    around: float = Field(default=0.3, ge=0, description="weight of the better neighbouring leaf")
    copies: int = Field(default=1, ge=1, description="how often the same words may stand in the context")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        self._edu()

    def _edu(self) -> Edu:
        return Edu(scorer=self.scorer, words=self.words, prior=self.prior, around=self.around, tokenizer=self.tokenizer)

    def __call__(self, hits: Hits, /) -> Hits:
        """Order the leaves, find where enough is said, fill."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        notes: dict[str, object] = {"scorer": "words" if self.scorer is None else self.scorer.name}
        if budget <= 0:
            none = Fitted((), frozenset(), 0, 0)
            return accounted(NAME, hits, ranked, [], fitted=none, budget=budget, reasons={}, notes=notes)
        found = leaves(ranked, budget, tokenizer, finer=False)
        worth = self._edu().worth(hits.query.text, ranked, found, NAME)
        order = by_worth(ranked, found, worth.tolist())
        reasons = dict.fromkeys(alike(ranked, found.pool, order, self.copies), "said by others")
        reasons |= dict.fromkeys(found.stuck, f"needs more than {budget} tokens")
        tried = [i for i in order if i not in reasons]
        end = self.enough(hits.query.text, ranked, found, worth, tried)
        fitted = filled(ranked, found, tried[:end], budget, tokenizer)
        stopped = end < len(tried) and fitted.kept >= set(tried[:end])
        if stopped:
            reasons |= dict.fromkeys(tried[end:], "adds too little")
        notes |= {"stopped": stopped, "unused": budget - fitted.tokens if stopped else 0}
        return accounted(NAME, hits, ranked, found.pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)

    def enough(
        self, question: str, hits: Sequence[Hit], found: Leaves, worth: NDArray[np.float64], order: Sequence[int]
    ) -> int:
        """How many leaves of an order are needed, at least 1."""
        wanted = _wanted(question, hits, found) if self.cover else set()
        total = 0.0
        for k, i in enumerate(order):
            gain = float(worth[i]) ** self.focus
            if k and gain < self.stop * total / k and not wanted:
                return k
            total += gain
            wanted -= _said(hits, found, i)
        return len(order)


def _said(hits: Sequence[Hit], found: Leaves, leaf: int) -> set[str]:
    """The terms of a leaf, and of title and headings above it."""
    unit = found.pool[leaf]
    hit = hits[unit.hit]
    return {*terms(hit.document.text[unit.start : unit.end]), *terms(heading(hit))}


def _wanted(question: str, hits: Sequence[Hit], found: Leaves) -> set[str]:
    """What the context has to say: the question's terms that are rarer than its median one, and those of its names.

    Only terms that some leaf has.
    """
    asked = set(terms(question))
    there = Counter(term for leaf in range(len(found.pool)) for term in _said(hits, found, leaf) & asked)
    if not there:
        return set()
    size = len(found.pool)
    weight = {term: math.log1p((size - n + 0.5) / (n + 0.5)) for term, n in there.items()}
    middle = statistics.median(weight.values())
    named = frozenset[str]().union(*facets(question))
    return {term for term, one in weight.items() if one > middle or term in named}
