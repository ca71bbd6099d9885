"""What the embedded cross-encoder adds to a bubble on multi-hop questions, at budgets of 128 and 256 words.

The pools, units, budgets and shares of `evals.reproduce.support`, on questions 61 to 100 of each of its sets. The
cross-encoder reads each paragraph with its title, in the place of its BM25, and each sentence with its title, beside
its words; the bubble weighs them as the recipe `bubble` does, with weights chosen on the first 60 questions.
Differences are from the bubble without a model, paired by question.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressors.bubble import Bubble
from compressors.choosing import Weights, made
from evals.reproduce import as_table
from evals.reproduce.support import BUDGETS, SETS, Case, cases, cells_of, chosen, filled, scored
from rag.models.onnx import OnnxScorer

if TYPE_CHECKING:
    from rag.models.score import Scorer

__all__ = ["FIRST", "LAST", "compared", "modelled", "reproduce"]

FIRST, LAST = 60, 100  # questions before the first chose the weights
TERMS = 0.25  # as in the recipe


def modelled(case: Case, scorer: Scorer) -> Case:
    """The case with the paragraphs' scores from a model."""
    hits = case.pool.hits
    told = scorer.score(case.pool.question, [f"{hit.document.title}\n{hit.document.text}" for hit in hits])
    ranked = [replace(hit, score=float(one)) for hit, one in zip(hits, told, strict=True)]
    return case._replace(pool=replace(case.pool, hits=ranked))


def compared(known: Sequence[Case], scorer: Scorer, seed: int) -> dict[str, Any]:
    """Words and models, each budget."""
    stage = Bubble(scorer=scorer, terms=TERMS)
    read = [modelled(case, scorer) for case in known]
    own = [stage.own(case.pool) for case in read]
    result: dict[str, Any] = {"n": len(known)}
    for budget in BUDGETS:
        words = [scored(case, filled(case, chosen(case, budget, Weights()).order, budget)) for case in known]
        model = [
            scored(case, filled(case, made(case.pool, one, budget, stage.weights()).order, budget))
            for case, one in zip(read, own, strict=True)
        ]
        result[str(budget)] = {"words": cells_of(words, words, seed), "models": cells_of(model, words, seed)}
    return result


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both sets; `--data` is the folder of the sets."""
    scorer = OnnxScorer()
    result: dict[str, Any] = {"seed": given.seed, "scorer": scorer.fingerprint, "terms": TERMS, "sets": {}}
    lines = []
    for name in SETS:
        told = compared(cases(Path(given.data) / name, LAST)[FIRST:][: given.limit], scorer, given.seed)
        tell(f"{name}: {told['n']} questions\n")
        result["sets"][name] = told
        for budget in BUDGETS:
            for row, cells in told[str(budget)].items():
                shares = [f"{cells[m][0]:.1f}" for m in ("support", "all", "answer")]
                gap = "{:+.1f} ({:+.1f} to {:+.1f})".format(*cells["all_less_base"])
                lines.append([name, row, str(budget), *shares, gap])
    result["table"] = as_table("set|row|words|support|all|answer|all less words alone", lines)
    return result
