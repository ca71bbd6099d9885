"""Keep the sentences that a cross-encoder scores above a threshold: the simplest strong baseline."""

from __future__ import annotations

import math

from pydantic import SkipValidation

from compressors.account import accounted, best_first, one_text, short_enough
from compressors.fit import fit
from compressors.relevance import own_scores
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import counter
from rag.stage import Field, stage
from rag.types import Hits
from rag.units import units

__all__ = ["Dslr"]

NAME = "compressors/dslr"


@stage
class Dslr:
    """Keep the sentences that a cross-encoder scores above a threshold, in source order.

    Hwang et al., "DSLR: Document Refinement with Sentence-Level Re-ranking and Reconstruction", 2024,
    https://arxiv.org/abs/2407.03627: each sentence is scored by itself, with the title; those above a threshold on the
    sigmoid stay, in the order of the source. It is here to be compared with. Three departures: the budget is hard, and
    filled from the best score down; headings stand before a sentence, not the title alone; where no sentence passes,
    the best one stays if `least` says so.

    Args:
        hits: n >= 0; neither their order nor their scores have an effect, but on the order of documents.

    Returns:
        The hits that keep something; `tokens` is the size of the rendered context.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the scorer gave another number of scores than it got sentences, or not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer] = Field(default_factory=OnnxScorer, description="scores sentences, as logits")
    threshold: float = Field(default=0.1, ge=0, lt=1, description="sigmoid of a logit below which a sentence goes")
    least: int = Field(default=1, ge=0, description="best sentences that stay whatever they score")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Hits:
        """Score, cut, fill."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        pool = short_enough(ranked, units(ranked), budget, tokenizer) if budget > 0 else []
        scores = own_scores(NAME, hits.query.text, ranked, pool, self.scorer).tolist() if pool else []
        order = sorted(range(len(pool)), key=lambda i: (-round(scores[i], 9), ranked[pool[i].hit].doc, pool[i].start))
        line = math.log(self.threshold / (1 - self.threshold)) if self.threshold else -math.inf
        tried = [i for k, i in enumerate(order) if k < self.least or scores[i] > line]
        below = f"below {self.threshold:g} of the scorer"
        reasons = dict.fromkeys(order[len(tried) :], below)
        notes = {"scorer": self.scorer.name, "passed": len(tried)}
        fitted = fit(ranked, pool, tried, budget, tokenizer)
        return accounted(NAME, hits, ranked, pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)
