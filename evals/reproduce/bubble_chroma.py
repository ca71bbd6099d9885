"""How much of the gold text of Chroma's questions a bubble holds at a budget, beside whole chunks, by words alone.

Share of gold characters in contexts of 128 to 2,048 tokens. Chunks are those of semantic-text-splitter at 64 and at
128 tokens in BM25's order, taken while their texts fit: marks, headings and gaps cost them nothing. The bubble is the
recipe `bubble-lexical` and pays for all of these. Where a size of chunk is better at a budget, the bubble is compared
with that size there; differences are paired by question. Settings of the bubble were chosen on a quarter of these
questions and on other sets. With models: `evals.reproduce.bubble_chroma_models`.

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
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset, Item
    from rag.types import Hits

__all__ = ["BUDGETS", "SIZES", "chunked", "compared", "measured", "packed", "reproduce", "searched"]

BUDGETS = (128, 256, 512, 1024, 2048)
SIZES = (64, 128)


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
    """Chunks and bubbles by words alone, on every question."""
    data = load(given.data or SAMPLE)
    items = list(data.items)[: given.limit]
    rows: dict[str, NDArray[np.float64]] = {}
    for size in SIZES:
        tell(f"chunks of {size}\n")
        rows[f"chunks of {size}"] = measured(items, chunked(searched(TextSplitter(size=size), BM25(k=200), data), None))
    tell("bubble-lexical\n")
    rows["bubble-lexical"] = measured(items, packed("bubble-lexical", data))
    told, lines = compared("bubble-lexical", rows, given.seed)
    table = as_table("row|" + "|".join(f"{size:,}" for size in BUDGETS), lines)
    return {"seed": given.seed, "n": len(items), "budgets": list(BUDGETS), **told, "table": table}


def compared(recipe: str, rows: dict[str, NDArray[np.float64]], seed: int) -> tuple[dict[str, Any], list[list[str]]]:
    """Means with intervals, and the recipe less the better size of chunks at each budget; and the lines of a table."""
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
    lines = [[name, *(f"{cell[0]:.1f}" for cell in cells)] for name, cells in told["rows"].items()]
    lines.append(["bubble less the better chunks", *("{:+.1f} ({:+.1f} to {:+.1f})".format(*gap) for gap in gaps)])
    return told, lines
