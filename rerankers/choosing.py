"""What each passage is worth to a set, and where the list is cut."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag.lexical import terms
from rerankers.pairing import Passages
from rerankers.rationales import Need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float64]

__all__ = ["above", "chances", "expected", "features", "feedback", "lead", "unit"]

WEIGHTS: Mapping[str, float] = {  # of the features; fitted on five sets, see evals/reproduce/selection.py
    "base": -1.8,
    "lead": 4.7,
    "question": 1.6,
    "feedback": 2.4,
    "named": 2.0,
    "linked": 2.3,
}
DIGITS = 9
HUGE = 1e150  # a score above it is scaled down, so that differences stay finite


def unit(values: Row) -> Row:
    """Moved and stretched to [0, 1]; all 1 where they are equal."""
    if not len(values):
        return values
    if abs(float(values.max())) > HUGE or abs(float(values.min())) > HUGE:
        values = values / HUGE
    low, high = float(values.min()), float(values.max())
    return np.ones(len(values)) if high <= low else (values - low) / (high - low)


def feedback(question: str, passages: Passages, best: Sequence[int], size: int, words: int = 10) -> Need | None:
    """Words that stand out in the best passages and are not in the question, as one rationale; None without any.

    A word weighs `tf / (tf + 1.5)`, summed over the best passages, times its rarity among all of them; it must stand in
    a passage that is not its own only.

    Args:
        question: the question.
        passages: all.
        best: indices of the passages to read.
        size: only the first so many count, the others bear on nothing.
        words: at most so many.
    """
    asked = set(terms(question))
    candidates = {word for index in best for word in passages.bags[index]} - asked
    spread: Counter[str] = Counter()
    for bag in passages.bags[:size]:
        spread.update(candidates & bag.keys())
    weight: dict[str, float] = {}
    for index in best:
        for word, times in passages.bags[index].items():
            if spread[word] > 1:
                weight[word] = weight.get(word, 0.0) + times / (times + 1.5) * math.log1p(size / (spread[word] + 0.5))
    chosen = sorted(weight, key=lambda word: (-round(weight[word], DIGITS), word))[:words]
    return Need("feedback", " ".join(chosen), "feedback") if chosen else None


def features(needs: Sequence[Need], held: Row, own: Row, earlier: Row) -> Mapping[str, Row]:
    """What is known of each passage, free of the scale of any score.

    Args:
        needs: r rationales, the question first.
        held: float64 (r, n), what each passage holds of each, in [0, 1].
        own: float64 (n,), finite scores of the last stage.
        earlier: float64 (n,), finite scores of the stage before it.

    Returns:
        name -> float64 (n,): how far the mean of both scores, each on [0, 1], is ahead of the next best or behind the
        best; the question's words held; words of the best passages held; whether the question names the document (0
        where it names all of them); how good the passage is that names the document.
    """
    named = _of(needs, held, "named")
    return {
        "lead": lead((unit(own) + unit(earlier)) / 2),
        "question": held[0],
        "feedback": _of(needs, held, "feedback"),
        "named": named if named.min(initial=1.0) == 0 else np.zeros(len(own)),
        "linked": _of(needs, held, "linked"),
    }


def lead(values: Row) -> Row:
    """How far each is ahead of all others (not below 0), or behind the best (below 0); 1 for one alone."""
    if len(values) < 2:
        return np.ones(len(values))
    second, best = np.sort(values)[-2:]
    ahead: Row = np.where(values >= best, values - second, values - best)
    return ahead


def _of(needs: Sequence[Need], held: Row, source: str) -> Row:
    rows = [i for i, need in enumerate(needs) if need.source == source]
    found: Row = held[rows].max(axis=0, initial=0.0)
    return found


def chances(known: Mapping[str, Row], weights: Mapping[str, float] = WEIGHTS) -> Row:
    """The chance of each passage to be evidence: a logistic function of its features.

    Args:
        known: rows of `features`, or none.
        weights: of each feature, and `base`.

    Returns:
        float64 (n,), in (0, 1), rounded.
    """
    total = np.full(len(known["lead"]), weights["base"])
    for name, values in known.items():
        total = total + weights[name] * values
    chance: Row = np.round(1 / (1 + np.exp(-total)), DIGITS)
    return chance


def expected(chance: Row) -> int:
    """How many of falling chances to keep for the best expected F1, at least one.

    Of the first k the expected number of hits is the sum of their chances, of all the sum of all: F1 is about
    `2 sum_k / (k + sum)` (the ratio of expectations; Jansche, "A maximum expected utility framework for binary sequence
    labeling", ACL 2007, shows how near it is to the expectation).
    """
    reached = np.cumsum(chance)
    value = np.round(2 * reached / (np.arange(1, len(chance) + 1) + reached[-1]), DIGITS)
    return int(np.argmax(value)) + 1


def above(chance: Row, least: float) -> int:
    """How many of falling chances are at least so large."""
    return int((chance >= least).sum())
