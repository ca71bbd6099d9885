"""Questions over a million nodes: both ways of tree search beside bm25s and a bare product, in turn, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.bench.nodes import WORDS
from evals.stats import intervals, percentiles
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import MemoryStore
from rag.store.parts import part_key
from rag.types import Query
from retrievers.bm25 import BM25
from retrievers.tree import TreeRetriever

if TYPE_CHECKING:
    from rag.store.corpus import Corpus

__all__ = ["ask"]


def ask(corpus: Corpus, questions: int = 40, seed: int = 0) -> dict[str, Any]:
    """Build the node index of a corpus and time questions.

    Trees that the corpus does not hold are made again when a question finds them, which counts as reading does.

    Args:
        corpus: of `evals.bench.nodes.library`.
        questions: how many, of eight words each.
        seed: of the words.

    Returns:
        For each way, milliseconds of processor time a question: median, 95th percentile, mean with its 95 % interval.
    """
    inner = BM25(path=False)
    store = MemoryStore(corpus)
    cases: dict[str, Any] = {
        "flat": inner,
        "collapsed": TreeRetriever(inner=inner),
        "beam": TreeRetriever(inner=inner, strategy="beam"),
    }
    for one in retrievers_of(cases["beam"]):
        one.build(corpus, store.part(part_key(one)))
    rng = np.random.default_rng([seed, 1])
    asked = [" ".join(f"w{int(n)}" for n in WORDS ** rng.random(8)) for _ in range(questions)]
    ready = {name: bound(one, store) for name, one in cases.items()}
    runs: dict[str, Callable[[str], Any]] = {name: _asking(one) for name, one in ready.items()}
    matrix = rng.random((1_000_000, 64), dtype=np.float32)
    runs["product"] = lambda _: matrix @ matrix[0]
    runs["bm25s"] = _peer(list(corpus.texts()))
    took: dict[str, list[float]] = {name: [] for name in runs}
    for name, run in runs.items():
        for text in [asked[0], *asked]:  # the first is asked twice and counts once
            began = time.process_time()
            run(text)
            took[name].append(1000 * (time.process_time() - began))
    nodes = int(store.part(part_key(cases["beam"])).load("first")[-1])
    told: dict[str, Any] = {"documents": len(corpus.doc_ids), "nodes": nodes, "questions": questions, "ms": {}}
    for name, times in took.items():
        mean = intervals(np.array(times[1:])[:, None], seed=seed)[0]
        middle, late = percentiles(times[1:], (50, 95))
        told["ms"][name] = {"median": round(middle, 2), "p95": round(late, 2),
                            "mean": [round(x, 2) for x in mean[:3]]}  # fmt: skip
    return told


def _peer(texts: list[str]) -> Callable[[str], Any]:
    import bm25s

    model = bm25s.BM25()
    model.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)

    def run(text: str) -> Any:
        return model.retrieve(bm25s.tokenize(text, show_progress=False), k=100, show_progress=False)

    return run


def _asking(retriever: Any) -> Callable[[str], Any]:
    return lambda text: retriever(Query("q", text))
