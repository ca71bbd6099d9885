"""Chunks cut by a language model's perplexity or margins against structure at the same size.

Same leaves' sizes, same ranker (BM25 over the set's documents), same budgets; only the rewards of cuts differ. Share of
gold characters in the first 512 and 1,024 tokens, paired by question. Beside it how far the two forms of each method
agree on where to cut, and how fast the model reads.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.margin import MarginChunker
from chunkers.perplexity import PerplexityChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.cuts import boundary_f1
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.stats import paired
from rag.models.calls import Calls, using
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item
    from rag.doctree import DocTree
    from rag.stage import Chunker

__all__ = ["BUDGETS", "CHARACTERS", "CHUNKERS", "SETS", "Subset", "reproduce", "shares"]

SETS = ("squad_articles", "covid_qa", "contractnli", "docs_qa")
CHARACTERS = 100_000  # of each set: whole documents, spread over those that questions are about
BUDGETS = (512, 1024)
CHUNKERS: Mapping[str, Chunker] = {
    "structure": StructureChunker(),
    "perplexity": PerplexityChunker(),
    "perplexity, threshold": PerplexityChunker(mode="threshold"),
    "margin": MarginChunker(),
}


class Subset:
    """The documents of a set that fit a number of characters, and the questions about them.

    Args:
        data: the set.
        characters: of its documents together, at most; the first document is always taken.
        limit: questions at most.
    """

    def __init__(self, data: Dataset, characters: int, limit: int | None = None) -> None:
        asked = sorted({span.doc for item in data.items for span in item.spans})
        step = max(1, sum(len(data.text(doc)) for doc in asked) // characters)
        order = [doc for first in range(step) for doc in asked[first::step]]
        chosen: list[str] = []
        room = characters
        for doc in order:
            if len(data.text(doc)) <= room or not chosen:
                chosen.append(doc)
                room -= len(data.text(doc))
        self.documents = [Document(doc, data.text(doc)) for doc in sorted(chosen)]
        inside = set(chosen)
        known = [one for one in data.items if one.spans and {span.doc for span in one.spans} <= inside]
        self.items: list[Item] = known[:limit]


def shares(trees: Sequence[DocTree], items: Sequence[Item]) -> dict[str, list[float]]:
    """budget -> share of gold characters in the first whole chunks that fit, one value a question."""
    ranker, tokenizer = BM25(k=200), counter("cl100k")
    store = in_memory(trees)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    found: dict[str, list[float]] = {str(budget): [] for budget in BUDGETS}
    for item in items:
        hits = asked(Query(item.id, item.text, item.scope))
        for budget in BUDGETS:
            shown = [(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)]
            found[str(budget)].append(recall(shown, item.spans))
    return found


def agreement(one: Sequence[DocTree], other: Sequence[DocTree]) -> float:
    """Mean F1 of the cuts of two chunkers, document by document."""
    pairs = [({n.start for n in a.leaves()} - {0}, {n.start for n in b.leaves()} - {0}) for a, b in zip(one, other)]  # noqa: B905
    return float(np.mean([boundary_f1(a, b) for a, b in pairs])) if pairs else float("nan")


def study(subset: Subset, tell: Callable[[str], object], seed: int) -> dict[str, Any]:
    """One set: sizes, cost and recall of each chunker, against structure."""
    trees: dict[str, list[DocTree]] = {}
    told: dict[str, Any] = {
        "documents": len(subset.documents),
        "characters": sum(len(one.text) for one in subset.documents),
        "questions": len(subset.items),
        "rows": {},
    }
    scores: dict[str, dict[str, list[float]]] = {}
    for name, chunker in CHUNKERS.items():
        began = time.process_time()
        trees[name] = [chunker(document) for document in subset.documents]
        spent = time.process_time() - began
        counts = [leaf.tokens for tree in trees[name] for leaf in tree.leaves()]
        tell(f"  {name}: {len(counts)} chunks, {spent:.0f} s\n")
        scores[name] = shares(trees[name], subset.items)
        row: dict[str, Any] = {
            "chunks": len(counts),
            "mean": round(float(np.mean(counts)), 1),
            "deviation": round(float(np.std(counts)), 1),
            "longest": max(counts),
            "tokens": sum(counts),
            "cpu_seconds": round(spent, 1),
            "agrees_with_structure": round(agreement(trees[name], trees["structure"]), 3),
        }
        for budget, values in scores[name].items():
            change = paired(scores["structure"][budget], values, seed=seed)
            row[budget] = {
                "recall": round(100 * float(np.mean(values)), 2),
                "gain": round(100 * change.delta, 2),
                "low": round(100 * change.low, 2),
                "high": round(100 * change.high, 2),
            }
        told["rows"][name] = row
    told["forms_agree"] = round(agreement(trees["perplexity"], trees["perplexity, threshold"]), 3)
    told["scores"] = {name: {b: [round(v, 4) for v in values] for b, values in s.items()} for name, s in scores.items()}
    return told


def pooled(sets: Mapping[str, Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """The gain over structure over all sets, every set weighing the same, resampled within each."""
    rows: dict[str, Any] = {}
    for name in CHUNKERS:
        rows[name] = {}
        for budget in map(str, BUDGETS):
            moved = [
                np.asarray(one["scores"][name][budget]) - np.asarray(one["scores"]["structure"][budget])
                for one in sets.values()
            ]
            rng = np.random.default_rng(seed)
            means = np.mean([m[rng.integers(0, len(m), (10_000, len(m)))].mean(axis=1) for m in moved], axis=0)
            low, high = np.percentile(means, (2.5, 97.5))
            value = np.mean([m.mean() for m in moved])
            rows[name][budget] = {
                k: round(100 * float(v), 2) for k, v in (("gain", value), ("low", low), ("high", high))
            }
    return rows


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every set, then all together; `--vectors` names a file that keeps what the model said."""
    sets: dict[str, Any] = {}
    with using(Calls(cache=given.vectors)):
        for name in SETS:
            tell(f"{name}\n")
            sets[name] = study(Subset(load(Path(given.data) / name), CHARACTERS, given.limit), tell, given.seed)
    total = pooled(sets, given.seed)
    lines = []
    for name in CHUNKERS:
        rows = [one["rows"][name] for one in sets.values()]
        speed = sum(row["tokens"] for row in rows) / max(sum(row["cpu_seconds"] for row in rows), 0.1)
        cells = [f"{np.mean([row['mean'] for row in rows]):.0f}", f"{speed:,.0f}"]
        cells += [f"{np.mean([row['agrees_with_structure'] for row in rows]):.2f}"]
        for budget in map(str, BUDGETS):
            change = total[name][budget]
            mean = np.mean([row[budget]["recall"] for row in rows])
            cells += [f"{mean:.1f}", f"{change['gain']:+.1f} ({change['low']:.1f} to {change['high']:.1f})"]
        lines.append([name, *cells])
    for one in sets.values():
        del one["scores"]
    head = "chunker|mean tokens|tokens / CPU s|F1 with structure|R@512|gain (95 %)|R@1,024|gain (95 %)"
    return {"seed": given.seed, "sets": sets, "all": total, "table": as_table(head, lines)}
