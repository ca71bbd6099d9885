"""What each field of notes adds to retrieval, what it costs, and how much of it verifies.

Leaves of `chunkers/structure`; a field is switched on by itself over a base that already has title and headings, and
held against that base by question: paired bootstrap, 95 % intervals. Two bases: BM25, and BM25 with vectors.

What came out (`evals/expected/enrichment.json`): of the notes made by rule none gains where it can be told from chance,
and entities lose on contracts; what gains is the title and headings as a field of their own, where questions name the
document. Of what the embedded language model writes between 10 and 19 % passes its checks.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.ranking import distinct, ndcg
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.reproduce.verified_notes import rates, verified
from evals.stats import paired
from rag.errors import DataError
from rag.models.embedded import EmbeddedLLM
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import MemoryStore, in_memory
from rag.store.parts import part_key
from rag.trees.context import Context
from rag.trees.enrich_gist import Gist
from rag.trees.entities import Entities
from rag.trees.keywords import Keywords
from rag.trees.kinds import Kinds
from rag.trees.questions import Questions
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item
    from rag.doctree import DocTree
    from rag.stage import Grower, Retriever

__all__ = ["CHOSEN_ON", "GROWERS", "REPORTED", "WEIGHTS", "Bench", "reproduce"]

BUDGETS = (512, 1024)
CHOSEN_ON = ("squad_long", "contractnli", "clapnq", "multihop_rag_facts")  # the constants were
REPORTED = ("docs_qa", "squad_articles", "covid_qa", "cuad_spans", "mtrag")
EMBEDDED = ("docs_qa", "squad_articles", "covid_qa")  # sets of the second base, with FEW documents each
FEW = 12
GROWERS: Mapping[str, Grower] = {
    "keywords": Keywords(),
    "entities": Entities(),
    "questions": Questions(),
    "context": Context(),
    "gist": Gist(),
    "kind": Kinds(),
}
WEIGHTS: Mapping[str, float] = {  # best mean SpanR@512tok on CHOSEN_ON of .2, .5, 1 (`path`: .5, 1, 2)
    "keywords": 0.5,
    "entities": 1.0,
    "questions": 0.2,
    "context": 0.2,
    "gist": 0.2,
    "kind": 0.2,
    "path": 2.0,
}
DENSE: Mapping[str, Literal["prefix", "vectors"]] = {"context": "prefix", "questions": "vectors", "gist": "vectors"}


@dataclass(frozen=True, eq=False)
class Bench:
    """A dataset cut, grown and ready to be searched in many ways.

    Args:
        data: the questions.
        limit: questions at most; None takes all.
        documents: documents at most, spread over those that questions are about; None takes the whole corpus.
        seconds: name of a grower -> CPU seconds it took, filled while the trees grow.
    """

    data: Dataset
    limit: int | None = None
    documents: int | None = None
    growers: Mapping[str, Grower] = field(default_factory=lambda: dict(GROWERS))
    seconds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Questions that something is known to answer, spread over the set."""
        inside = set(self.chosen)
        known = [item for item in self.data.items if _gold(item) and _gold(item) <= inside]
        if self.limit is None or len(known) <= self.limit:
            return tuple(known)
        return tuple(known[i * len(known) // self.limit] for i in range(self.limit))

    @cached_property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the documents, in the order of the corpus."""
        if self.documents is None:
            return tuple(self.data.places)
        asked = {doc for item in self.data.items for doc in _gold(item)}
        about = [doc for doc in self.data.places if doc in asked]
        size = min(self.documents, len(about))
        return tuple(about[i * len(about) // size] for i in range(size))

    @cached_property
    def trees(self) -> list[DocTree]:
        """Every document of the set, cut and grown."""
        chunker = StructureChunker()
        found = []
        for doc in self.chosen:
            record = self.data.record(doc)
            media = str((record.get("metadata") or {}).get("media_type") or "text/plain")
            tree = chunker(Document(doc, str(record["text"]), str(record.get("title") or ""), media))
            for name, grower in self.growers.items():
                began = time.process_time()
                tree = grower(tree)
                self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began
            found.append(tree)
        return found

    @cached_property
    def store(self) -> MemoryStore:
        """An index over them."""
        return in_memory(self.trees)

    def ready(self, retriever: Retriever) -> Any:
        """The retriever, built where it was not and bound."""
        for one in retrievers_of(retriever):
            key = part_key(one)
            if key not in self.store.parts:
                one.build(self.store.corpus, self.store.part(key))
        return bound(retriever, self.store)

    def bytes(self, retriever: Retriever) -> int:
        """Bytes of what a retriever keeps."""
        values = [v for one in retrievers_of(retriever) for v in self.store.part(part_key(one)).values.values()]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

    def scores(self, retriever: Retriever) -> dict[str, list[float]]:
        """metric -> one value a question: nDCG@10 over documents, share of gold characters at each budget."""
        asked, tokenizer = self.ready(retriever), counter("cl100k")
        found: dict[str, list[float]] = {}
        for item in self.items:
            hits = asked(Query(item.id, item.text, item.scope, item.filters))
            if item.qrels and not (item.scope and len(item.scope) == 1):
                ranking = distinct(hit.doc for hit in hits)
                found.setdefault("nDCG@10", []).append(ndcg(ranking, item.qrels, 10))
            if item.spans:
                for budget in BUDGETS:
                    shown = [(h.doc, h.start, h.end) for h in fill(hits, budget, tokenizer)]
                    found.setdefault(f"SpanR@{budget}tok", []).append(recall(shown, item.spans))
        return {metric: values for metric, values in found.items() if len(values) > 1}

    def filled(self) -> dict[str, float]:
        """Share of leaves that have a field."""
        leaves = [(tree, int(leaf)) for tree in self.trees for leaf in tree.leaf_ids]
        return {
            name: round(sum(bool(notes_of(t, name, i)) for t, i in leaves) / max(len(leaves), 1), 4)
            for name in self.growers
        }


def _gold(item: Item) -> set[str]:
    """Documents that hold a question's evidence."""
    return {span.doc for span in item.spans} | {doc for doc, grade in item.qrels.items() if grade > 0}


def gain(base: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]], seed: int) -> dict[str, Any]:
    """metric -> the base's mean and the paired difference, in points."""
    told = {}
    for metric, values in base.items():
        found = paired(values, other[metric], seed=seed)
        told[metric] = {
            "base": round(100 * float(np.mean(values)), 2),
            "gain": round(100 * found.delta, 2),
            "low": round(100 * found.low, 2),
            "high": round(100 * found.high, 2),
            "n": found.n,
        }
    return told


