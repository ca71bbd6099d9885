"""A context bubble: the units that together bear most on the question, under a budget, with a bound on the best."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import SkipValidation

from compressors.account import best_first, drops, one_text, short_enough
from compressors.aspects import facets
from compressors.choosing import Made, Pool, Weights, made, prices
from compressors.fit import Fitted, fit
from compressors.records import digest, records
from compressors.relevance import scored, stretched
from rag.lexical import match
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import counter
from rag.readers.render import heading
from rag.stage import Field, stage
from rag.types import Hits
from rag.units import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Bubble"]

NAME = "compressors/bubble"
NARROW = 256  # tokens up to which `prior` is as it is set, and from which `again` is; see `weights`


@stage
class Bubble:
    """Choose sentences, items and rows that together bear most on the question, under a budget, with a bound.

    After the context bubble (arXiv 2601.10681): structure, coverage and caps decide what goes into the context, every
    decision is recorded. The published one is four gates over term counts; here a set function is maximised
    (`compressors.objective`): relevance, the question's terms, the things it names, spread over sections. Three parts
    are ours:

    - the bridge: units whose title the best units name, and the question does not, gain (`compressors.bridge`);
    - near duplicates go, unless a number, a name or a negation differs; their places are in `drops`;
    - a bound: `certificate` in the notes is the share of the best possible worth that is reached at least.

    Measured on multi-hop questions, words alone, sentences of ten paragraphs (`evals.reproduce.support`): all support
    sentences kept at 128 / 256 words for 58 / 84 % of 100 HotpotQA questions (sentences with their titles by BM25:
    39 / 69; without the bridge 49 / 74) and for 60 / 80 % of 200 2Wiki questions (29 / 44; 34 / 50).
    The weights were chosen while looking at these very questions. On three sets that chose none,
    though samples of them were seen while the bridge and the lead were changed: 33 / 52 against
    22 / 42 % of 91 MuSiQue questions, and no sure difference on news facts (37 / 55 against 35 / 55)
    and StrategyQA (20 / 40 against 18 / 37). Likeness, spread and facets did not help and are off; where a question has
    sides in several documents of a large collection, `spread` 1 covers more (`evals.reproduce.bubble_facets`).

    By words alone, 85.0 % of the gold text of Chroma's 472 questions stands in 512 tokens, 8.5 points (5.7 to 11.3)
    more than with whole chunks; it is surely ahead from 128 to 2,048 tokens (`evals.reproduce.bubble_chroma`; `again`
    .7). With the models 61.4 77.6 87.8 92.9 97.1 % of 236 of them stands in 128 to 2,048 tokens, surely ahead of whole
    chunks of the same models at 512 and 2,048 (`evals.reproduce.bubble_chroma_models`). The embedded cross-encoder as
    `scorer`, with `terms` .25, adds 8 points (4 to 13) of multi-hop support on the mean of three sets and two budgets,
    of questions that chose no weight, and 6 points (3 to 10) with a fourth set, of which paragraphs alone are known
    (`evals.reproduce.support_models`).

    Budgets hold on the rendered text as counted by the reader's tokenizer; every kept range is a slice of the input's
    ranges, in reading order; a table row keeps its header rows.

    Args:
        hits: n >= 0; their order has no effect, their scores do.

    Returns:
        The hits that keep something. `notes` has worth, bound, certificate, the way, what was repaired, where else a
        kept unit stands (`also`: places to cite beside it), and with `explain` a record for every candidate.

    Raises:
        ModelError: the scorer gave another number of scores than it got units, or not-a-numbers.
        StoreMismatch: one document name stands for two texts.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores units; None: by their words")
    words: float = Field(default=0.5, ge=0, le=1, description="share of the words where a scorer scores the units")
    prior: float = Field(default=0.4, ge=0, le=1, description="share of the hit's score in a unit's relevance")
    wide: float = Field(default=1.5, ge=0, description="factor of `prior` where the budget is 512 tokens or more")
    lead: float = Field(default=0.25, ge=0, description="what the first unit of a short document has more")
    bridge: float = Field(default=0.6, ge=0, description="what a unit has more whose whole title the anchors name")
    anchored: float = Field(default=0.6, ge=0, le=1, description="share of the budget that anchors fill")
    focus: float = Field(default=4.0, gt=0, description="power of a unit's relevance; higher prefers few good units")
    terms: float = Field(default=0.5, ge=0, description="weight of the question's terms, each once")
    facets: float = Field(default=0.0, ge=0, description="weight of the things the question names")
    like: float = Field(default=0.0, ge=0, description="weight of likeness to all units")
    spread: float = Field(default=0.0, ge=0, description="weight of sections touched, the smooth form of a cap")
    cap: float | None = Field(default=None, gt=0, le=1, description="share of the budget that one section may take")
    distinct: bool = Field(default=True, description="leave out near duplicates")
    again: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of its relevance that a near duplicate keeps where the budget is 256 tokens or more",
    )
    adaptive: float = Field(
        default=0.0, ge=0, le=1, description="stop where the next unit adds less than this share of what the others did"
    )
    explain: bool = Field(default=False, description="put a record of every candidate into the notes")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Hits:
        """Choose, render, count, give every drop its reason."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        one_text(NAME, hits.items)
        ranked = best_first(hits)
        tokenizer = counter(self.tokenizer)
        found = short_enough(ranked, units(ranked), budget, tokenizer) if budget > 0 else []
        heads = [heading(hit) for hit in ranked]
        pool = Pool(hits.query.text, ranked, found, prices(ranked, found, tokenizer, heads), above=heads)
        own = self.own(pool) if found else np.zeros(0)
        choice = made(pool, own, budget, self.weights(budget))
        order = choice.order[: self.enough(pool, choice)]
        fitted = fit(ranked, pool.units, order, budget, tokenizer, guess=choice.kept, sizes=pool.price.unit)
        reasons = _reasons(pool, choice, order, fitted, budget)
        notes: dict[str, Any] = {
            "scorer": "words" if self.scorer is None else self.scorer.name,
            "units": len(found),
            "kept": len(fitted.kept),
            "same": len(choice.twins),
            "also": _also(pool, choice, fitted),
            "worth": choice.set.value,
            "bound": choice.set.bound,
            "certificate": round(choice.set.certificate, 4),
            "way": choice.set.way,
            "swaps": choice.set.swaps,
            "repairs": fitted.repairs,
            "budget": budget,
        }
        if self.explain:
            notes["settings"] = self.settings()
            notes["input"] = digest(pool.question, ranked, budget)
            notes["records"] = records(pool, own, choice, kept=fitted.kept, reasons=reasons, budget=budget)
        return replace(
            hits,
            items=fitted.items,
            drops=hits.drops + drops(NAME, ranked, found, reasons, f"not within {budget} tokens"),
            tokens=fitted.tokens,
            notes={**hits.notes, NAME: notes},
        )

    def own(self, pool: Pool) -> NDArray[np.float64]:
        """What each unit scores by itself: by its words, or by the scorer and its words, both stretched to [0, 1]."""
        above = [pool.heads[unit.hit] for unit in pool.units]
        words = match(pool.question, pool.texts, above, bags=pool.bags)
        if self.scorer is None:
            return words
        told = scored(NAME, pool.question, [text.strip() for text in pool.texts], above, self.scorer)
        return (1 - self.words) * stretched(told) + self.words * stretched(words)

    def weights(self, budget: int) -> Weights:
        """The settings that choose within a budget.

        Where there is room, whole good passages are wanted, what they say again included; where there is little, the
        best sentences of many. So `again` counts in full from 256 tokens on and not below half as many, and a hit's
        score counts for more from 256 tokens on, up to 512.
        """
        chosen = Weights(**{name: getattr(self, name) for name in Weights._fields})
        share = min(max(math.log2(max(budget, 1) / NARROW), -1.0), 1.0)
        prior = min(self.prior * (1 + max(share, 0.0) * (self.wide - 1)), 1.0)
        return chosen._replace(prior=prior, again=self.again * (1 + min(share, 0.0)))

    def settings(self) -> dict[str, Any]:
        """All settings as plain values, the scorer by its identity."""
        plain = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "scorer"}
        return {**plain, "scorer": None if self.scorer is None else self.scorer.fingerprint}

    def enough(self, pool: Pool, choice: Made) -> int:
        """How many of the order are wanted: all, or with `adaptive` those before the gains fall off.

        After ACC-RAG and AdaComp: a budget is a limit, not a goal. Stops where the next gain is below the share of the
        mean gain so far, once everything that the question names and the choice holds is there.
        """
        if not self.adaptive:
            return len(choice.order)
        gains, chosen = choice.set.gain, choice.order[: choice.kept]
        held = frozenset[str]().union(*(pool.titled[unit] for unit in chosen))
        wanted = [one & held for one in facets(pool.question)]
        seen: set[str] = set()
        for k, unit in enumerate(chosen):
            if k and all(one <= seen for one in wanted) and gains[k] < self.adaptive * sum(gains[:k]) / k:
                return k
            seen |= pool.titled[unit]
        return choice.kept


def _also(pool: Pool, choice: Made, fitted: Fitted) -> list[dict[str, list[Any]]]:
    """Where else a kept unit stands: places that could be cited in its stead, in order."""
    found = [
        {"kept": _place(pool, choice.twins[unit]), "stands": _place(pool, unit)}
        for unit in choice.twins
        if choice.twins[unit] in fitted.kept
    ]
    return sorted(found, key=lambda one: (one["kept"], one["stands"]))


def _place(pool: Pool, unit: int) -> list[Any]:
    at = pool.units[unit]
    return [pool.hits[at.hit].doc, at.start, at.end]


def _reasons(pool: Pool, choice: Made, order: Sequence[int], fitted: Fitted, budget: int) -> dict[int, str]:
    """Why each unit that is left out is left out."""
    wanted = set(order)
    found: dict[int, str] = {}
    for unit in range(len(pool.units)):
        if unit in fitted.kept:
            continue
        if unit in choice.twins:
            by = pool.units[choice.twins[unit]]
            found[unit] = f"said by {pool.hits[by.hit].doc} {by.start}:{by.end}"
        elif unit in pool.bare:
            found[unit] = "a heading, shown above its text"
        elif unit not in wanted:
            found[unit] = "adds too little"
        elif unit in choice.set.capped:
            found[unit] = "its section is full"
        else:
            found[unit] = f"not within {budget} tokens"
    return found
