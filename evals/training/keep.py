"""Learn the mask of `rag.models.keep`: python -m evals.training.keep OUT.toml SET...

SET are dataset folders with gold spans whose licence lets weights be shipped. Of each set 150 questions are drawn by a
fixed seed; of each question up to three passages that hold its evidence and three others, the best by BM25 over the
questions' documents (and, where any document may answer, others up to 1.5 million characters). The states of a
passage's tokens, read with the question, are averaged over each sentence; a sentence is to be kept if half of it, or
half of a gold span, is gold. Logistic regression, both classes weighing the same in each set, quadratic penalty,
L-BFGS from zero. A mean of states read linearly is the mean of the readings, so what is learned for sentences is a
reading of tokens.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.datasets import load
from evals.pools import Case, pooled
from rag.models.onnx import OnnxScorer
from rag.models.states import states
from rag.readers.render import heading
from rag.units import units
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset

__all__ = ["Examples", "examples", "learned", "stored"]

LAYERS = tuple(f"/bert/encoder/layer.{n}/output/LayerNorm/Add_1_output_0" for n in (6, 8))
QUESTIONS, PASSAGES, SEARCHED, ROOM = 150, 3, 12, 1_500_000
PENALTY = 3000.0  # by contractnli left out of training
SCALE = 100_000


class Examples(NamedTuple):
    """Sentences of one set.

    Args:
        states: float32 (n, d), the mean state of each one's tokens.
        right: float64 (n,), 1 where it is to be kept.
    """

    states: NDArray[np.float32]
    right: NDArray[np.float64]


def cases(data: Dataset) -> list[Case]:
    """Questions of a set with candidates by BM25."""
    items = [item for item in data.items if item.spans]
    random.Random(7).shuffle(items)
    items = items[:QUESTIONS]
    docs = {span.doc for item in items for span in item.spans} | {doc for item in items for doc in item.scope or ()}
    rest = [doc for doc in data.sizes if doc not in docs]
    random.Random(1).shuffle(rest)
    size = sum(data.sizes[doc] for doc in docs)
    for doc in rest if any(item.scope is None for item in items) else ():
        if size > ROOM:
            break
        docs.add(doc)
        size += data.sizes[doc]
    return pooled(data, sorted(docs), items, search=BM25(k=SEARCHED))


def examples(given: Sequence[Case], scorer: OnnxScorer) -> Examples:
    """The sentences of the passages of each question."""
    rows: list[NDArray[np.float32]] = []
    right: list[float] = []
    for case in given:
        good = [hit for hit in case.hits if hit.key in case.gold][:PASSAGES]
        used = good + [hit for hit in case.hits if hit.key not in case.gold][:PASSAGES]
        if not good:
            continue
        heads = [f"{heading(hit)}\n" if heading(hit) else "" for hit in used]
        shown = [head + hit.document.text[hit.start : hit.end] for head, hit in zip(heads, used, strict=True)]
        inner = states(scorer.model, LAYERS, case.item.text, shown, scorer.threads)
        for unit in units(used):
            hit, state = used[unit.hit], inner[unit.hit]
            shift = len(heads[unit.hit]) - hit.start
            mine = (state.starts >= unit.start + shift) & (state.ends <= unit.end + shift)
            if mine.any():
                rows.append(state.values[mine].mean(axis=0))
                right.append(float(_kept(case, hit.doc, unit.start, unit.end)))
    return Examples(np.array(rows, dtype=np.float32), np.array(right))


def _kept(case: Case, doc: str, start: int, end: int) -> bool:
    """Whether half of a range, or half of some gold span, is gold."""
    return any(
        2 * (min(end, span.end) - max(start, span.start)) >= min(end - start, span.end - span.start)
        for span in case.item.spans
        if span.doc == doc
    )


def learned(given: Sequence[Examples]) -> tuple[NDArray[np.float64], float]:
    """Weight of each inner value, float64 (d,), and the bias, at which the mean log-odds of both classes is 0."""
    from scipy.optimize import minimize
    from scipy.special import expit

    values = np.concatenate([one.states for one in given]).astype(np.float64)
    right = np.concatenate([one.right for one in given])
    parts = []
    for one in given:
        share = np.where(one.right > 0, one.right.sum(), len(one.right) - one.right.sum())
        parts.append(len(right) / len(given) / 2 / share)
    weight = np.concatenate(parts)
    middle, spread = values.mean(axis=0), values.std(axis=0) + 1e-3
    values = (values - middle) / spread

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = values @ at[:-1] + at[-1]
        total = (weight * (np.logaddexp(0, odds) - right * odds)).sum() + 0.5 * PENALTY * at[:-1] @ at[:-1]
        off = weight * (expit(odds) - right)
        return float(total), np.append(values.T @ off + PENALTY * at[:-1], off.sum())

    start = np.zeros(values.shape[1] + 1)
    found = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x)
    plain = found[:-1] / spread
    return plain, float(found[-1] - plain @ middle)


def stored(weight: NDArray[np.float64], bias: float, model: str) -> str:
    """The file that `rag.models.keep` reads."""
    whole = np.rint(weight * SCALE).astype(int).tolist()
    lines = [", ".join(map(str, whole[at : at + 16])) for at in range(0, len(whole), 16)]
    layers = ", ".join(f'"{layer}"' for layer in LAYERS)
    body = ",\n".join(f"  {line}" for line in lines)
    return f'model = "{model}"\nlayers = [{layers}]\nbias = {bias:.6f}\nweight = [\n{body},\n]\n'


def main(given: Sequence[str]) -> None:
    """See the module."""
    scorer = OnnxScorer()
    found: list[Any] = [examples(cases(load(folder)), scorer) for folder in given[1:]]
    Path(given[0]).write_text(stored(*learned(found), scorer.model), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
