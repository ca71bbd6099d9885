"""Chunks cut by a language model's perplexity or margins against structure at the same size.

Same leaves' sizes, same ranker (BM25 over the set's documents), same budgets; only the rewards of cuts differ. Share of
gold characters in the first 512 and 1,024 tokens, paired by question. Documents are whole, those with most questions
a character first, until a set has `CHARACTERS`. Nothing was tuned here: the settings are the defaults, but for even
sizes, which counted 0.3 in all rows when these figures were pinned and count 1 since.

Beside it where cuts fall: how far the hard-threshold form of the paper, the rewards and structure agree (F1 of their
cuts, documents resampled), and the share of cuts that lie behind a local minimum of perplexity. And how fast the
chunker reads from end to end, nothing kept, next to llama.cpp's reading of the same text with 4-bit weights.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.margin import MarginChunker
from chunkers.perplexity import PerplexityChunker, minima, surprisal
from chunkers.rewarded import Sizes
from chunkers.scaffold import Scaffold
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.cuts import boundary_f1
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.errors import DataError
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

__all__ = ["BUDGETS", "CHARACTERS", "CHUNKERS", "SETS", "Subset", "reproduce", "shares", "speed"]

SETS = ("squad_long", "covid_qa")
CHARACTERS = 60_000  # of each set
READ, REPEATS = 3_000, 2  # characters of each set that speed is measured on, and how often
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
        asked: dict[str, int] = {}
        for item in data.items:
            for doc in {span.doc for span in item.spans}:
                asked[doc] = asked.get(doc, 0) + 1
        chosen: list[str] = []
        room = characters
        for doc in sorted(asked, key=lambda doc: (-asked[doc] / len(data.text(doc)), doc)):
            if len(data.text(doc)) <= room or not chosen:
                chosen.append(doc)
                room -= len(data.text(doc))
        self.documents = [Document(doc, data.text(doc)) for doc in sorted(chosen)]
        inside = set(chosen)
        known = [one for one in data.items if one.spans and {span.doc for span in one.spans} <= inside]
        self.items: list[Item] = known[:limit]


def shares(trees: Sequence[DocTree], items: Sequence[Item], budgets: Sequence[int] = BUDGETS) -> dict[str, list[float]]:
    """budget -> share of gold characters in the first whole chunks that fit, one value a question."""
    ranker, tokenizer = BM25(k=200), counter("cl100k")
    store = in_memory(trees)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    found: dict[str, list[float]] = {str(budget): [] for budget in budgets}
    for item in items:
        hits = asked(Query(item.id, item.text, item.scope))
        for budget in budgets:
            shown = [(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)]
            found[str(budget)].append(recall(shown, item.spans))
    return found


def cuts(tree: DocTree) -> set[int]:
    """Where the chunks of a document begin, the first aside."""
    return {leaf.start for leaf in tree.leaves()} - {0}


def agreement(one: Sequence[DocTree], other: Sequence[DocTree], seed: int) -> list[float]:
    """Mean F1 of the cuts of two chunkers over documents, and its interval."""
    around = interval([boundary_f1(cuts(a), cuts(b)) for a, b in zip(one, other, strict=True)], seed=seed)
    return [round(around.value, 3), round(around.low, 3), round(around.high, 3)]


def dips(document: Document) -> tuple[set[int], set[int]]:
    """Places between units that lie behind a local minimum of perplexity, as published; and all places."""
    chunker = PerplexityChunker()
    sizes = Sizes.of(chunker.size, chunker.max_size, chunker.min_size)
    scaffold = Scaffold.of(document, size=sizes.size, cap=sizes.cap, least=sizes.least)
    scores, _ = surprisal(scaffold, chunker.llm, chunker.reads)
    low: set[int] = set()
    every: set[int] = set()
    for stretch, row in zip(scaffold.stretches, scores, strict=True):
        at = scaffold.units(stretch).at.tolist()
        low |= {at[k] for k in minima(row, 0.0)}
        every |= set(at[1:-1])
    return low, every


def behind_dips(trees: Mapping[str, Sequence[DocTree]], documents: Sequence[Document]) -> dict[str, float]:
    """Share of each chunker's cuts between units that lie behind a minimum, and of all such places."""
    places = [dips(document) for document in documents]
    shares_of = {"anywhere": sum(len(low) for low, _ in places) / max(1, sum(len(every) for _, every in places))}
    for name, rows in trees.items():
        inner = [cuts(tree) & every for tree, (_, every) in zip(rows, places, strict=True)]
        hits = [len(one & low) for one, (low, _) in zip(inner, places, strict=True)]
        shares_of[name] = sum(hits) / max(1, sum(map(len, inner)))
    return {name: round(value, 3) for name, value in shares_of.items()}


