"""Whether scores that need no question pick the chunker that finds more: `chunkers/auto` against each candidate.

Every candidate cuts the documents of five sets; BM25 ranks each one's chunks and whole chunks are taken in rank order
until one does not fit in 512 or 1,024 tokens; counted is the share of gold characters. Told are Kendall's tau between a
candidate's scores and its recall (over candidates of all sizes, set by set), the share of pairs of one asked size that
a document's scores put in the order of its questions' recall, and what `auto` gains over each candidate, paired by
question. Intervals of tau and of the share come from drawing documents again.

What came out (`evals/expected/auto.json`): scores do not tell which chunker finds more. Over sizes they point the wrong
way, since long chunks cohere and short ones find; at one size they say next to nothing. `auto` is nowhere better than
structure alone.

Documents and questions are drawn as in the study `intent`. Nothing was tuned here.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.auto import AutoChunker
from chunkers.context_split import ContextSplit
from chunkers.labelfree import Material, Scores, material
from chunkers.labelfree import scores as labelfree
from chunkers.recursive import RecursiveChunker
from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.reproduce.intent import drawn
from evals.stats import interval, paired
from rag.errors import DataError
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from evals.datasets import Dataset, Item
    from rag.doctree import DocTree
    from rag.stage import Chunker

__all__ = ["BUDGETS", "CANDIDATES", "SETS", "judged", "kendall", "recalls", "reproduce"]

SETS = ("squad_articles", "covid_qa", "contractnli", "docs_qa", "cuad_spans")
BUDGETS = (512, 1024)
RESAMPLES = 1_000
CANDIDATES: Mapping[str, Callable[[], Chunker]] = {
    "structure 160": StructureChunker,
    "structure 80": partial(StructureChunker, size=80),
    "structure 320": partial(StructureChunker, size=320),
    "context-split 160": ContextSplit,
    "sentences 160": partial(SentenceChunker, size=160),
    "sentences 320": partial(SentenceChunker, size=320),
    "recursive 160": partial(RecursiveChunker, size=160),
    "recursive 320": partial(RecursiveChunker, size=320),
}
SAME = ("structure 160", "context-split 160", "sentences 160", "recursive 160")  # of one asked size


def kendall(one: ArrayLike, other: ArrayLike) -> float:
    """Kendall's tau-b of two rankings of the same things; 0 where one of them is all ties (Kendall 1945)."""
    pairs = np.triu_indices(np.size(one), 1)
    a, b = (np.sign(np.subtract.outer(np.asarray(v), np.asarray(v)))[pairs] for v in (one, other))
    below = float(np.sqrt(np.count_nonzero(a) * np.count_nonzero(b)))
    return float(a @ b) / below if below else 0.0


def judged(trees: Sequence[DocTree], known: Sequence[Material] | None = None) -> list[Scores]:
    """The scores that `chunkers/auto` gives to each document's tree; `known` is what they are judged by, if at hand."""
    auto = AutoChunker()
    known = known or materials([tree.document for tree in trees])
    return [labelfree(tree, one, auto.least, auto.most) for tree, one in zip(trees, known, strict=True)]


def materials(documents: Sequence[Document]) -> list[Material]:
    """What `chunkers/auto` judges every candidate of a document by."""
    auto = AutoChunker()
    return [material(document, auto.embedder, auto.most, "cl100k") for document in documents]


def recalls(trees: Sequence[DocTree], items: Sequence[Item]) -> NDArray[np.float64]:
    """(questions, budgets): share of gold characters in the first whole chunks that fit."""
    store = in_memory(trees)
    ranker, tokenizer = BM25(k=200), counter("cl100k")
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    found = []
    for item in items:
        hits = asked(Query(item.id, item.text))
        shown = [[(hit.doc, hit.start, hit.end) for hit in fill(hits, budget, tokenizer)] for budget in BUDGETS]
        found.append([recall(spans, item.spans) for spans in shown])
    return np.array(found)


def study(data: Dataset, docs: Sequence[str], items: Sequence[Item], tell: Callable[[str], object]) -> dict[str, Any]:
    """One set: recall and scores of each candidate and of `auto` over the default ones."""
    documents = [Document(doc, data.text(doc), str(data.record(doc).get("title") or "")) for doc in docs]
    trees: dict[str, list[DocTree]] = {}
    marks: dict[str, list[Scores]] = {}
    seconds: dict[str, float] = {}
    known = materials(documents)
    for name, build in CANDIDATES.items():
        tell(f"  {name}\n")
        began = time.process_time()
        trees[name] = [build()(document) for document in documents]
        seconds[name] = time.process_time() - began
        marks[name] = judged(trees[name], known)
    began = time.process_time()
    trees["auto"] = [AutoChunker()(document) for document in documents]
    seconds["auto"] = time.process_time() - began
    kept = Counter(notes_of(tree, "auto", 0)[0].text.partition(":")[0] for tree in trees["auto"] if len(tree) > 1)
    return {
        "recall": {name: recalls(rows, items) for name, rows in trees.items()},
        "marks": {name: np.array([(*row, row.mean) for row in rows]) for name, rows in marks.items()},
        "chosen": dict(sorted(kept.items())),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "doc": np.array([docs.index(item.spans[0].doc) for item in items]),
    }


