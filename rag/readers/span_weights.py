"""The learned weights of the span ranker, and when its answer is trusted.

Learned by `evals/training/spans.py` from questions of SQuAD v1.1 (Rajpurkar et al., EMNLP 2016; CC BY-SA 4.0),
MuSiQue (Trivedi et al., TACL 2022; CC BY 4.0) and TAT-QA (Zhu et al., ACL 2021; CC BY 4.0). They hold no
text of these sets, only numbers about shapes, distances and states.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BEST", "SCORE", "Reading", "Weights", "weights"]

SCORE, BEST = "SCORE", "BEST"  # names, among the features, of what a sentence's score and being the best weigh


class Reading(NamedTuple):
    """How inner states are read.

    Args:
        model: weights of the scorer whose states they are.
        layers: inner values, side by side.
        first: float64 (d,), weight of the state at the first word.
        last: float64 (d,), weight of the state at the last word.
    """

    model: str
    layers: tuple[str, ...]
    first: NDArray[np.float64]
    last: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """What features weigh.

    Args:
        listed: feature -> weight; a feature that is not listed weighs nothing.
        score: weight of one logit that a sentence is below the best.
        best: weight of being in the best sentence.
        sure: a span below this probability is not given alone.
        reading: of inner states, or None.
    """

    listed: Mapping[str, float]
    score: float
    best: float
    sure: float
    reading: Reading | None = None


@lru_cache(maxsize=2)
def weights(*, inner: bool) -> Weights:
    """The weights that go with inner states, or those without."""
    stored = json.loads(files("rag.readers").joinpath("span_weights.json").read_text(encoding="utf-8"))
    part = stored["inner" if inner else "plain"]
    listed = {name: value / 100 for name, value in part["features"].items()}  # stored in hundredths
    reading = None
    if inner:
        first, last = (np.asarray(part[edge], dtype=np.float64) / 10_000 for edge in ("first", "last"))
        reading = Reading(part["model"], tuple(part["layers"]), first, last)
    return Weights(listed, listed.pop(SCORE, 0.0), listed.pop(BEST, 0.0), part["sure"], reading)