def lexical() -> dict[str, Retriever]:
    """The base, each field by itself, and all of them, BM25 alone."""
    rows: dict[str, Retriever] = {"": BM25()}
    rows |= {name: BM25(fields={name: weight}) for name, weight in WEIGHTS.items()}
    return {**rows, "all": BM25(fields=dict(WEIGHTS))}


def fused() -> dict[str, Retriever]:
    """The same with vectors beside: sentences are embedded, lists of words stay with BM25."""
    rows: dict[str, Retriever] = {}
    for name, words in lexical().items():
        if name == "all":
            continue
        vectors = Dense(fields=(name,), form=DENSE[name]) if name in DENSE else Dense()
        rows[name] = Hybrid(retrievers=(BM25() if name in DENSE else words, vectors))
    return rows


def ablation(bench: Bench, rows: Mapping[str, Retriever], seed: int, tell: Callable[[str], object]) -> dict[str, Any]:
    """field -> gain over the base and bytes an index grows by, for each 1,000 leaves."""
    leaves = len(bench.store.corpus)
    base = bench.scores(rows[""])
    told: dict[str, Any] = {
        "questions": len(bench.items),
        "documents": len(bench.trees),
        "leaves": leaves,
        "fields": {},
    }
    for name, retriever in rows.items():
        if name:
            tell(f"  {name}\n")
            row = gain(base, bench.scores(retriever), seed)
            more = (bench.bytes(retriever) - bench.bytes(rows[""])) / max(leaves, 1) * 1000
            told["fields"][name] = {"metrics": row, "bytes_1000": round(more)}
    return told


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every field over both bases, its cost, and the share of a model's notes that verifies."""
    if given.data is None:
        raise DataError(
            "enrichment: needs --data, the folder that holds the sets. Give one with " + ", ".join(REPORTED)
        )
    result: dict[str, Any] = {
        "chosen_on": CHOSEN_ON,
        "weights": WEIGHTS,
        "dense": DENSE,
        "seed": given.seed,
        "cost": {},
        "bm25": {},
        "hybrid": {},
        "model": {"name": EmbeddedLLM().name, "sets": {}},
    }
    lines: list[list[str]] = []
    for name in REPORTED:
        tell(f"{name}, bm25\n")
        bench = Bench(load(Path(given.data) / name), given.limit)
        result["bm25"][name] = ablation(bench, lexical(), given.seed, tell)
        leaves = max(len(bench.store.corpus), 1)
        result["cost"][name] = {
            "seconds_1000": {one: round(1000 * spent / leaves, 3) for one, spent in bench.seconds.items()},
            "filled": bench.filled(),
        }
        lines += _lines(f"{name}, bm25", result["bm25"][name])
    for name in EMBEDDED:
        tell(f"{name}, hybrid\n")
        bench = Bench(load(Path(given.data) / name), given.limit, FEW)
        result["hybrid"][name] = ablation(bench, fused(), given.seed, tell)
        lines += _lines(f"{name}, hybrid", result["hybrid"][name])
        result["model"]["sets"][name] = verified(bench.trees, tell)
    result["model"]["verified"] = rates(result["model"]["sets"].values(), given.seed)
    for one, r in result["model"]["verified"].items():
        cells = [one, "share, %", "", f"{100 * r['value']:.0f}", f"{100 * r['low']:.0f} {100 * r['high']:.0f}"]
        lines.append([f"{result['model']['name']}, verified", *cells, str(r["n"])])
    result["table"] = as_table("set and base|field|metric|base|gain|95 %|questions", lines)
    return result


def _lines(where: str, told: Mapping[str, Any]) -> list[list[str]]:
    return [
        [where, name, metric, f"{m['base']:.1f}", f"{m['gain']:+.2f}", f"{m['low']:+.2f} {m['high']:+.2f}", str(m["n"])]
        for name, row in told["fields"].items()
        for metric, m in row["metrics"].items()
    ]
