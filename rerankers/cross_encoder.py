"""Order hits by a model that reads question and passage together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import SkipValidation

from rag.errors import ModelError
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer
from rag.readers.render import heading
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits

__all__ = ["CrossEncoder"]

NAME = "rerankers/cross-encoder"


@stage
class CrossEncoder:
    """Score every hit with a cross-encoder and keep the best k.

    Nogueira and Cho, "Passage Re-ranking with BERT", 2019, https://arxiv.org/abs/1901.04085. A departure:
    the headings above a passage are read with it, since a passage cut from a section often names its
    subject there only.

    A scorer cuts a passage that is longer than it reads. `window` lets it read the rest: the passage is cut
    at sentence ends into windows of that many characters, and its best window counts (MaxP: Dai and
    Callan, SIGIR 2019, https://arxiv.org/abs/1905.09217). Off by default: the chunkers' caps keep leaves
    within what the scorers read.

    Args:
        hits: n >= 0, in any order.

    Returns:
        min(n, k) of the same hits, best first; `score` is the scorer's (a logit for the embedded one). Ties are
        broken by document id and place, so the order of the input has no effect.

    Raises:
        ModelError: the scorer gave another number of scores than it got passages, or not-a-numbers.
    """

    scorer: SkipValidation[Scorer] = Field(default_factory=OnnxScorer, description="scores (question, passage) pairs")
    k: int = Field(default=10, ge=1, description="hits kept")
    path: bool = Field(default=True, description="read title and headings with the passage")
    window: int | None = Field(default=None, ge=100, description="characters a window; None: one pair a hit")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Hits:
        """Score, order and cut."""
        if not hits.items or not hits.query.text.strip():
            return hits
        texts: list[str] = []
        owner: list[int] = []
        for i, hit in enumerate(hits.items):
            passages = self.passages(hit)
            texts += passages
            owner += [i] * len(passages)
        scores = np.asarray(self.scorer.score(hits.query.text, texts), dtype=np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise ModelError(
                f"{NAME}: {self.scorer.name} must give {len(texts)} finite scores, got shape {scores.shape}"
                f" with {int((~np.isfinite(scores)).sum())} not finite. Check the model's files."
            )
        best = np.full(len(hits), -np.inf)
        np.maximum.at(best, owner, scores)
        ranked = [
            replace(hit, score=score, scores={**hit.scores, NAME: score})
            for hit, score in zip(hits.items, best.tolist(), strict=True)
        ]
        ranked.sort(key=lambda hit: (-round(hit.score, 9), hit.key, hit.spans))
        drops = tuple(Drop(hit, NAME, f"rank {r} > k={self.k}") for r, hit in enumerate(ranked, 1) if r > self.k)
        return replace(
            hits,
            items=tuple(ranked[: self.k]),
            drops=hits.drops + drops,
            notes={**hits.notes, NAME: {"scorer": self.scorer.name, "pairs": len(texts)}},
        )

    def passages(self, hit: Hit) -> list[str]:
        """What the scorer reads of a hit: one text, or one a window."""
        head = heading(hit) if self.path else ""
        bodies = [hit.text] if self.window is None else _windows(hit.text, self.window)
        return [f"{head}\n{body}" if head else body for body in bodies]


def _windows(text: str, size: int) -> list[str]:
    """Whole sentences packed into windows; only a longer sentence makes a longer window."""
    found: list[str] = []
    begin = end = 0
    for _, stop in sentence_spans(text):
        if stop - begin > size and end > begin:
            found.append(text[begin:end])
            begin = end
        end = stop
    return [*found, text[begin:]]
