"""What the embedded cross-encoder adds to a bubble on multi-hop questions, at budgets of 128 and 256 words.

The pools, units, budgets and shares of `evals.reproduce.support`. The cross-encoder reads each paragraph with its
title, in the place of its BM25, and each sentence with its title, beside its words; the bubble weighs them as the
recipe `bubble` does, with weights chosen on the first 60 questions of each of `support.SETS`. None of these is asked
here: what is left of the two sets, up to 100 questions, and 100 of two larger ones that chose no weight of the models.
Where no support sentences are known, a gold paragraph counts as supported when a unit of it is kept. Differences are
from the bubble without a model, paired by question; `mean` weighs each set and budget the same, and
`sentences` is the mean of the sets whose support sentences are known.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compressors.bubble import Bubble
from compressors.choosing import Weights, made
from evals.datasets import load
from evals.reproduce import as_table
from evals.reproduce.support import BUDGETS, SETS, Case, cases, cells_of, chosen, filled, scored
from rag.models.onnx import OnnxScorer

if TYPE_CHECKING:
    from rag.models.score import Scorer

__all__ = ["PARTS", "QUESTIONS", "Part", "compared", "gained", "modelled", "reproduce"]

CHOSE = 60  # questions of each of `SETS` that chose the weights
QUESTIONS = 100  # a set, at most
TERMS = 0.25  # as in the recipe


class Part(NamedTuple):
    """Questions of a set.

    Args:
        spans: those with support sentences; False: those of which only the paragraphs are known.
        first: so many are passed over.
        without: the set whose questions are not asked again.
    """

    spans: bool = True
    first: int = 0
    without: str = ""


PARTS: Mapping[str, Part] = {
    SETS[0]: Part(first=CHOSE),
    SETS[1]: Part(first=CHOSE),
    "hotpotqa": Part(spans=False),
    "twowiki": Part(without=SETS[1]),
}


def modelled(case: Case, scorer: Scorer) -> Case:
    """The case with the paragraphs' scores from a model."""
    hits = case.pool.hits
    told = scorer.score(case.pool.question, [f"{hit.document.title}\n{hit.document.text}" for hit in hits])
    ranked = [replace(hit, score=float(one)) for hit, one in zip(hits, told, strict=True)]
    return case._replace(pool=replace(case.pool, hits=ranked))


def compared(known: Sequence[Case], scorer: Scorer, seed: int) -> tuple[dict[str, Any], list[list[float]]]:
    """Words and models at each budget, with what each question gains of all its support."""
    stage = Bubble(scorer=scorer, terms=TERMS)
    read = [modelled(case, scorer) for case in known]
    own = [stage.own(case.pool) for case in read]
    result: dict[str, Any] = {"n": len(known)}
    gains = []
    for budget in BUDGETS:
        words = [scored(case, filled(case, chosen(case, budget, Weights()).order, budget)) for case in known]
        model = [
            scored(case, filled(case, made(case.pool, one, budget, stage.weights(budget)).order, budget))
            for case, one in zip(read, own, strict=True)
        ]
        result[str(budget)] = {"words": cells_of(words, words, seed), "models": cells_of(model, words, seed)}
        gains.append([100 * (mine[1] - other[1]) for mine, other in zip(model, words, strict=True)])
    return result, gains


def gained(parts: Sequence[Sequence[Sequence[float]]], seed: int) -> list[float]:
    """Mean gain over sets and budgets with its 95 % interval, questions drawn again within their sets.

    Args:
        parts: for each set and budget the gain of each question.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    means = []
    for part in parts:
        gain = np.asarray(part, dtype=np.float64).mean(axis=0)  # of both budgets: a question is drawn with both
        drawn = rng.integers(0, len(gain), (10_000, len(gain)))
        means.append(np.append(gain.mean(), gain[drawn].mean(axis=1)))
    total = np.mean(means, axis=0)
    return [round(float(one), 2) for one in (total[0], *np.percentile(total[1:], (2.5, 97.5)))]


def asked(data: Path, name: str, limit: int | None) -> list[Case]:
    """The questions of a part."""
    part, most = PARTS[name], limit or QUESTIONS
    if not part.without:
        return cases(data / name, most, spans=part.spans, first=part.first)
    known = {item.text for item in load(data / part.without).items}
    return [case for case in cases(data / name, None) if case.item.text not in known][:most]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every part; `--data` is the folder of the sets."""
    scorer = OnnxScorer()
    result: dict[str, Any] = {"seed": given.seed, "scorer": scorer.fingerprint, "terms": TERMS, "sets": {}}
    lines, parts = [], []
    for name in PARTS:
        told, gains = compared(asked(Path(given.data), name, given.limit), scorer, given.seed)
        tell(f"{name}: {told['n']} questions\n")
        result["sets"][name] = told
        parts.append(gains)
        for budget in BUDGETS:
            for row, cells in told[str(budget)].items():
                shares = [f"{cells[m][0]:.1f}" for m in ("support", "all", "answer")]
                gap = "{:+.1f} ({:+.1f} to {:+.1f})".format(*cells["all_less_base"])
                lines.append([name, row, str(budget), *shares, gap])
    result["mean"] = gained(parts, given.seed)
    result["sentences"] = gained([one for name, one in zip(PARTS, parts, strict=True) if PARTS[name].spans], given.seed)
    lines += [
        [row, "models", "", "", "", "", "{:+.1f} ({:+.1f} to {:+.1f})".format(*result[row])]
        for row in ("mean", "sentences")
    ]
    result["table"] = as_table("set|row|words|support|all|answer|all less words alone", lines)
    return result
