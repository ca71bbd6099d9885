"""Our chunkers on Chroma's questions, with all-MiniLM-L6-v2, beside the splitters of its table.

The metrics are those of the report (`evals.reproduce.chroma`), five chunks a question, plus recall of whole chunks
taken in rank order while they fit in 1,024 tokens, where sizes do not matter. White space at the ends of a chunk is
left out for every splitter. The differences are paired by question, against langchain's recursive splitter of 200.

Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024,
https://research.trychroma.com/evaluating-chunking. These questions chose our sizes among a few, so the rows say
what can be reached, not what to expect elsewhere.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.recursive import RecursiveChunker
from chunkers.semantic import SemanticChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.spans import iou, omega, precision, recall
from evals.peers.langchain import LangchainToken
from evals.reproduce import SAMPLE, as_table
from evals.reproduce.chroma import SEPARATORS, K, Vectors
from evals.stats import interval, paired
from rag.models.tokens import counter
from rag.models.torch import SentenceTransformersEmbedder
from rag.store.top import top
from rag.types import Document

if TYPE_CHECKING:
    from evals.datasets import Dataset
    from rag.models.embed import Embedder
    from rag.stage import Chunker

__all__ = ["BASE", "BUDGET", "ROWS", "cuts", "measure", "reproduce"]

BUDGET = 1024
BASE = "langchain recursive 200"
ROWS: Mapping[str, Callable[[Embedder], Chunker]] = {
    BASE: lambda _: RecursiveChunker(size=200, separators=SEPARATORS),
    "langchain token 250/125": lambda _: LangchainToken(size=250, overlap=125),
    "structure 100": lambda _: StructureChunker(size=100, max_size=160, min_size=30),
    "structure 160": lambda _: StructureChunker(size=160, max_size=240, min_size=40),
    "structure 220": lambda _: StructureChunker(size=220, max_size=280, min_size=50),
    "cluster 120": lambda e: SemanticChunker(embedder=e, size=120, max_size=200, min_size=30, rule=0.5),
}


def cuts(chunker: Chunker, data: Dataset) -> list[tuple[str, int, int]]:
    """(document, start, end) of every chunk without the white space at its ends."""
    found = []
    for doc in data.places:
        for leaf in chunker(Document(doc, data.text(doc))).leaves():
            body = leaf.text
            start = leaf.start + len(body) - len(body.lstrip())
            if body.strip():
                found.append((doc, start, start + len(body.strip())))
    return found


def measure(places: list[tuple[str, int, int]], data: Dataset, vectors: Vectors | None) -> dict[str, Any]:
    """Scores of each question, in points, and sizes; retrieval only where there are vectors."""
    texts = [data.text(doc)[start:end] for doc, start, end in places]
    sizes = counter("cl100k").counts(texts)
    by: dict[str, list[tuple[int, int]]] = {doc: [] for doc in data.places}
    for doc, start, end in places:
        by[doc].append((start, end))
    scores: dict[str, list[float]] = {
        "omega": [100 * omega(item.spans, by.__getitem__, compat=True) for item in data.items],
        "omega_half_open": [100 * omega(item.spans, by.__getitem__) for item in data.items],
    }
    if vectors is not None:
        rows, asked = vectors(texts), vectors([item.text for item in data.items], query=True)
        for item, one in zip(data.items, asked, strict=True):
            order = top(rows @ one, 200)[0].tolist()
            best = [places[i] for i in order[:K]]
            fits = np.searchsorted(np.cumsum([sizes[i] for i in order]), BUDGET, side="right")
            found = {
                "recall": recall(best, item.spans),
                "precision": precision(best, item.spans),
                "iou": iou(best, item.spans),
                "recall_1024": recall([places[i] for i in order[:fits]], item.spans),
            }
            for name, value in found.items():
                scores.setdefault(name, []).append(100 * value)
    return {"scores": scores, "chunks": len(places), "tokens": float(np.mean(sizes)), "longest": max(sizes)}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """What our chunkers reach on Chroma's questions."""
    data = load(given.data or SAMPLE)
    embedder = SentenceTransformersEmbedder()
    known = Vectors(embedder, given.vectors, lambda done, total, label: tell(f"\r{label} {done}/{total} "))
    made = {name: measure(cuts(build(embedder), data), data, known) for name, build in ROWS.items()}
    result: dict[str, Any] = {"embedder": embedder.fingerprint, "k": K, "seed": given.seed, "rows": {}}
    lines = []
    for name, one in made.items():
        row: dict[str, Any] = {"chunks": one["chunks"], "tokens": round(one["tokens"], 2), "longest": one["longest"]}
        for metric, values in one["scores"].items():
            around = interval(values, seed=given.seed)
            row[metric] = [round(value, 3) for value in around[:3]]
        for metric in ("recall", "recall_1024"):
            gap = paired(made[BASE]["scores"][metric], one["scores"][metric], seed=given.seed)
            row[f"{metric}_less_base"] = [round(gap.delta, 3), round(gap.low, 3), round(gap.high, 3), round(gap.p, 4)]
        row["n"] = len(data.items)
        result["rows"][name] = row
        gap3 = row["recall_1024_less_base"]
        lines.append(
            [
                *(name, f"{row['chunks']:,}", f"{row['tokens']:.0f}"),
                *(f"{row[m][0]:.1f}" for m in ("omega", "recall", "iou", "recall_1024")),
                f"{gap3[0]:+.1f} ({gap3[1]:+.1f} to {gap3[2]:+.1f})",
            ]
        )
    result["table"] = as_table("chunks|n|mean|omega|recall@5|IoU@5|recall in 1,024|less recursive", lines)
    return result