def in_order(found: Mapping[str, Any]) -> list[float]:
    """For each document the share of pairs of candidates of one size that stand in the order of their recall.

    Pairs that recall does not tell apart are left out, and documents without others; equal scores count half.
    """
    shares = []
    for doc in sorted(set(found["doc"].tolist())):
        mine = found["doc"] == doc
        values = np.array([found["recall"][name][mine, 0].mean() for name in SAME])
        marks = np.array([found["marks"][name][doc, -1] for name in SAME])
        pairs = np.triu_indices(len(SAME), 1)
        a, b = (np.sign(np.subtract.outer(v, v))[pairs] for v in (values, marks))
        if np.any(a != 0):
            shares.append(float(np.mean((1 + a * b)[a != 0]) / 2))
    return shares


def agreement(found: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Score -> tau with the recall in 512 tokens over the candidates, with 95 % limits over documents."""
    names = list(CANDIDATES)
    values = np.stack([found["recall"][name][:, 0] for name in names])
    marks = np.stack([found["marks"][name] for name in names])
    rng = np.random.default_rng(seed)
    size, doc = marks.shape[1], found["doc"]
    draws = [np.bincount(rng.integers(0, size, size), minlength=size) for _ in range(RESAMPLES)]  # how often each
    rows: dict[str, Any] = {}
    for j, score in enumerate((*Scores._fields, "mean")):
        whole = kendall(marks[:, :, j].mean(axis=1), values.mean(axis=1))
        taus = [kendall(marks[:, :, j] @ w, values @ w[doc] / max(w[doc].sum(), 1)) for w in draws]
        low, high = np.percentile(taus, (2.5, 97.5))
        rows[score] = {"tau": round(whole, 3), "low": round(float(low), 3), "high": round(float(high), 3)}
    return rows


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every set, then all questions together."""
    if given.data is None:
        raise DataError(f"auto: give --data, the folder that holds {', '.join(SETS)}.")
    result: dict[str, Any] = {"seed": given.seed, "budgets": BUDGETS, "sets": {}, "auto_less": {}}
    made: list[dict[str, Any]] = []
    lines: list[list[str]] = []
    for name in SETS:
        tell(f"{name}\n")
        data = load(Path(given.data) / name)
        docs, items = drawn(data, given.seed)
        found = study(data, docs, items[: given.limit] if given.limit else items, tell)
        made.append(found)
        tau = agreement(found, given.seed)
        rows = {one: [round(v, 2) for v in (100 * r.mean(axis=0)).tolist()] for one, r in found["recall"].items()}
        result["sets"][name] = {"documents": len(docs), "questions": len(found["doc"])}
        means = {one: round(float(m[:, -1].mean()), 4) for one, m in found["marks"].items()}
        result["sets"][name] |= {
            "rows": rows,
            "scores": means,
            "tau": tau,
            "chosen": found["chosen"],
            "seconds": found["seconds"],
        }
        best = max(SAME, key=lambda one: rows[one][0])
        cells = [f"{tau['mean']['tau']:+.2f} ({tau['mean']['low']:+.2f} to {tau['mean']['high']:+.2f})"]
        lines.append([name, *cells, f"{rows['auto'][0]:.1f}", f"{rows['structure 160'][0]:.1f}", best, str(len(docs))])
    for one in CANDIDATES:
        pairs = [paired(_all(made, one)[:, j], _all(made, "auto")[:, j], seed=given.seed) for j in range(len(BUDGETS))]
        result["auto_less"][one] = [
            {key: round(100 * getattr(p, key), 2) for key in ("delta", "low", "high")} | {"n": p.n} for p in pairs
        ]
    result["in_order"] = interval([share for one in made for share in in_order(one)], seed=given.seed)._asdict()
    told = [
        [f"auto less {one}", *(f"{r['delta']:+.2f} ({r['low']:+.2f} to {r['high']:+.2f})" for r in rows)]
        for one, rows in result["auto_less"].items()
    ]
    result["table"] = as_table("set|tau of mean score|auto R@512|structure R@512|best of four|documents", lines)
    result["table"] += "\n" + as_table("points|recall in 512|recall in 1,024", told)
    share = result["in_order"]
    result["table"] += (
        f"\npairs of equal size in the order of recall: {100 * share['value']:.0f} %"
        f" ({100 * share['low']:.0f} to {100 * share['high']:.0f}, {share['n']} documents)\n"
    )
    return result


def _all(made: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.concatenate([one["recall"][name] for one in made])
