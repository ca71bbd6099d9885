"""What intent-driven chunking adds to structure alone: paired by question, equal budgets, equal representation.

Both chunkers cut the same documents with the same units, sizes and caps; BM25 with the same settings ranks their chunks
by text alone; whole chunks are taken in rank order until one does not fit. Intents are generated from the documents
by rule (headings, questions), never from the questions that are asked. Documents are drawn by seed, about 300,000
characters of each set, and every question whose gold lies in them is asked.

Nothing was tuned here: the settings are the defaults, which were fixed before.
"""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.intent import IntentChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.spans import coverage, recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.stats import paired
from rag.errors import DataError
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset, Item
    from rag.stage import Chunker

__all__ = ["BUDGETS", "CHUNKERS", "SETS", "drawn", "reproduce", "scores"]

SETS = ("squad_long", "squad_articles", "covid_qa", "contractnli", "tatqa")
BUDGETS = (256, 512, 1024)
CHARACTERS = 300_000
BASE = "structure"
CHUNKERS: Mapping[str, Callable[[], Chunker]] = {
    BASE: StructureChunker,
    "centred": IntentChunker,
    "centred, no cohesion": lambda: IntentChunker(cohesion=0.0),
    "cohesion alone": lambda: IntentChunker(relevance=0.0, integrity=0.0),
}


def drawn(data: Dataset, seed: int, characters: int = CHARACTERS) -> tuple[list[str], list[Item]]:
    """Documents with gold, in an order drawn by seed, as many as fit; and the questions they answer."""
    docs = sorted({span.doc for item in data.items for span in item.spans})
    random.Random(seed).shuffle(docs)
    taken: list[str] = []
    for doc in docs:
        if len(data.text(doc)) <= characters:
            taken.append(doc)
            characters -= len(data.text(doc))
    kept = set(taken)
    return sorted(taken), [i for i in data.items if i.spans and all(s.doc in kept for s in i.spans)]


def scores(chunker: Chunker, data: Dataset, docs: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    """Recall of each question at each budget, (n, budgets); whether its answers lie in one chunk each; chunks."""
    trees = [chunker(Document(doc, data.text(doc))) for doc in docs]
    store = in_memory(trees)
    ranker = BM25(k=200, path=False)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked, tokenizer = bound(ranker, store), counter("cl100k")
    cut = {tree.document.id: [(leaf.start, leaf.end) for leaf in tree.leaves()] for tree in trees}
    found = []
    for item in items:
        hits = asked(Query(item.id, item.text))
        shown = [[(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)] for budget in BUDGETS]
        found.append([recall(spans, item.spans) for spans in shown])
    whole = [coverage(item.spans, cut.__getitem__) for item in items]
    return {"recall": np.array(found), "whole": np.array(whole), "chunks": sum(map(len, cut.values()))}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Intent-driven chunks against the same without intents, on five sets."""
    if given.data is None:
        raise DataError(f"intent: give --data, the folder that holds {', '.join(SETS)}.")
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in CHUNKERS}
    result: dict[str, Any] = {"budgets": BUDGETS, "seed": given.seed, "sets": {}, "paired": {}}
    for name in SETS:
        data = load(Path(given.data) / name)
        docs, items = drawn(data, given.seed)
        items = items[: given.limit] if given.limit else items
        result["sets"][name] = {"documents": len(docs), "questions": len(items), "rows": {}}
        for label, build in CHUNKERS.items():
            tell(f"{name}: {label}\n")
            one = scores(build(), data, docs, items)
            made[label].append(one)
            means = (100 * one["recall"].mean(axis=0)).round(3).tolist()
            row = {"recall": means, "whole": round(100 * float(one["whole"].mean()), 3), "chunks": one["chunks"]}
            result["sets"][name]["rows"][label] = row
    base = _all(made[BASE], "recall")
    lines = []
    for label in list(CHUNKERS)[1:]:
        values = _all(made[label], "recall")
        rows = [paired(base[:, j], values[:, j], seed=given.seed) for j in range(len(BUDGETS))]
        rows.append(paired(_all(made[BASE], "whole"), _all(made[label], "whole"), seed=given.seed))
        result["paired"][label] = [
            {"delta": round(100 * p.delta, 3), "low": round(100 * p.low, 3), "high": round(100 * p.high, 3)}
            | {"p": round(p.p, 4), "n": p.n}
            for p in rows
        ]
        cells = [f"{100 * p.delta:+.2f} ({100 * p.low:+.2f} to {100 * p.high:+.2f})" for p in rows]
        lines.append([f"{label} ({rows[0].n} questions)", *cells])
    head = "less structure, points|" + "|".join(f"recall in {b}" for b in BUDGETS) + "|answer in one chunk"
    result["table"] = as_table(head, lines)
    return result


def _all(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.concatenate([row[key] for row in rows])
