"""How much of the gold text of Chroma's questions a bubble holds at a budget, beside whole chunks in rank order.

Share of gold characters in contexts of 128 to 2,048 tokens. Chunks are those of semantic-text-splitter at 64 and at 128
tokens, ranked by BM25 alone or by BM25 fused with bge-small and a cross-encoder over the best 60; they are taken while
their texts fit, and marks, headings and gaps cost them nothing. The bubbles are `compressors/bubble` behind the same
models (recipe `bubble`) or behind BM25 (`bubble-lexical`), and pay for all of these. Where a size of chunk is better at
a budget, the bubble is compared with that size there; differences are paired by question.

BM25 is measured on every question; the models on every fourth, the third of four, none of which chose a setting.
(Settings were chosen on the first of four, and on other sets.)

Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024,
https://research.trychroma.com/evaluating-chunking.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import load
from evals.metrics.spans import recall
from evals.observe import fill
from evals.peers.text_splitter import TextSplitter
from evals.reproduce import SAMPLE, as_table
from evals.stats import interval, paired
from rag import config
from rag.models.tokens import counter
from rag.pipeline import bound, kind_of, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset, Item
    from rag.types import Hits

__all__ = ["BUDGETS", "chunked", "measured", "packed", "reproduce"]

BUDGETS = (128, 256, 512, 1024, 2048)
SIZES = (64, 128)
DEPTH = 60  # chunks that the cross-encoder reads
STEP, PART = 4, 2  # of the questions that the models are asked


def searched(chunker: Any, retriever: Any, data: Dataset) -> Callable[[Item], Hits]:
    """Ask a retriever over the chunks of the set."""
    store = in_memory([chunker(Document(doc, data.text(doc))) for doc in data.places])
    for one in retrievers_of(retriever):
        one.build(store.corpus, store.part(part_key(one)))
    asked = bound(retriever, store)

    def ask(item: Item) -> Hits:
        found: Hits = asked(Query(item.id, item.text))
        return found

    return ask


def chunked(ask: Callable[[Item], Hits], rerank: Callable[[Hits], Hits] | None) -> Callable[[Item], list[float]]:
    """Share of the gold in the first chunks that fit each budget."""
    tokenizer = counter("cl100k")

    def shares(item: Item) -> list[float]:
        hits = ask(item) if rerank is None else rerank(ask(item))
        held = [[(hit.doc, *span) for hit in fill(hits, size, tokenizer) for span in hit.spans] for size in BUDGETS]
        return [recall(one, item.spans) for one in held]

    return shares


def packed(name: str, data: Dataset) -> Callable[[Item], list[float]]:
    """Share of the gold in what a recipe's compressor keeps at each budget."""
    pipeline = config.load(name)
    kinds = [kind_of(stage) for stage in pipeline.stages]
    first, *middle = pipeline.stages[: kinds.index("compressor")]
    compressor = pipeline.stages[kinds.index("compressor")]
    ask = searched(pipeline.chunker, first, data)

    def shares(item: Item) -> list[float]:
        hits = ask(item)
        for stage in middle:
            hits = stage(hits)
        made = [compressor(replace(hits, query=replace(hits.query, budget=size))) for size in BUDGETS]
        return [recall([tuple(span) for span in one.spans()], item.spans) for one in made]

    return shares


def measured(items: Sequence[Item], shares: Callable[[Item], list[float]]) -> NDArray[np.float64]:
    """float64 (n, budgets), in points."""
    return 100 * np.array([shares(item) for item in items])


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Chunks and bubbles, with and without models."""
    data = load(given.data or SAMPLE)
    chosen = list(data.items)[: given.limit]
    parts = {"words": chosen, "models": chosen[PART::STEP]}
    result: dict[str, Any] = {"seed": given.seed, "budgets": list(BUDGETS), "n": {k: len(v) for k, v in parts.items()}}
    lines = []
    for kind, items in parts.items():
        rows: dict[str, NDArray[np.float64]] = {}
        for size in SIZES:
            tell(f"{kind}: chunks of {size}\n")
            splitter = TextSplitter(size=size)
            if kind == "words":
                rows[f"chunks of {size}"] = measured(items, chunked(searched(splitter, BM25(k=200), data), None))
            else:
                both = Hybrid(retrievers=(BM25(k=100), Dense(k=100)), k=DEPTH)
                ranker = CrossEncoder(k=DEPTH)
                rows[f"chunks of {size}"] = measured(items, chunked(searched(splitter, both, data), ranker))
        recipe = "bubble-lexical" if kind == "words" else "bubble"
        tell(f"{kind}: {recipe}\n")
        rows[recipe] = measured(items, packed(recipe, data))
        result[kind], more = _told(kind, recipe, rows, given.seed)
        lines += more
    head = "with|row|" + "|".join(f"{size:,}" for size in BUDGETS)
    result["table"] = as_table(head, lines)
    return result


def _told(
    kind: str, recipe: str, rows: dict[str, NDArray[np.float64]], seed: int
) -> tuple[dict[str, Any], list[list[str]]]:
    told: dict[str, Any] = {"rows": {}}
    for name, points in rows.items():
        told["rows"][name] = [
            [round(value, 2) for value in interval(points[:, j], seed=seed)[:3]] for j in range(len(BUDGETS))
        ]
    gaps = []
    for j in range(len(BUDGETS)):
        best = max((f"chunks of {size}" for size in SIZES), key=lambda name: float(rows[name][:, j].mean()))
        gap = paired(rows[best][:, j], rows[recipe][:, j], seed=seed)
        gaps.append([round(value, 2) for value in (gap.delta, gap.low, gap.high)])
    told["less_best_chunks"] = gaps
    lines = [[kind, name, *(f"{cell[0]:.1f}" for cell in cells)] for name, cells in told["rows"].items()]
    lines.append(
        [kind, "bubble less the better chunks", *("{:+.1f} ({:+.1f} to {:+.1f})".format(*gap) for gap in gaps)]
    )
    return told, lines
