"""What late chunking adds: vectors of leaves pooled after their section or document was read, against leaves alone.

Leaves of `chunkers/structure` (`even` at 0.3), one index a set, share of gold characters in the first whole leaves that
fit in 512 or 1,024 tokens, paired by question. Two embedders: bge-small with 8 bits a weight, which was trained with
the state of its first mark and is here asked for the mean, and all-MiniLM-L6-v2, which was trained with the mean.
`plain` reads a leaf with its title and headings in front; `section` and `document` are `reads` of `retrievers/dense`.
Each alone and fused with BM25.

What came out (`evals/expected/late_chunks.json`): no gain anywhere on five sets. With MiniLM the difference is not told
from chance, with bge-small asked for means it is a loss of 14 points in 512 tokens; fusion with BM25 hides most of it.

Documents and questions are drawn as in the study `intent`, with fewer characters. Nothing was tuned here.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.reproduce.intent import drawn
from evals.stats import paired
from rag.errors import DataError
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import counter
from rag.models.torch import SentenceTransformersEmbedder
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Item
    from rag.stage import Retriever

__all__ = ["BUDGETS", "PAIRS", "SETS", "rows", "scores"]

SETS = ("squad_long", "covid_qa", "contractnli", "squad_articles", "tatqa")
BUDGETS = (512, 1024)
CHARACTERS = 100_000
PAIRS: Sequence[tuple[str, str]] = tuple(  # what, and against what
    (f"{one}{fused}", f"{base}{fused}")
    for fused in ("", ", with BM25")
    for one, base in (
        ("MiniLM, section", "MiniLM, plain"),
        ("MiniLM, document", "MiniLM, plain"),
        ("bge mean, section", "bge mean, plain"),
        ("bge mean, section", "bge first, plain"),
    )
)


def rows() -> dict[str, Retriever]:
    """Name -> retriever: each embedder and way to read, alone and fused."""
    mean, small = OnnxEmbedder(pooling="mean"), SentenceTransformersEmbedder()
    alone = {
        "MiniLM, plain": Dense(embedder=small, k=200),
        "MiniLM, section": Dense(embedder=small, k=200, reads="section"),
        "MiniLM, document": Dense(embedder=small, k=200, reads="document"),
        "bge first, plain": Dense(k=200),
        "bge mean, plain": Dense(embedder=mean, k=200),
        "bge mean, section": Dense(embedder=mean, k=200, reads="section"),
    }
    found: dict[str, Retriever] = {**alone}
    for name, dense in alone.items():
        found[f"{name}, with BM25"] = Hybrid(retrievers=(BM25(k=100), dense), k=100)
    return found


def scores(store: MemoryStore, retriever: Retriever, items: Sequence[Item]) -> NDArray[np.float64]:
    """(questions, budgets) share of gold characters."""
    for one in retrievers_of(retriever):
        key = part_key(one)
        if key not in store.parts:
            one.build(store.corpus, store.part(key))
    asked, tokenizer = bound(retriever, store), counter("cl100k")
    found = []
    for item in items:
        hits = asked(Query(item.id, item.text))
        shown = [[(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)] for budget in BUDGETS]
        found.append([recall(spans, item.spans) for spans in shown])
    return np.array(found)


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every set, then all questions together."""
    if given.data is None:
        raise DataError(f"late-chunks: give --data, the folder that holds {', '.join(SETS)}.")
    made: dict[str, list[NDArray[np.float64]]] = {name: [] for name in rows()}
    result: dict[str, Any] = {"seed": given.seed, "budgets": BUDGETS, "sets": {}, "pairs": {}}
    for name in SETS:
        data = load(Path(given.data) / name)
        docs, items = drawn(data, given.seed, CHARACTERS)
        items = items[: given.limit] if given.limit else items
        store = in_memory(
            [
                StructureChunker(even=0.3)(Document(d, data.text(d), str(data.record(d).get("title") or "")))
                for d in docs
            ]
        )
        told: dict[str, Any] = {"documents": len(docs), "leaves": len(store.corpus), "questions": len(items)}
        told["rows"] = {}
        for label, retriever in rows().items():
            tell(f"{name}: {label}\n")
            values = scores(store, retriever, items)
            made[label].append(values)
            told["rows"][label] = (100 * values.mean(axis=0)).round(2).tolist()
        told["gains"] = {
            label: _gains(made[base][-1], made[one][-1], given.seed)
            for label, (one, base) in zip(_labels(), PAIRS, strict=True)
        }
        result["sets"][name] = told
    whole = {label: np.concatenate(values) for label, values in made.items()}
    lines = []
    for label, (one, base) in zip(_labels(), PAIRS, strict=True):
        gains = _gains(whole[base], whole[one], given.seed)
        result["pairs"][label] = gains
        cells = [f"{g['base']:.1f} {g['delta']:+.2f} ({g['low']:+.2f} to {g['high']:+.2f})" for g in gains]
        lines.append([f"{label} ({gains[0]['n']} questions)", *cells])
    result["table"] = as_table("what less what|recall in 512|recall in 1,024", lines)
    return result


def _labels() -> list[str]:
    return [f"{one} less {base}" for one, base in PAIRS]


def _gains(base: NDArray[np.float64], other: NDArray[np.float64], seed: int) -> list[dict[str, Any]]:
    """For each budget the base's mean and the paired difference, in points."""
    found = []
    for j in range(len(BUDGETS)):
        one = paired(base[:, j], other[:, j], seed=seed)
        row = {key: round(100 * getattr(one, key), 2) for key in ("delta", "low", "high")}
        found.append({"base": round(100 * float(base[:, j].mean()), 2), **row, "n": one.n})
    return found
