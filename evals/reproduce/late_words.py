"""Late interaction on the states that the embedded ColBERT file holds: behind BM25, and with what ColBERT puts in.

The 12 best leaves of BM25 for questions of the bundled sample are ordered again by `rerankers/late`: as it is; with the
question filled up with [MASK] to 32 pieces, as ColBERT does; and with bge-small's states in place of its own.
nDCG@10 of leaves that hold half of a gold passage or lie half in one, paired by question with BM25's own order.
"""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import load
from evals.metrics.ranking import ndcg
from evals.reproduce import SAMPLE, as_table
from evals.reproduce.context import Asked, judged
from evals.stats import paired
from rag.models.onnx import OnnxEmbedder
from rag.types import Hits
from rerankers.late import Late
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from rag.models.late import TokenEmbedder, TokenVectors

__all__ = ["Held", "drawn", "reproduce"]

POOL, QUESTIONS, FILLED = 12, 20, 32


class Held:
    """An embedder that remembers the states of each text."""

    def __init__(self, inner: TokenEmbedder) -> None:
        self.inner = inner
        self.known: dict[str, list[TokenVectors]] = {}

    def token_vectors(
        self, texts: Sequence[str], *, before: Sequence[str] | None = None
    ) -> Iterator[tuple[int, TokenVectors]]:
        """The states of each text, read once."""
        if before is not None:
            yield from self.inner.token_vectors(texts, before=before)
            return
        for index, text in enumerate(texts):
            if text not in self.known:
                self.known[text] = [part for _, part in self.inner.token_vectors([text])]
            yield from ((index, part) for part in self.known[text])


def drawn(seed: int, count: int) -> list[tuple[Hits, dict[str, int]]]:
    """What BM25 gives for some questions, and the leaves that are relevant to each."""
    asked = Asked(load(SAMPLE), BM25(k=POOL))
    items = random.Random(seed).sample(asked.items, count)
    return [(asked.source(item.query()), judged(asked.trees, asked.gold[item.id])) for item in items]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Three ways of late interaction against the order they were given."""
    models = {
        "colbert": Held(OnnxEmbedder(model="answerai-colbert-small-v1", pooling="mean")),
        "bge-small": Held(OnnxEmbedder(pooling="mean")),
    }
    ways = {
        "late": ("colbert", False),
        "late, question filled": ("colbert", True),
        "late, bge-small": ("bge-small", False),
    }
    values: dict[str, list[float]] = {name: [] for name in ("bm25", *ways)}
    for number, (hits, grades) in enumerate(drawn(given.seed, given.limit or QUESTIONS), 1):
        tell(f"question {number}\n")
        values["bm25"].append(ndcg([f"{hit.doc}\0{hit.node}" for hit in hits], grades, 10))
        for name, (model, fill) in ways.items():
            query = hits.query
            if fill:
                held = models[model].token_vectors([query.text])
                more = FILLED - 2 - sum(len(part.at) for _, part in held)  # [CLS] and [SEP] count as well
                query = replace(query, text=query.text + " [MASK]" * max(0, more))
            found = Late(embedder=models[model], k=POOL)(replace(hits, query=query))
            values[name].append(ndcg([f"{hit.doc}\0{hit.node}" for hit in found], grades, 10))
    base = np.array(values["bm25"])
    result: dict[str, Any] = {"seed": given.seed, "n": len(base), "pool": POOL, "ways": {}}
    lines = [["bm25", f"{100 * base.mean():.1f}", ""]]
    for name in ways:
        row = paired(base, np.array(values[name]), seed=given.seed)
        cells = {key: round(100 * getattr(row, key), 2) for key in ("delta", "low", "high")}
        result["ways"][name] = {"mean": round(100 * float(np.mean(values[name])), 2), **cells, "p": round(row.p, 4)}
        lines.append(
            [name, f"{100 * np.mean(values[name]):.1f}", "{delta:+.1f} ({low:+.1f} to {high:+.1f})".format(**cells)]
        )
    result["bm25"] = round(100 * float(base.mean()), 2)
    result["table"] = as_table(f"order of {POOL} leaves, {len(base)} questions|nDCG@10|less bm25", lines)
    return result
