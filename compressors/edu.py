"""Choose leaves of the evidence tree, sentences or discourse units, within a budget of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import SkipValidation

from compressors.account import accounted, alike, best_first, one_text
from compressors.fit import Fitted
from compressors.leaves import Leaves, filled, leaves
from compressors.regions import by_regions, by_worth
from compressors.relevance import own_scores, stretched, tamed
from compressors.shorten import shortened
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import Tokenizer, counter
from rag.stage import Field, stage
from rag.types import Hit, Hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Edu"]

NAME = "compressors/edu"


@stage
class Edu:
    """Choose leaves of the evidence tree, sentences or discourse units, within a budget of tokens.

    After the EDU compressor of "From Context to EDUs" (arXiv 2512.14244): leaves of an outline are scored, nodes above
    them chosen under a budget, and what is chosen stands in source order. Departures: the outline is the document's own
    `DocTree`, not a generated one; leaves are scored once and their scores go up the tree, so that leaf, paragraph and
    hit can be compared; the budget is hard, counted on the rendering, headings and gaps included. The published choice,
    the best k of each level, is `compressors/levels`.

    A leaf is worth its own score, `prior` times its hit's and `around` times that of its better neighbour, each
    stretched to [0, 1] over the question's candidates. Its own score is the scorer's and `words` times that of its
    words: a cross-encoder trained on web questions misleads on contracts, where words do not. `select` says how a set
    is made of it: `worth` takes leaves from the best down; `regions` solves the tree exactly for regions taken at one
    grain (`compressors.grains`), worth the mean of their best three leaves.

    A discourse unit comes with its host clause (`rag.discourse`), a table row with its header rows; a sentence longer
    than the budget is cut into discourse units, and these behind their commas; a piece that still does not fit is left
    out. The same words stand `copies` times at most: a second place may be the one that a citation must point at.

    Measured as SpanR (`evals.reproduce.compress`, 24 questions of each of eight sets: SQuAD, Chroma's, contracts, news,
    filings, scientific claims, two multi-hop sets), in the recipe `edu`, on sets its weights were chosen on:

        tokens of context                        128    256    512   1024   2048
        whole hits                              19.2   64.1   81.2   90.5   95.2
        sentences by `compressors/extract`      60.0   74.2   82.2   90.1   95.4
        these                                   62.5   75.9   85.8   93.1   95.6
        `compressors/bubble`                    61.1   78.3   84.8   93.0   95.6

    On four sets that chose none (papers, contracts, documentation, minutes) 30.0 37.9 44.4 52.2 61.0, the bubble 30.1
    37.4 46.3 51.6 62.0. Ahead of whole hits up to 512; against the others intervals mostly hold 0. `regions` and
    `shorten` lost there and are off; `grain: edu` is better at 64 tokens where answers are short, and worse on
    contracts.

    Args:
        hits: n >= 0; their order has no effect, their scores do.

    Returns:
        The hits that keep something, with fewer ranges, in reading order; `tokens` is the size of the rendered context.
        Budget 0 gives nothing.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the scorer gave another number of scores than it got leaves, or not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores leaves; None: by their words")
    words: float = Field(default=1.0, ge=0, description="weight of a leaf's words beside what the scorer says")
    grain: Literal["sentence", "edu"] = Field(default="sentence", description="what a leaf is")
    select: Literal["worth", "regions"] = Field(default="worth", description="leaf by leaf, or the exact programme")
    prior: float = Field(default=0.3, ge=0, description="weight of the hit's score beside the leaf's own")
    around: float = Field(default=0.3, ge=0, description="weight of the better neighbouring leaf")
    shorten: bool = Field(default=False, description="leave asides of kept sentences out where more leaves fit then")
    focus: float = Field(default=4.0, gt=0, description="power of a region's worth, for `regions`")
    copies: int = Field(default=2, ge=1, description="how often the same words may stand in the context")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Hits:
        """Cut into leaves, score them once, choose, render, give every drop its reason."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        notes: dict[str, object] = {"scorer": "words" if self.scorer is None else self.scorer.name}
        if budget <= 0:
            none = Fitted((), frozenset(), 0, 0)
            return accounted(NAME, hits, ranked, [], fitted=none, budget=budget, reasons={}, notes=notes)
        found = leaves(ranked, budget, tokenizer, finer=self.grain == "edu")
        worth = self.worth(hits.query.text, ranked, found)
        order = self.order(ranked, found, worth, budget, tokenizer)
        twins = alike(ranked, found.pool, order, self.copies)
        reasons = dict.fromkeys(twins, "said by others") | dict.fromkeys(
            found.stuck, f"needs more than {budget} tokens"
        )
        tried = [i for i in order if i not in reasons]
        fitted = filled(ranked, found, tried, budget, tokenizer)
        notes["same"] = len(twins)
        if self.shorten and self.grain == "sentence":
            tighter = shortened(hits.query.text, ranked, found, tried, fitted=fitted, budget=budget, by=tokenizer)
            if tighter is not None:
                found, fitted, parts = tighter
                reasons |= {part: "safe to leave out" for part, leaf in parts.items() if leaf in fitted.kept}
            notes["shortened"] = 0 if tighter is None else len({parts[p] for p in parts if p not in fitted.kept})
        return accounted(NAME, hits, ranked, found.pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)

    def worth(self, question: str, hits: Sequence[Hit], found: Leaves, by: str = NAME) -> NDArray[np.float64]:
        """What each leaf is worth, in [0, 1], rounded to 1e-9; `by` is named where the scorer fails."""
        if not found.pool:
            return np.zeros(0)
        own = stretched(own_scores(by, question, hits, found.pool, self.scorer))
        if self.scorer is not None and self.words:
            match = stretched(own_scores(by, question, hits, found.pool, None))
            own = (own + self.words * match) / (1 + self.words)
        of = np.array([unit.hit for unit in found.pool])
        same = of[1:] == of[:-1]
        near = np.zeros(len(own))
        near[:-1] = np.where(same, own[1:], 0.0)
        near[1:] = np.maximum(near[1:], np.where(same, own[:-1], 0.0))
        given = stretched(tamed(np.array([hit.score for hit in hits], dtype=np.float64)))
        total = own + self.prior * given[of] + self.around * near
        worth: NDArray[np.float64] = np.round(total / (1 + self.prior + self.around), 9)
        return worth

    def order(
        self, hits: Sequence[Hit], found: Leaves, worth: NDArray[np.float64], budget: int, tokenizer: Tokenizer
    ) -> list[int]:
        """The leaves, those to keep first."""
        if self.select == "regions":
            return by_regions(hits, found, worth, budget=budget, focus=self.focus, tokenizer=tokenizer)
        return by_worth(hits, found, worth.tolist())
