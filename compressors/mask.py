"""Keep what a token-level keep model marks: a threshold, a budget, or both."""

from __future__ import annotations

import math

from pydantic import SkipValidation

from compressors.account import accounted, best_first, one_text, short_enough
from compressors.fit import fit
from compressors.masking import masked
from rag.errors import ConfigError
from rag.models.keep import Keep, Keeper
from rag.models.tokens import counter
from rag.stage import Field, stage
from rag.types import Hits
from rag.units import units

__all__ = ["Mask"]

NAME = "compressors/mask"


@stage
class Mask:
    """Keep what a token-level keep model marks: a threshold, a budget, or both.

    The pruner of Chirkova et al. (ICLR 2025, https://arxiv.org/abs/2501.16214) prunes each passage by a mask over its
    tokens, read together with the question, and keeps the sentences whose tokens are kept. Departures: a sentence's
    score is the mean of its tokens' log-odds, not a share above a threshold; the best fill a hard budget, and those
    below `least` go even where there is room; all passages compete. Lists, tables and sentences are units, a row keeps
    its header rows; a passage longer than the model reads is read in blocks that overlap by a unit, and nothing is kept
    because it was not read. `compressors/edu` takes the same model as its `scorer`.

    Args:
        hits: n >= 0; neither their order nor their scores have an effect, but on the order of documents.

    Returns:
        The hits that keep something; `tokens` is the size of the rendered context; the note has `passes`, the texts
        read, and `top`, the highest log-odds of a token.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the keep model's marks do not fit the texts, or are not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    keeper: SkipValidation[Keeper] = Field(default_factory=Keep, description="marks tokens; a scorer with `keep`")
    least: float = Field(default=0.0, ge=0, lt=1, description="mean probability below which a unit goes")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the keep model's type alone, so that no weights open."""
        if not callable(getattr(type(self.keeper), "keep", None)):
            raise ConfigError(
                f"{NAME}: keeper: must be a keep model such as {{use: scorers/keep}}, got {type(self.keeper).__name__}."
                " Drop it to use the default."
            )

    def __call__(self, hits: Hits, /) -> Hits:
        """Read, mark, cut, fill."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        pool = short_enough(ranked, units(ranked), budget, tokenizer) if budget > 0 else []
        found = masked(NAME, hits.query.text, ranked, pool, self.keeper)
        odds = found.mean.tolist()
        order = sorted(range(len(pool)), key=lambda i: (-odds[i], ranked[pool[i].hit].doc, pool[i].start))
        line = math.log(self.least / (1 - self.least)) if self.least else -math.inf
        tried = [i for i in order if odds[i] >= line]
        reasons = dict.fromkeys(order[len(tried) :], f"below {self.least:g} of the mask")
        fitted = fit(ranked, pool, tried, budget, tokenizer)
        top = float(found.top.max()) if len(found.top) else None
        notes = {"scorer": self.keeper.name, "passes": found.passes, "top": top}
        return accounted(NAME, hits, ranked, pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)
