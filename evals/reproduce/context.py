"""What neighbours, documents and headings add to a ranking: nDCG@10 of leaves, paired by question.

`rerankers/context-aware` stands behind BM25 and behind BM25 fused with bge-small, 100 hits each. Both read the headings
with every leaf, so that what is added is not what a retriever could have read itself. A leaf is relevant where it holds
half of a gold passage or lies half in one. The constants were fixed on contractnli (asked of one contract and of all),
squad_articles and covid_qa, 150 questions each; the other sets had no part in that: contracts (cuad_spans, asked of one
contract and of all), documentation (docs_qa), meetings (qmsum) and conversations (mtrag, whose passages are put
together to the pages they were cut from, by title). The sets they were fixed on are shown too, apart, behind BM25.

Without `--data` the bundled sample alone is asked, five long texts, behind BM25; it is no set that needs context.

The cost is processor time for a question with 100 candidates, on top of the input.
"""

from __future__ import annotations

import re
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.ranking import ndcg
from evals.reproduce import SAMPLE, as_table
from evals.stats import paired
from rag.doctree import flat
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document
from rerankers.context_aware import ContextAware
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset
    from rag.doctree import DocTree
    from rag.types import Hits

__all__ = [
    "CONFIRMED",
    "FIXED",
    "INPUTS",
    "Asked",
    "Piece",
    "assembled",
    "judged",
    "measured",
    "pages",
    "reproduce",
    "trees_of",
]

FIXED = ("contractnli", "contractnli open", "squad_articles", "covid_qa")
CONFIRMED = ("cuad_spans", "cuad_spans open", "docs_qa", "qmsum", "mtrag")
POOL, CUT = 100, 10
INPUTS: Mapping[str, Callable[[], Any]] = {
    "bm25": lambda: BM25(k=POOL),
    "hybrid": lambda: Hybrid(retrievers=(BM25(k=POOL), Dense(k=POOL)), k=POOL),
}
PARTS: Mapping[str, ContextAware] = {
    "near alone": ContextAware(k=CUT, document=0, heading=0),
    "document alone": ContextAware(k=CUT, near=0, heading=0),
    "heading alone": ContextAware(k=CUT, near=0, document=0),
    "all": ContextAware(k=CUT),
}
GROUPS: Mapping[str, Sequence[str]] = {"sample": ("chroma",), "confirmed": CONFIRMED, "fixed": FIXED}
Gold = Sequence[tuple[str, int, int]]


class Piece(NamedTuple):
    """One set behind one input.

    Args:
        group: `sample`, `confirmed` or `fixed`.
        name: of the set.
        label: of the input.
        values: nDCG@10 of each question, float64 (n,), by `input` and the names of the parts.
        milliseconds: of the stage, for up to 100 questions with a full pool.
    """

    group: str
    name: str
    label: str
    values: Mapping[str, NDArray[np.float64]]
    milliseconds: Sequence[float]


def pages(data: Dataset) -> tuple[list[DocTree], dict[str, tuple[str, int, int]]]:
    """Passages of one collection and title as one document, in the order of the numbers in their ids.

    Returns:
        The documents, whose leaves are the passages; and where each passage stands.
    """
    groups: dict[str, list[tuple[list[int], str]]] = {}
    titles: dict[str, str] = {}
    for doc in data.places:
        record = data.record(doc)
        title = " ".join(str(record.get("title") or "").split())
        page = f"{record['metadata']['collection']}: {title}" if title else doc.rsplit("-", 2)[0]
        groups.setdefault(page, []).append(([int(n) for n in re.findall(r"\d+", doc)], doc))
        titles[page] = title
    trees, where = [], {}
    for page, rows in sorted(groups.items()):
        at, spans, texts = 0, [], []
        for _, doc in sorted(rows):
            text = f"{data.text(doc).strip()}\n\n"
            where[doc] = (page, at, at + len(text))
            spans.append((at, at + len(text)))
            texts.append(text)
            at += len(text)
        trees.append(flat(Document(page, "".join(texts), titles[page]), spans))
    return trees, where


def trees_of(data: Dataset) -> tuple[list[DocTree], dict[str, Gold]]:
    """The documents cut by structure, and the gold passages of each question that has some."""
    if any(item.spans for item in data.items):
        chunker = StructureChunker()
        made = [chunker(Document(doc, data.text(doc), str(data.record(doc).get("title") or ""))) for doc in data.places]
        return made, {item.id: [(s.doc, s.start, s.end) for s in item.spans] for item in data.items if item.spans}
    made, where = pages(data)
    gold = {item.id: [where[d] for d, grade in item.qrels.items() if grade > 0 and d in where] for item in data.items}
    return made, {key: rows for key, rows in gold.items() if rows}


def judged(trees: Mapping[str, DocTree], gold: Gold) -> dict[str, int]:
    """The relevant leaves, by document and node: those that hold half of a gold passage or lie half in one."""
    found: dict[str, int] = {}
    for doc, start, end in gold:
        tree = trees[doc]
        leaves = tree.leaf_ids
        begin, stop = tree.start[leaves], tree.end[leaves]
        shared = np.minimum(stop, end) - np.maximum(begin, start)
        good = (shared > 0) & ((2 * shared >= end - start) | (2 * shared >= stop - begin))
        found.update({f"{doc}\0{node}": 1 for node in leaves[good].tolist()})
    return found


