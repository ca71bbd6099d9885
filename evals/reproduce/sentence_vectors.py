"""What vectors of sentences and neighbours add to one vector a leaf, on a set that did not choose their weights.

`retrievers/sentences` against `retrievers/dense` with the same embedder (bge-small) over the same leaves of
`chunkers/structure`: share of gold characters in the first whole leaves that fit 256, 512 and 1,024 tokens, paired by
question. The weights were chosen on Chroma's questions with another embedder (`evals/reproduce/chroma_best.py`).
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
from evals.stats import paired
from rag.errors import DataError
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.dense import Dense
from retrievers.sentences import Sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Item
    from rag.doctree import DocTree
    from rag.models.embed import Embedder

__all__ = ["BUDGETS", "SETS", "reproduce", "shares"]

SETS = ("squad_long",)
BUDGETS = (256, 512, 1024)


def shares(retriever: Any, trees: Sequence[DocTree], items: Sequence[Item]) -> NDArray[np.float64]:
    """(n, budgets), share of gold characters of each question in the first whole leaves that fit."""
    store, tokenizer = in_memory(trees), counter("cl100k")
    retriever.build(store.corpus, store.part(part_key(retriever)))
    asked = bound(retriever, store)
    rows = []
    for item in items:
        hits = asked(Query(item.id, item.text))
        shown = [[(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)] for budget in BUDGETS]
        rows.append([recall(one, item.spans) for one in shown])
    return np.array(rows)


def reproduce(given: Namespace, tell: Callable[[str], object], embedder: Embedder | None = None) -> dict[str, Any]:
    """Both retrievers on each set."""
    if given.data is None:
        raise DataError(f"sentence-vectors: give --data, the folder that holds {', '.join(SETS)}.")
    model = embedder or OnnxEmbedder()
    result: dict[str, Any] = {"seed": given.seed, "embedder": model.fingerprint, "sets": {}}
    lines = []
    for name in SETS:
        tell(f"{name}\n")
        data = load(Path(given.data) / name)
        items = [item for item in data.items if item.spans][: given.limit]
        docs = sorted({span.doc for item in items for span in item.spans})
        trees = [StructureChunker()(Document(doc, data.text(doc))) for doc in docs]
        plain = shares(Dense(embedder=model), trees, items)
        mine = shares(Sentences(embedder=model), trees, items)
        told: dict[str, Any] = {"n": len(items), "leaves": sum(len(tree.leaf_ids) for tree in trees), "rows": {}}
        for j, budget in enumerate(BUDGETS):
            gap = paired(plain[:, j], mine[:, j], seed=given.seed)
            values = [float(plain[:, j].mean()), float(mine[:, j].mean()), gap.delta, gap.low, gap.high]
            told["rows"][str(budget)] = [round(100 * value, 2) for value in values]
            one, two, *change = told["rows"][str(budget)]
            cells = [f"{one:.1f}", f"{two:.1f}", "{:+.1f} ({:+.1f} to {:+.1f})".format(*change)]
            lines.append([f"{name}, {budget} tokens", f"{len(items)}", *cells])
        result["sets"][name] = told
    return {**result, "table": as_table("recall|n|one vector|with sentences|gain (95 %)", lines)}
