"""Order hits by a model that reads question and passage together."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError, ModelError
from rag.models.calibration import Fit, fit_of, probability
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

    A passage longer than the scorer reads is cut at the last sentence end in the second half of that, if
    there is one, else where the reading ends; the note counts them.
    `window` lets it read the rest: the passage is cut at sentence ends into windows of that many characters, and its
    best window counts (MaxP: Dai and Callan, SIGIR 2019, https://arxiv.org/abs/1905.09217). Off by default: the
    chunkers' caps keep leaves within what the scorers read.

    A logit orders the passages of one question and means nothing else. With `scores: probability` it becomes the
    probability of being evidence, by a stored logistic fit of how far it rises above the mean of the question's
    candidates (`rag.models.calibration`), which keeps the order; `least` drops what is below a probability, with either
    kind of score, so that the threshold means the same for every scorer. Both want the candidates of a search, ten or
    more: a passage alone rises above nothing.

    Args:
        hits: n >= 0, in any order.

    Returns:
        At most k of the same hits, best first; `score` is the scorer's (a logit for the embedded one) or its
        probability. Ties are broken by document id and place, so the order of the input has no effect. The note
        counts the pairs, the passages `cut` and the characters of them left `unread`.

    Raises:
        ConfigError: a probability is asked for and there is no fit for the scorer.
        ModelError: the scorer gave another number of scores than it got passages, or not-a-numbers.
    """

    scorer: SkipValidation[Scorer] = Field(default_factory=OnnxScorer, description="scores (question, passage) pairs")
    k: int = Field(default=10, ge=1, description="hits kept")
    path: bool = Field(default=True, description="read title and headings with the passage")
    window: int | None = Field(default=None, ge=100, description="characters a window; None: one pair a hit")
    scores: Literal["logit", "probability"] = Field(default="logit", description="what `score` is")
    least: float = Field(default=0.0, ge=0, le=1, description="probability below which a hit is dropped")
    fit: tuple[float, float] | None = Field(default=None, description="slope and intercept in place of the stored fit")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        checked_scorer(self.scorer, f"{NAME}: scorer")
        if self.fit is not None and not (0 < self.fit[0] < math.inf and math.isfinite(self.fit[1])):
            raise ConfigError(f"{NAME}: fit: must be a slope above 0 and an intercept, got {list(self.fit)}.")

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
        texts, lost = self._read(hits.query.text, texts)
        scores = np.asarray(self.scorer.score(hits.query.text, texts), dtype=np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise ModelError(
                f"{NAME}: {self.scorer.name} must give {len(texts)} finite scores, got shape {scores.shape}"
                f" with {int((~np.isfinite(scores)).sum())} not finite. Check the model's files."
            )
        best = np.full(len(hits), -np.inf)
        np.maximum.at(best, owner, scores)
        likely = probability(best, self._fit) if self.scores == "probability" or self.least else best
        shown = likely if self.scores == "probability" else best
        order = sorted(
            range(len(hits)), key=lambda i: (-round(float(best[i]), 9), hits.items[i].key, hits.items[i].spans)
        )
        kept: list[Hit] = []
        drops: list[Drop] = []
        for rank, i in enumerate(order, 1):
            score = float(shown[i])
            hit = replace(hits.items[i], score=score, scores={**hits.items[i].scores, NAME: score})
            if self.least and likely[i] < self.least:
                drops.append(Drop(hit, NAME, f"probability {likely[i]:.3f} < least={self.least:g}"))
            elif len(kept) == self.k:
                drops.append(Drop(hit, NAME, f"rank {rank} > k={self.k}"))
            else:
                kept.append(hit)
        note = {"scorer": self.scorer.name, "pairs": len(texts), **lost}
        return replace(hits, items=tuple(kept), drops=(*hits.drops, *drops), notes={**hits.notes, NAME: note})

    @cached_property
    def _fit(self) -> Fit:
        return Fit(*self.fit) if self.fit is not None else fit_of(self.scorer.name, NAME)

    def _read(self, question: str, texts: list[str]) -> tuple[list[str], dict[str, int]]:
        """The texts as far as the scorer reads them, whole sentences where one ends in time; and what was lost."""
        told = getattr(self.scorer, "ends", None)
        if told is None:
            return texts, {}
        cut = unread = 0
        found = list(texts)
        for i, end in enumerate(told(question, texts).tolist()):
            if end < len(texts[i]):
                stop = max((b for _, b in sentence_spans(texts[i]) if end // 2 < b <= end), default=end)
                found[i] = texts[i][:stop]
                cut += 1
                unread += len(texts[i]) - stop
        return found, {"cut": cut, "unread": unread}

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
