"""Logits as probabilities: a logistic fit a scorer, stored, so that a threshold means the same whatever scored.

A cross-encoder's logit orders the passages of one question. Its size depends on how the model was trained and, as much,
on the question: on contracts whose title a question repeats every passage has a logit of about 7, on transcripts of
meetings the passage asked for has one of -8. What carries over is how far a passage rises above the other candidates,
so Platt's fit ("Probabilistic Outputs for Support Vector Machines", 1999) is made of logits less the mean of their
question's candidates: `1 / (1 + exp(-(slope * rise + intercept)))`, which keeps the order. The candidates are those of
a first search, the 20 best of BM25 and embeddings; the probability is of being evidence among such, and one candidate
alone says nothing. `python -m evals.training.calibrate` makes the fits.

On three sets the stored fit never saw (`python -m evals.reproduce calibration`) its expected calibration error is 0.04
to 0.06, that of a fit of logits as they are 0.09 to 0.29. Over all seven sets the mean is 0.09 and 0.16, and the gain
in Brier score +0.13 and -0.35 of that of the set's own mean (1 would be perfect): where evidence is more frequent than
in the fitted sets the probability is too low, and on contracts and meetings this scorer hardly tells evidence from the
rest.
"""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fit", "chance", "fit_of", "fitted", "probability", "stored"]

STEPS = 100
TINY = 1e-10  # a step that ends the search
RIDGE = 1e-6  # keeps the fit finite where one number parts the labels


class Fit(NamedTuple):
    """Probability = 1 / (1 + exp(-(slope * rise + intercept))), a rise being a logit less its question's mean.

    Args:
        slope: above 0, so that the order stays.
        intercept: any number.
    """

    slope: float
    intercept: float


@cache
def stored() -> dict[str, Fit]:
    """Name of a scorer -> its fit, from `rag/models/calibration.toml`."""
    table = tomllib.loads((files("rag") / "models" / "calibration.toml").read_text(encoding="utf-8"))
    return {row["scorer"]: Fit(float(row["slope"]), float(row["intercept"])) for row in table["fit"]}


def fit_of(scorer: str, by: str) -> Fit:
    """The stored fit of a scorer.

    Args:
        scorer: its name, such as `onnx/ms-marco-MiniLM-L12-v2`.
        by: who asks, such as `rerankers/cross-encoder`.

    Raises:
        ConfigError: there is none.
    """
    if scorer not in stored():
        raise ConfigError(
            f"{by}: fit: none is stored for {scorer!r}, only for {', '.join(sorted(stored()))}. Give `fit: [slope,"
            " intercept]`, as `python -m evals.training.calibrate` finds them, or keep logits."
        )
    return stored()[scorer]


def probability(logits: NDArray[Any], fit: Fit) -> NDArray[np.float64]:
    """The probabilities of one question's candidates.

    Args:
        logits: float (n,), of all candidates of one question.
        fit: of the scorer.

    Returns:
        float64 (n,), in [0, 1], in the order of the logits; the order of the candidates has no effect.
    """
    values = np.asarray(logits, dtype=np.float64)
    return chance(values - math.fsum(values.tolist()) / max(1, len(values)), fit)


def chance(rises: NDArray[np.float64], fit: Fit) -> NDArray[np.float64]:
    """float64 (n,), the probability at each rise above the mean of a question's candidates."""
    margin = np.clip(fit.slope * rises + fit.intercept, -500.0, 500.0)
    found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-margin))
    return found


def fitted(rises: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any]) -> Fit:
    """The fit of least weighted logarithmic loss, by Newton's method from (0, 0); it has one minimum.

    Args:
        rises: float (n,), logits less the mean of their question's candidates.
        labels: bool (n,), whether the passage is evidence.
        weights: float (n,), above 0.

    Raises:
        ValueError: the labels are all the same, or a greater rise does not go with evidence.
    """
    y = np.asarray(labels, dtype=np.float64)
    if not 0 < y.mean() < 1:
        raise ValueError("labels: must hold both evidence and other passages")
    rows = np.stack((np.asarray(rises, dtype=np.float64), np.ones(len(y))), axis=1)
    share = np.asarray(weights, dtype=np.float64) / float(np.sum(weights))

    def loss(at: NDArray[np.float64]) -> float:
        margin = rows @ at
        return float(share @ (np.logaddexp(0.0, margin) - y * margin)) + RIDGE / 2 * float(at @ at)

    at = np.zeros(2)
    for _ in range(STEPS):
        p = chance(rows[:, 0], Fit(float(at[0]), float(at[1])))
        down = rows.T @ (share * (p - y)) + RIDGE * at
        bend = (rows * (share * p * (1 - p))[:, None]).T @ rows + RIDGE * np.eye(2)
        step = np.linalg.solve(bend, down)
        while loss(at - step) > loss(at) and float(np.abs(step).max()) > TINY:
            step = step / 2
        at = at - step
        if float(np.abs(step).max()) <= TINY:
            break
    if at[0] <= 0:
        raise ValueError(f"slope: must be above 0, got {at[0]:.3g}; such scores do not tell evidence from the rest")
    return Fit(float(at[0]), float(at[1]))
