"""Fit the scorer's probabilities: python -m evals.training.calibrate OUT.toml TRAIN... -- TEST...

TRAIN and TEST are dataset folders with gold passages, whose licence lets numbers made of them be shipped. Documents
are cut by `chunkers/structure`, the 20 best of BM25 and bge-small are scored with their headings by the default
cross-encoder, and a leaf that holds half of a gold passage, or lies half in one, is evidence. Sets weigh the same.
TEST is only looked at: the expected calibration error in ten bins of equal size (Naeini et al., AAAI 2015), the Brier
score less that of the set's own mean, and the share of evidence above a probability of one half.

`--limit N` draws N questions of each set, by seed 0.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.datasets import load
from evals.reproduce.context import judged, trees_of
from rag.models.calibration import Fit, chance, fitted
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pairs", "error", "fit_sets", "pairs", "report"]

POOL, BINS = 20, 10


class Pairs(NamedTuple):
    """The judged candidates of some questions.

    Args:
        logits: float64 (n,).
        labels: bool (n,).
        question: int64 (n,), whose candidate each is.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.bool_]
    question: NDArray[np.int64]

    @property
    def rises(self) -> NDArray[np.float64]:
        """float64 (n,), each logit less the mean of its question's candidates."""
        mean = np.bincount(self.question, weights=self.logits) / np.maximum(1, np.bincount(self.question))
        rises: NDArray[np.float64] = self.logits - mean[self.question]
        return rises


def pairs(folder: Path, limit: int | None = None, scorer: Any = None) -> Pairs:
    """The candidates of a set with their logits.

    Args:
        folder: a dataset.
        limit: at most so many questions, drawn by seed 0.
        scorer: in place of the default cross-encoder.
    """
    data = load(folder)
    made, gold = trees_of(data)
    trees = {tree.document.id: tree for tree in made}
    store = in_memory(made)
    source = Hybrid(retrievers=(BM25(k=100), Dense(k=100)), k=POOL)
    for one in retrievers_of(source):
        one.build(store.corpus, store.part(part_key(one)))
    asked = bound(source, store)
    rank = CrossEncoder(k=POOL) if scorer is None else CrossEncoder(scorer=scorer, k=POOL)
    logits: list[float] = []
    labels: list[bool] = []
    question: list[int] = []
    items = [item for item in data.items if item.id in gold]
    if limit is not None and limit < len(items):
        items = random.Random(0).sample(items, limit)
    for number, item in enumerate(items):
        good = judged(trees, gold[item.id])
        hits = rank(asked(replace(item.query(), history=())))
        logits += [hit.score for hit in hits]
        labels += [f"{hit.doc}\0{hit.node}" in good for hit in hits]
        question += [number] * len(hits)
    return Pairs(np.array(logits), np.array(labels, dtype=bool), np.array(question, dtype=np.int64))


def fit_sets(sets: Sequence[Pairs], *, raw: bool = False) -> Fit:
    """One fit of all sets, each weighing the same.

    Args:
        sets: the judged candidates of each.
        raw: of the logits as they are, for comparison.
    """
    weights = np.concatenate([np.full(len(one.logits), 1.0 / len(one.logits)) for one in sets])
    rises = np.concatenate([one.logits if raw else one.rises for one in sets])
    return fitted(rises, np.concatenate([one.labels for one in sets]), weights)


def error(p: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error: mean distance of probability and share of evidence, over bins of equal size."""
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(x) * abs(p[x].mean() - labels[x].mean()) for x in parts) / len(p))


def report(one: Pairs, fit: Fit) -> dict[str, float]:
    """How far a fit holds on a set."""
    p = chance(one.rises, fit)
    share = float(one.labels.mean())
    sure = p >= 0.5
    return {
        "pairs": len(p),
        "evidence": round(share, 4),
        "mean probability": round(float(p.mean()), 4),
        "error": round(error(p, one.labels), 4),
        "brier": round(float(np.mean((p - one.labels) ** 2)), 4),
        "brier of the mean": round(share * (1 - share), 4),
        "above one half": int(sure.sum()),
        "evidence above one half": round(float(one.labels[sure].mean()), 4) if sure.any() else float("nan"),
    }


def main(arguments: list[str] | None = None) -> None:
    """Fit, write, and tell how far it holds."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    parser = ArgumentParser(prog="python -m evals.training.calibrate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--limit", type=int)
    known = parser.parse_args(given[:cut])
    sets = [pairs(folder, known.limit) for folder in known.train]
    fit = fit_sets(sets)
    names = ", ".join(folder.name for folder in known.train)
    known.out.write_text(
        "# Logistic fits of scorers, made by `python -m evals.training.calibrate`.\n\n"
        f'[[fit]]\nscorer = "{CrossEncoder().scorer.name}"\nslope = {fit.slope:.4f}\nintercept = {fit.intercept:.4f}\n'
        f'sets = "{names}"\npairs = {sum(len(one.logits) for one in sets)}\n',
        encoding="utf-8",
    )
    rows = [*zip(known.train, sets, strict=True), *((f, pairs(f, known.limit)) for f in map(Path, given[cut + 1 :]))]
    for folder, one in rows:
        told = "  ".join(f"{key} {value}" for key, value in report(one, fit).items())
        sys.stdout.write(f"{folder.name}: {told}\n")


if __name__ == "__main__":
    main()
