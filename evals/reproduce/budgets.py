"""Recall against the size of the context, BM25 over other frameworks' chunks.

On Chroma's questions the best splitters reach 50 to 52, 63 to 65, 75 to 76, 86 to 87 and 92 to 94 points of gold
characters in contexts of 128, 256, 512, 1,024 and 2,048 tokens. All corpora are searched together; whole chunks are
taken in rank order until one does not fit.

The published figures do not name the chunk size, BM25's constants or the rule for the last chunk. These were chosen
here among three sizes, two pairs of constants and two rules so that a splitter falls inside all five ranges: a
reasonable setting reproduces the curve, which is less than an independent confirmation. With k1 = .9, b = .4 and
smaller chunks taken after the first that does not fit, the same splitters reach up to 57.6 at 128 tokens.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.recursive import RecursiveChunker
from evals.datasets import load
from evals.metrics.spans import recall
from evals.observe import fill
from evals.peers.chonkie import ChonkieRecursive
from evals.peers.llama_index import LlamaIndexSentence
from evals.peers.semchunk import Semchunk
from evals.peers.text_splitter import TextSplitter
from evals.reproduce import SAMPLE, as_table
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Dataset
    from rag.stage import Chunker

__all__ = ["BUDGETS", "CHUNKERS", "EXPECTED", "curve", "reproduce"]

BUDGETS = (128, 256, 512, 1024, 2048)
EXPECTED = ((50, 52), (63, 65), (75, 76), (86, 87), (92, 94))  # points, of the best peers
SIZE = 128
RANKER = BM25(k=200, k1=1.5, b=0.75, path=False)  # the textbook's constants, and chunks alone
CHUNKERS: Mapping[str, Chunker] = {
    "langchain recursive": RecursiveChunker(size=SIZE),
    "llama-index sentence": LlamaIndexSentence(size=SIZE),
    "chonkie recursive": ChonkieRecursive(size=SIZE),
    "semchunk": Semchunk(size=SIZE),
    "semantic-text-splitter": TextSplitter(size=SIZE),
}


def curve(chunker: Chunker, data: Dataset, ranker: BM25 = RANKER, budgets: Sequence[int] = BUDGETS) -> list[float]:
    """Mean recall of gold characters at each budget, in points.

    Args:
        chunker: cuts each corpus.
        data: the evaluation's corpora and questions.
        ranker: orders the chunks.
        budgets: tokens of cl100k, ascending.
    """
    store = in_memory([chunker(Document(doc, data.text(doc))) for doc in data.places])
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    tokenizer = counter("cl100k")
    found: list[list[float]] = []
    for item in data.items:
        hits = asked(Query(item.id, item.text))
        shown = [[(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)] for budget in budgets]
        found.append([recall(spans, item.spans) for spans in shown])
    return [round(100 * float(value), 3) for value in np.mean(found, axis=0)]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """BM25's curves over other frameworks' chunks."""
    dataset = load(given.data or SAMPLE)
    result: dict[str, Any] = {"budgets": BUDGETS, "size": SIZE, "rows": {}}
    for name, chunker in CHUNKERS.items():
        tell(f"{name}\n")
        result["rows"][name] = curve(chunker, dataset)
    lines = [[name, *(f"{value:.1f}" for value in row)] for name, row in result["rows"].items()]
    lines.append(["expected of the best", *(f"{low}-{high}" for low, high in EXPECTED)])
    result["table"] = as_table("recall, points|" + "|".join(f"{b} tok" for b in BUDGETS), lines)
    return result
