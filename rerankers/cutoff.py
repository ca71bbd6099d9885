"""Keep as many hits as their scores say, instead of a fixed k."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers import curve

__all__ = ["Cutoff", "keep"]

NAME = "rerankers/cutoff"
Rule = Literal["gap", "chord", "drop", "ratio", "kneedle", "meteora"]


@stage
class Cutoff:
    """Cut the list where the scores fall: a k for each question.

    Two modes. `precision` cuts at the largest gap between neighbours behind the first `min_k`; `recall` at the point
    farthest below the chord of the curve, which keeps more. `rule` names any other (`rerankers/curve.py`): the first
    unusual fall, a share of the best score, Kneedle, or METEORA's published elbow, which is there for comparison: it
    keeps a single hit for 87 of 100 questions.

    What each keeps of the first 64, on the 400 multi-hop development questions of MuSiQue, 2Wiki and HotpotQA (mean k,
    recall, precision and F1 of the chosen passages, in points; `python -m evals.reproduce cutoff`):

                                  BM25 scores                  PageRank over title mentions
        gap, 2 to 20        5.1   66.0  43.3  46.9        3.6   80.2  71.4  72.0
        chord              11.7   76.0  18.7  27.8        7.8   88.9  35.6  47.8
        drop                3.8   60.0  51.3  51.2        2.4   74.3  77.5  74.2
        ratio               7.5   69.9  41.2  43.3        2.1   66.9  84.0  70.9
        kneedle             8.3   70.3  24.2  33.4        5.9   86.8  40.9  53.3
        meteora             1.2   41.9  84.0  54.7        1.2   46.3  90.3  59.8
        the first 2         2.0   54.0  60.2  56.1        2.0   72.7  79.6  75.1
        the first 10       10.0   73.0  16.3  26.4       10.0   88.7  20.3  32.7

    A cut is as good as the scores under it: on BM25's no rule beats the first two in F1, on better scores `gap` keeps
    8 points more recall than the first two for 3 points of F1, and `chord` the recall of ten with a quarter fewer.

    Args:
        hits: n >= 0, in any order. They are put in order of score, ties by document and place. A score that is no
            number or minus infinity ranks behind all others and is dropped first; plus infinity counts as the best
            finite score.

    Returns:
        The first k of them, unchanged, best first, min_k <= k <= max_k where there are as many. Where no score is a
        finite number the first `min_k` of the input order are kept, and the notes say so.
    """

    mode: Literal["precision", "recall"] = Field(
        default="precision", description="largest gap, or the chord's farthest"
    )
    rule: Rule | None = Field(default=None, description="another rule than the mode's")
    min_k: int = Field(default=2, ge=1, description="hits kept at least, where there are as many")
    max_k: int = Field(default=20, ge=1, description="hits kept at most")
    share: float = Field(default=0.5, gt=0, le=1, description="of the best score, for the rule `ratio`")

    def __post_init__(self) -> None:
        if self.max_k < self.min_k:
            raise ValueError(f"max_k must be >= min_k, got {self.max_k} < {self.min_k}")

    @property
    def used(self) -> str:
        """The rule in force."""
        return self.rule or ("gap" if self.mode == "precision" else "chord")

    def __call__(self, hits: Hits, /) -> Hits:
        """The hits before the cut."""
        if not hits.items:
            return hits
        ranked, scores = in_order(hits.items)
        k = keep(scores, self.used, self.min_k, self.max_k, self.share) if len(scores) else self.min_k
        k = min(k, len(ranked))
        fact = {"rule": self.used, "kept": k, "of": len(ranked)}
        if len(scores) < len(ranked):
            fact["not_a_number"] = len(ranked) - len(scores)
        drops = tuple(Drop(hit, NAME, self._reason(hit, i, k)) for i, hit in enumerate(ranked) if i >= k)
        return replace(hits, items=ranked[:k], drops=hits.drops + drops, notes={**hits.notes, NAME: fact})

    def _reason(self, hit: Hit, index: int, k: int) -> str:
        if not math.isfinite(hit.score):
            return f"its score is {hit.score}"
        return f"rank {index + 1}, behind the cut at {k} ({self.used}); score {hit.score:.4g}"


def in_order(items: tuple[Hit, ...]) -> tuple[tuple[Hit, ...], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Hits best first, and the finite scores of the first of them; the rest follow in the order they came."""
    sound = [hit for hit in items if hit.score == hit.score and hit.score > -math.inf]
    broken = tuple(hit for hit in items if not (hit.score == hit.score and hit.score > -math.inf))
    finite = [hit.score for hit in sound if hit.score < math.inf]
    if not finite:
        return (*sound, *broken), np.zeros(0)
    best = max(finite)
    sound.sort(key=lambda hit: (-round(min(hit.score, best), 9), hit.score < math.inf, hit.key, hit.spans))
    return (*sound, *broken), np.array([min(hit.score, best) for hit in sound])


def keep(
    scores: np.ndarray[tuple[int], np.dtype[np.float64]], rule: str, min_k: int, max_k: int, share: float = 0.5
) -> int:
    """How many of falling scores a rule keeps, within its limits.

    Args:
        scores: float64 (n,), falling, finite, n >= 1.
        rule: a name in `rerankers.curve.RULES`.
        min_k: at least so many, where there are as many.
        max_k: at most so many.
        share: for the rule `ratio`.
    """
    if rule == "gap":
        k = curve.gap(scores, min_k, max_k)
    elif rule == "drop":
        k = curve.drop(scores, min_k)
    elif rule == "ratio":
        k = curve.ratio(scores, share)
    else:
        k = curve.RULES[rule](scores)
    return min(max(k, min_k), max_k, len(scores))