def speed(text: str) -> dict[str, float]:
    """Perplexity chunking of a text from end to end, and the reading of it by llama.cpp, one thread."""
    chunker = PerplexityChunker()
    chunker(Document("warm", text[:400]))  # weights are opened
    tokens = counter("cl100k").count(text)
    wall, cpu = time.perf_counter(), time.process_time()
    chunker(Document("timed", text))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    chunker.llm.next_tokens(text[:400])
    began = time.process_time()
    chunker.llm.next_tokens(text)
    peer = time.process_time() - began
    return {
        "tokens": tokens,
        "per_second": round(tokens / wall, 1),
        "per_cpu_second": round(tokens / cpu, 1),
        "cores": round(cpu / wall, 2),
        "llama_cpp_per_cpu_second": round(tokens / peer, 1),
    }


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
        trees[name] = [chunker(document) for document in subset.documents]
        counts = [leaf.tokens for tree in trees[name] for leaf in tree.leaves()]
        tell(f"  {name}: {len(counts)} chunks\n")
        scores[name] = shares(trees[name], subset.items)
        row: dict[str, Any] = {
            "chunks": len(counts),
            "mean": round(float(np.mean(counts)), 1),
            "deviation": round(float(np.std(counts)), 1),
            "longest": max(counts),
            "tokens": sum(counts),
            "agrees_with_structure": agreement(trees[name], trees["structure"], seed),
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
    told["forms_agree"] = agreement(trees["perplexity"], trees["perplexity, threshold"], seed)
    told["behind_dips"] = behind_dips(trees, subset.documents)
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
    if given.data is None:
        raise DataError(f"meta: give --data, the folder that holds {', '.join(SETS)}.")
    sets: dict[str, Any] = {}
    timed: list[dict[str, float]] = []
    with TemporaryDirectory() as folder, using(Calls(cache=given.vectors or Path(folder) / "replies.sqlite")):
        for name in SETS:
            tell(f"{name}\n")
            subset = Subset(load(Path(given.data) / name), CHARACTERS, given.limit)
            sets[name] = study(subset, tell, given.seed)
            with using(Calls()):
                text = "".join(document.text for document in subset.documents)[:READ]
                timed += [speed(text) for _ in range(REPEATS)]
    total = pooled(sets, given.seed)
    lines = []
    for name in CHUNKERS:
        rows = [one["rows"][name] for one in sets.values()]
        cells = [f"{np.mean([row['mean'] for row in rows]):.0f}"]
        cells += [f"{np.mean([row['agrees_with_structure'][0] for row in rows]):.2f}"]
        cells += [f"{np.mean([one['behind_dips'][name] for one in sets.values()]):.2f}"]
        for budget in map(str, BUDGETS):
            change = total[name][budget]
            mean = np.mean([row[budget]["recall"] for row in rows])
            cells += [f"{mean:.1f}", f"{change['gain']:+.1f} ({change['low']:.1f} to {change['high']:.1f})"]
        lines.append([name, *cells])
    for one in sets.values():
        del one["scores"]
    fast = {key: [round(f(row[key] for row in timed), 2) for f in (median, min, max)] for key in timed[0]}
    head = "chunker|mean tokens|F1 with structure|behind dips|R@512|gain (95 %)|R@1,024|gain (95 %)"
    table = as_table(head, lines) + "".join(
        f"{name}: {low} to {high}, median {middle}, of {len(timed)}\n" for name, (middle, low, high) in fast.items()
    )
    questions = sum(one["questions"] for one in sets.values())
    return {
        "seed": given.seed,
        "n": questions,
        "sets": sets,
        "all": total,
        "speed": fast,
        "timed": timed,
        "table": table,
    }
