"""Answer from the cheapest search that is sure enough, and say which one it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rag.lexical import terms
from rag.stage import Field, Reranker, Retriever, stage
from rag.store.parts import bound_to
from rag.types import Hit, Hits, Query
from retrievers.hybrid import scaled

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Tiers", "covered"]

NAME = "retrievers/tiers"
LOOKED_AT = 10  # hits whose words are compared


def _lexical() -> Retriever:
    from retrievers.bm25 import BM25

    return BM25(k=40)


def _fused() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid(k=40)


def covered(question: str, hits: Sequence[Hit]) -> list[float]:
    """Share of the question's telling words (stems, each once) that each hit or the headings above it hold."""
    wanted = set(terms(question))
    if not wanted:
        return [0.0] * len(hits)
    return [len(wanted & set(terms("\n".join((h.document.title, *h.path, h.text))))) / len(wanted) for h in hits]


@stage
class Tiers:
    """Four searches from cheap to dear; the first that is sure enough answers.

    After ByteRover's query tiers (https://arxiv.org/abs/2604.01599; https://github.com/campfirein/byterover-cli, read
    2026-06), whose full-text tier answers alone from a score of 0.93, or 0.85 with a gap of 0.08 to the second. Its
    scores are s / (1 + s) of an engine's own; here a score is the share of the question's words that a hit holds, which
    means the same in every corpus.

    1. `lexical`: sure where the best hit holds `sure` of the words, or `likely` with a lead of `gap`.
    2. `fused`: sure where it agrees with the lexical first hit and leads its second by `lead` of its own range.
    3. `reranker`: sure where its best score reaches `enough` (a logit for the embedded cross-encoder).
    4. `last`: another reranker, such as one that asks a language model; its answer is taken as it is.

    A tier without a stage is passed over; where none is sure, the dearest that ran answers and `sure` is false in the
    notes, which a reader may take as a sign that the documents do not hold the answer.

    Args:
        query: any question.

    Returns:
        Hits of the tier that answered; `why` and the notes name it, the notes hold every tier's figure and threshold.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    lexical: Retriever = Field(default_factory=_lexical, description="tier 1: by words")
    fused: Retriever | None = Field(default_factory=_fused, description="tier 2: by words and vectors")
    reranker: Reranker | None = Field(default=None, description="tier 3: a cross-encoder, on the hits of tier 2")
    last: Reranker | None = Field(default=None, description="tier 4: such as a language model that ranks")
    sure: float = Field(default=0.93, gt=0, description="tier 1: share of the words; above 1 it never answers")
    likely: float = Field(default=0.85, gt=0, description="tier 1: share of the words where the lead is clear")
    gap: float = Field(default=0.08, ge=0, description="tier 1: that lead over the second hit")
    lead: float = Field(default=0.3, ge=0, description="tier 2: lead over the second, in shares of the list's range")
    enough: float = Field(default=0.0, description="tier 3: best score from which it answers")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: every nested retriever has a part."""

    def bind(self, store: Store, /) -> Tiers:
        """This stage with its retrievers reading from an opened store."""
        fused = None if self.fused is None else self.fused.bind(store)
        return bound_to(replace(self, lexical=self.lexical.bind(store), fused=fused), store)

    def __call__(self, query: Query, /) -> Hits:
        """Climb until a tier is sure."""
        told: dict[str, dict[str, float]] = {}
        hits = self.lexical(query)
        share = covered(query.text, hits.items[:LOOKED_AT])
        best, second = [*sorted(share, reverse=True), 0.0, 0.0][:2]
        first = share[0] if share else 0.0  # what stands first must be what holds the words
        told["lexical"] = {"share": round(first, 4), "gap": round(first - second, 4), "sure": self.sure}
        ahead = first == best and first - second >= self.gap
        if first >= self.sure or (first >= self.likely and ahead):
            return self._said(hits, "lexical", told, sure=True)
        tier = "lexical"
        top = hits.items[0].key if hits.items else None
        if self.fused is not None:
            hits, tier = self.fused(query), "fused"
            points = [*scaled(hits.items, "minmax").tolist(), 0.0, 0.0]
            leads = points[0] - points[1] if len(hits) > 1 else float(len(hits))
            agrees = bool(hits.items) and hits.items[0].key == top
            told["fused"] = {"lead": round(leads, 4), "agrees": float(agrees), "threshold": self.lead}
            if agrees and leads >= self.lead:
                return self._said(hits, "fused", told, sure=True)
        if self.reranker is not None:
            hits, tier = self.reranker(hits), "reranker"
            score = hits.items[0].score if hits.items else float("-inf")
            told["reranker"] = {"score": round(score, 4), "threshold": self.enough} if hits.items else {}
            if score >= self.enough:
                return self._said(hits, "reranker", told, sure=True)
        if self.last is not None:
            return self._said(self.last(hits), "last", told, sure=True)
        return self._said(hits, tier, told, sure=False)

    @staticmethod
    def _said(hits: Hits, tier: str, told: dict[str, dict[str, float]], *, sure: bool) -> Hits:
        items = tuple(replace(hit, why=f"tier {tier}" + (f": {hit.why}" if hit.why else "")) for hit in hits)
        return replace(hits, items=items, notes={**hits.notes, NAME: {"tier": tier, "sure": sure, "tiers": told}})
