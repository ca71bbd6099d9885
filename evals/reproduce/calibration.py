"""How far the stored probabilities of the cross-encoder hold on sets they were not fitted on.

Candidates are the 20 best of BM25 and bge-small over leaves cut by structure, 30 questions a set drawn by seed 0,
scored with their headings; a leaf that holds half of a gold passage, or lies half in one, is evidence. The stored fit
was made of four sets by `evals.training.calibrate`, of leaves packed less evenly (`even` .3); fitted again with today's
it differs by 2 %. For each other set: the share of evidence and the mean probability; the expected calibration error in
ten bins of equal size; and how much less the Brier score is than that of the set's own mean. For the fitted sets: the
same by a fit of the other three. Beside them the same by logits as they are, in place of logits less the mean of their
question's candidates. Intervals resample questions.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.reproduce import as_table
from evals.training.calibrate import Pairs, error, fit_sets, pairs
from rag.errors import DataError
from rag.models.calibration import Fit, chance, fit_of
from rerankers.cross_encoder import CrossEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FITTED", "OTHERS", "held", "reproduce"]

FITTED = ("squad_articles", "contractnli", "covid_qa", "docs_qa")
OTHERS = ("cuad_spans", "qmsum", "mtrag")
QUESTIONS, RESAMPLES = 30, 2000


def held(one: Pairs, fit: Fit, seed: int, *, raw: bool = False) -> dict[str, Any]:
    """How far a fit holds on a set; `[value, low, high]` for what has an interval.

    Args:
        one: the set.
        fit: of other sets.
        seed: of the resampling.
        raw: the fit is of logits as they are.
    """
    p = chance(one.logits if raw else one.rises, fit)
    rows = [np.flatnonzero(one.question == q) for q in np.unique(one.question)]
    rng = np.random.default_rng([seed, len(rows)])
    drawn = [np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]) for _ in range(RESAMPLES)]

    def spread(measure: Callable[[NDArray[np.float64], NDArray[np.bool_]], float]) -> list[float]:
        again = [measure(p[x], one.labels[x]) for x in drawn]
        low, high = np.percentile(again, [2.5, 97.5]).tolist()
        return [round(value, 4) for value in (measure(p, one.labels), low, high)]

    return {
        "n": len(rows),
        "pairs": len(p),
        "evidence": round(float(one.labels.mean()), 4),
        "mean probability": round(float(p.mean()), 4),
        "error": spread(error),
        "gain": spread(_gain),
    }


def _gain(p: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """1 less the Brier score as a share of that of the mean: 1 knows everything, 0 knows the mean alone."""
    share = float(labels.mean())
    return 1.0 - float(np.mean((p - labels) ** 2)) / (share * (1 - share)) if 0 < share < 1 else 0.0


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The stored fit on four other sets, and each fitted set by a fit of the other three."""
    if given.data is None:
        raise DataError(f"calibration: give --data, the folder that holds {', '.join(FITTED + OTHERS)}.")
    found: dict[str, Pairs] = {}
    for name in FITTED + OTHERS:
        tell(f"{name}\n")
        found[name] = pairs(Path(given.data) / name, given.limit or QUESTIONS)
    fit = fit_of(CrossEncoder().scorer.name, "calibration")
    rows: dict[str, dict[str, Any]] = {}
    for name in OTHERS + FITTED:
        others = [found[other] for other in FITTED if other != name]
        label = name if name in OTHERS else f"{name}, by the others"
        rows[label] = held(found[name], fit if name in OTHERS else fit_sets(others), given.seed)
        rows[label]["raw"] = held(found[name], fit_sets(others, raw=True), given.seed, raw=True)
    again = fit_sets([found[name] for name in FITTED])
    result: dict[str, Any] = {"seed": given.seed, "stored": list(fit), "fitted again": [round(x, 4) for x in again]}
    result["sets"] = rows
    for key in ("error", "gain"):
        result[f"mean {key}"] = [
            round(float(np.mean([row[key][0] for row in part])), 4)
            for part in (rows.values(), [row["raw"] for row in rows.values()])
        ]
    lines = [
        [
            *(name, str(row["n"]), f"{row['evidence']:.3f}", f"{row['mean probability']:.3f}"),
            *(_cell(one[key]) for one in (row, row["raw"]) for key in ("error", "gain")),
        ]
        for name, row in rows.items()
    ]
    head = "set|n|evidence|mean probability|calibration error|Brier gain|raw logits: error|raw logits: gain"
    result["table"] = as_table(head, lines)
    return result


def _cell(value: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*value)