class Asked:
    """A set behind one input, built once.

    Args:
        data: the set.
        source: a retriever, not bound.
    """

    def __init__(self, data: Dataset, source: Any) -> None:
        made, self.gold = trees_of(data)
        self.trees = {tree.document.id: tree for tree in made}
        self.items = [item for item in data.items if item.id in self.gold]
        store = in_memory(made)
        for one in retrievers_of(source):
            one.build(store.corpus, store.part(part_key(one)))
        self.source = bound(source, store)

    def scores(self, *, wide: bool, limit: int | None = None) -> tuple[dict[str, NDArray[np.float64]], list[Hits]]:
        """nDCG@10 of each question behind the input alone and behind each part, and what the input gave.

        Args:
            wide: every question is asked of all documents.
            limit: at most so many questions, in the order of the file.
        """
        values: dict[str, list[float]] = {label: [] for label in ("input", *PARTS)}
        given: list[Hits] = []
        for item in self.items[:limit]:
            grades = judged(self.trees, self.gold[item.id])
            if not grades:
                continue
            query = item.query()
            hits = self.source(replace(query, scope=None) if wide else query)
            given.append(hits)
            for label, found in [("input", hits), *((label, part(hits)) for label, part in PARTS.items())]:
                values[label].append(ndcg([f"{hit.doc}\0{hit.node}" for hit in found], grades, CUT))
        return {label: np.array(row) for label, row in values.items()}, given


def milliseconds(given: Sequence[Hits], rounds: int = 3) -> list[float]:
    """Processor time of the stage for each input with a full pool, the least of some rounds."""
    stage = PARTS["all"]
    full = [hits for hits in given if len(hits) == POOL][:100]
    best = np.full(len(full), np.inf)
    for _ in range(rounds):
        for i, hits in enumerate(full):
            begin = time.process_time()
            stage(hits)
            best[i] = min(best[i], 1000 * (time.process_time() - begin))
    return best.tolist()


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every set behind every input, and the questions of all sets together."""
    tell("sample: bm25\n")
    pieces = measured(load(SAMPLE), "sample", "chroma", "bm25", given.limit)
    for group, sets in GROUPS.items() if given.data is not None else ():
        for folder in dict.fromkeys(name.split()[0] for name in sets if group != "sample"):
            data = load(Path(given.data) / folder)
            for label in INPUTS if group == "confirmed" else ("bm25",):
                tell(f"{folder}: {label}\n")
                pieces += measured(data, group, folder, label, given.limit)
    return assembled(pieces, given.seed)


def measured(data: Dataset, group: str, folder: str, label: str, limit: int | None = None) -> list[Piece]:
    """What one input gives on one folder, asked of one document and of all where both are listed."""
    asked = Asked(data, INPUTS[label]())
    found = []
    for name in [name for name in GROUPS[group] if name.split()[0] == folder]:
        values, hits = asked.scores(wide=name.endswith("open"), limit=limit)
        found.append(Piece(group, name, label, values, milliseconds(hits)))
    return found


def assembled(pieces: Sequence[Piece], seed: int) -> dict[str, Any]:
    """The study's result: every piece, and all questions of a group together, as they are asked in their set."""
    result: dict[str, Any] = {"seed": seed, "pool": POOL, **{group: {} for group in GROUPS}, "pooled": {}}
    lines: list[list[str]] = []
    every: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for one in pieces:
        base = one.values["input"]
        row: dict[str, Any] = {"n": len(base), "input": _points(base.mean())}
        row |= {part: _row(base, one.values[part], seed) for part in PARTS}
        result[one.group].setdefault(one.name, {})[one.label] = row
        lines.append([f"{one.name} ({one.group})", one.label, str(row["n"]), f"{row['input']:.1f}", _cell(row["all"])])
        if not one.name.endswith("open"):  # the same questions as asked of one document: they count once
            every.setdefault((one.group, one.label), []).append(np.stack((base, one.values["all"])))
    for (group, label), rows in every.items():
        both = np.concatenate(rows, axis=1)
        total = {"n": both.shape[1], "input": _points(both[0].mean())} | _row(both[0], both[1], seed)
        result["pooled"].setdefault(group, {})[label] = total
        lines.append([f"all ({group})", label, str(total["n"]), f"{total['input']:.1f}", _cell(total)])
    cost = [value for one in pieces for value in one.milliseconds]
    timing = {"median": round(float(np.median(cost)), 3), "p95": round(float(np.percentile(cost, 95)), 3)}
    result["milliseconds"] = timing | {"n": len(cost)}
    result["table"] = as_table("nDCG@10, points|input|n|alone|with context less alone", lines) + (
        f"processor time a question with {POOL} candidates: median {timing['median']} ms, 95 % {timing['p95']} ms\n"
    )
    return result


def _row(a: NDArray[np.float64], b: NDArray[np.float64], seed: int) -> dict[str, float]:
    found = paired(a, b, seed=seed)
    return {
        "delta": _points(found.delta),
        "low": _points(found.low),
        "high": _points(found.high),
        "p": round(found.p, 4),
    }


def _points(value: float) -> float:
    return round(100 * float(value), 3)


def _cell(row: Mapping[str, float]) -> str:
    return f"{row['delta']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
