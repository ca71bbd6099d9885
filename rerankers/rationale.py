"""Choose evidence by what a question needs, instead of the first k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import SkipValidation

from rag.errors import ConfigError
from rag.lexical import terms
from rag.models.embed import Embedder, adapt_embedder
from rag.models.llm import LLM, checked_llm
from rag.models.score import Scorer, checked_scorer
from rag.stage import Field, stage
from rag.store.corpus import indexed_text
from rag.types import Hit, Hits
from rerankers.choosing import chances, expected
from rerankers.considering import Considered, considered
from rerankers.cutoff import in_order, keep
from rerankers.decisions import Picked, Reason, applied, decided
from rerankers.drafting import drafted
from rerankers.expansion import beside, cohesive
from rerankers.mmr import lexical
from rerankers.pairing import MET, paired
from rerankers.published import meteora
from rerankers.rationales import Need

__all__ = ["Rationale"]

NAME = "rerankers/rationale"
DOUBT = 0.25  # of the chance at the cut: what a passage needs to be added for a rationale
LIMITS = {"precision": (1, 20), "recall": (3, 6)}  # hits kept at least and at most
NEAR = 0.5  # and what it needs to be added as a neighbour


@stage
class Rationale:
    """Choose hits by what the question needs, as many as are expected to help, each with its reason.

    METEORA (https://arxiv.org/abs/2505.16014) replaces ranking by rationales: a language model says what evidence would
    have to hold, each rationale picks the passage most like it, an elbow cuts the ranking by their mean, neighbours are
    added. The ideas are kept, with departures for the defects of each step:

    - Rationales come from one call, or, without a model, by rule from the question, from words of the best passages,
      and from titles that the question or a best passage names (`rerankers/rationales.py`). The question is always one.
    - The list is cut where the expected F1 is best (`precision`), or at a least chance (`recall`). The chance of a
      passage is a logistic function of five things: how far its scores are ahead of or behind the others', words of
      the question and of the best passages that it has, and whether it is named. All are free of the scores' scale.
      Mean and maximum over the rationales, which METEORA ranks by, had no weight beside these and are left out.
    - A rationale adds its best passage only where no chosen one meets it, the passage stands out, and it is likely
      enough; one that nothing stands out for is reported as unmet, not forced.
    - A neighbour is added only within its section, if it hangs together with the chosen passage and is likely enough.
    - Hits that hold no word of a rationale and score below all that do are left out of every statistic, so that adding
      them changes nothing. Where no hit bears on a rationale, the scores alone are cut (`rerankers/cutoff`).

    Made for the hits of a cross-encoder over a hybrid search; every reranker or retriever before it will do. `scores`
    of a hit tells what earlier stages gave: the last two count alike.

    Measured on eight sets that no constant was chosen on (`python -m evals.reproduce selection`): `precision` keeps 1.8
    chunks and is ahead in F1 of the cross-encoder's first k, for every k, on six of them, and of METEORA's procedure on
    all, by 41 points on the mean; `recall` keeps 44 % of the chunks of the cross-encoder's first ten at the same mean
    recall (-0.5 points, -2.8 to +1.7). It is behind a fixed k of 1 where one chunk answers nearly every question.

    Args:
        hits: n >= 0, in any order. Scores that are no numbers are dropped first.

    Returns:
        The chosen hits, unchanged but for `score`, the chance in (0, 1), and `why`; best first, ties as they ranked;
        `published` gives them in the order of the documents. Every other hit is a drop with its reason. The notes hold
        the rationales, the numbers of those unmet, and a record for each hit from which
        `rerankers.decisions.replayed` builds the result again.

    Raises:
        ModelError: the embedder or the scorer failed. A language model that fails does not: rules take over.
    """

    mode: Literal["precision", "recall"] = Field(default="precision", description="best expected F1, or more")
    procedure: Literal["ours", "published"] = Field(default="ours", description="`published`: METEORA's, to compare")
    llm: SkipValidation[LLM | None] = Field(default=None, description="writes the rationales; None: rules")
    embedder: SkipValidation[Embedder | None] = Field(default=None, description="compares by meaning; None: words")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="reads clauses with passages; None: words")
    most: int = Field(default=12, ge=1, le=64, description="rationales from the question or the model, at most")
    rule: Literal["gap", "chord", "drop", "ratio", "kneedle", "meteora"] | None = Field(
        default=None, description="another cut of the list, see rerankers/cutoff"
    )
    least: float = Field(default=0.05, gt=0, lt=1, description="chance at which mode `recall` cuts")
    floor: float = Field(default=2.0, ge=0, description="deviations above the median that a pairing needs")
    pair: bool = Field(default=True, description="add passages for rationales that the chosen do not meet")
    expand: bool = Field(default=True, description="add neighbours that belong to a chosen passage")
    min_k: int | None = Field(default=None, ge=1, description="hits kept at least; None: 1, with mode `recall` 3")
    max_k: int | None = Field(default=None, ge=1, description="hits kept at most; None: 20, with mode `recall` 6")

    def __post_init__(self) -> None:
        low, high = self.limits
        if high < low:
            raise ValueError(f"max_k must be >= min_k, got {high} < {low}")
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")
        kind = type(self.embedder)
        if self.embedder is not None and not callable(getattr(kind, "embed", None)):
            if not callable(getattr(kind, "get_text_embedding_batch", None)):
                raise ConfigError(
                    f"{NAME}: embedder: must be an embedder such as {{use: embedders/onnx}} or a llama-index"
                    f" BaseEmbedding, got {kind.__name__}. Drop it to compare words."
                )
            object.__setattr__(self, "embedder", adapt_embedder(self.embedder))

    @property
    def limits(self) -> tuple[int, int]:
        """Hits kept at least, where there are as many, and at most."""
        low, high = LIMITS[self.mode]
        return low if self.min_k is None else self.min_k, high if self.max_k is None else self.max_k

    def __call__(self, hits: Hits, /) -> Hits:
        """The hits chosen."""
        if not hits.items:
            return hits
        draft = drafted(self.llm, hits.query.text, self.most)
        ranked, scores = in_order(hits.items)
        if self.procedure == "published":
            picked = self._published(ranked, draft.needs)
        else:
            found = considered(hits.query.text, ranked, scores, draft.needs, embedder=self.embedder, scorer=self.scorer)
            picked = self._ours(found, ranked) if found.ranked else self._plain(ranked, scores)
        decisions = decided(ranked, picked)
        facts: dict[str, Any] = {
            "procedure": self.procedure,
            "rationales": draft.way,
            "needs": [{"label": one.label, "source": one.source} for one in picked.needs],
            "unmet": list(picked.unmet),
            "cut": picked.cut,
            "kept": len(picked.chosen),
            "of": len(ranked),
            "decisions": [one.record() for one in decisions],
        }
        facts |= {"problem": draft.problem} if draft.problem else {}
        return replace(applied(hits, decisions, NAME), notes={**hits.notes, NAME: facts})

    def _plain(self, ranked: tuple[Hit, ...], scores: NDArray[np.float64]) -> Picked:
        """Without a rationale that any hit bears on: the adaptive cut of the scores alone."""
        rule = self.rule or ("gap" if self.mode == "precision" else "chord")
        k = keep(scores, rule, *self.limits) if len(scores) else self.limits[0]
        low = float(scores[-1]) if len(scores) else 0.0
        after = [*scores.tolist(), *([low] * (len(ranked) - len(scores)))]
        chosen = {i: Reason("cut-off", f"rank {i + 1} of its score alone ({rule})") for i in range(min(k, len(ranked)))}
        return Picked(chosen, tuple(after), cut=rule)

    def _ours(self, found: Considered, ranked: tuple[Hit, ...]) -> Picked:
        """The cut of the chances, then what rationales and neighbours add."""
        chance = chances(found.known)
        order = np.lexsort((np.arange(len(chance)), -chance))
        k = self._cut(chance[order])
        chosen = {i: Reason("chance", f"chance {chance[i]:.3f}, rank {r}") for r, i in enumerate(order[:k].tolist(), 1)}
        low, high = self.limits
        for i in range(len(chance), min(low, len(ranked))):
            chosen[i] = Reason("least", f"one of the {low} kept at least")
        least = DOUBT * float(chance[order[k - 1]])
        more, unmet = paired(found.needs, found.held, list(chosen), chance, least=least, floor=self.floor)
        if self.pair:
            for i in sorted(more, key=lambda i: (-chance[i], i))[: max(0, high - len(chosen))]:
                labels = ", ".join(repr(found.needs[row].label) for row in more[i])
                chosen[i] = Reason("paired", f"the best for {labels}, which no other meets", tuple(more[i]), True)
        if self.expand:
            self._expand(found.ranked, chance, NEAR / DOUBT * least, chosen)
        met = {i: _met(found.held, i) for i in chosen if i < len(chance)}
        told = {i: replace(why, needs=why.needs or met.get(i, ())) for i, why in chosen.items()}
        after = (*chance.tolist(), *([0.0] * (len(ranked) - len(chance))))
        return Picked(told, after, found.needs, tuple(unmet), self.rule or self.mode, len(chance))

    def _cut(self, falling: NDArray[np.float64]) -> int:
        low, high = self.limits
        if self.rule:
            return keep(falling, self.rule, low, high)
        k = expected(falling) if self.mode == "precision" else int((falling >= self.least).sum())
        return min(max(k, low), high, len(falling))

    def _expand(
        self, ranked: tuple[Hit, ...], chance: NDArray[np.float64], least: float, chosen: dict[int, Reason]
    ) -> None:
        """Add to the chosen, best first, the neighbours that belong to them and are likely enough."""
        before, after = beside(ranked)
        for i in sorted((i for i in chosen if i < len(ranked)), key=lambda i: (-chance[i], i)):
            for first, second in ((int(before[i]), i), (i, int(after[i]))):
                other = first if second == i else second
                if other < 0 or other in chosen or len(chosen) >= self.limits[1] or chance[other] < least:
                    continue
                if tie := cohesive(ranked[first], ranked[second]):
                    chosen[other] = Reason("beside", f"{tie} with a chosen passage", (), True)

    def _published(self, ranked: tuple[Hit, ...], needs: Sequence[Need]) -> Picked:
        """METEORA's choice, in the order of the documents."""
        texts = [need.text or need.label for need in needs]
        bodies = [indexed_text(hit.tree, hit.node) for hit in ranked]
        if self.embedder is None:
            rows = lexical([terms(text) for text in (*texts, *bodies)])
        else:
            asked = self.embedder.embed(texts, query=True)
            rows = np.vstack((asked, self.embedder.embed(bodies))).astype(np.float64)
        taken, pooled = meteora(rows[: len(texts)], rows[len(texts) :], *beside(ranked))
        order = sorted(taken, key=lambda i: (ranked[i].key, ranked[i].spans))
        chosen = {i: Reason(taken[i][0], f"{taken[i][0]}, as published", taken[i][1]) for i in order}
        return Picked(chosen, tuple(pooled.tolist()), needs, (), "published", ordered=True)


def _met(held: NDArray[np.float64], index: int) -> tuple[int, ...]:
    """Numbers of the rationales of which a passage holds nearly as much as the best one."""
    return tuple(np.flatnonzero((held[:, index] > 0) & (held[:, index] >= MET * held.max(axis=1))).tolist())
