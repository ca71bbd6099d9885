"""Does the outline help? Recipe `tree` against `quickstart`, with and without the cross-encoder, on long documents.

The strongest argument against trees is that they add nothing reliable to a strong cross-encoder over flat chunks
(https://arxiv.org/abs/2606.28367). So the comparison is made in steps, all with the same chunks, vectors,
cross-encoder and number of passages read: the flat pipeline; with its search's scores kept beside the cross-encoder's
(no outline in it, and what must be beaten); with the scores of neighbours in the text; with the scores of the sections
above (the tree). And the tree against flat search without the cross-encoder, with vectors and by words alone.

The share of gold characters in a context of 512 and of 1,024 tokens is measured, paired by question. Constants were
chosen on questions of the first group of sets, some of them among those reported; the second group confirms. The mean
is over sets, its interval from resampling the questions of each set.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import evals
from chunkers.structure import StructureChunker
from compressors.extract import Extract
from evals.datasets import load
from evals.metrics.spans import recall
from evals.reproduce import as_table
from evals.stats import paired
from rag import config
from rag.doctree import DocTree
from rag.errors import DataError
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits
from rerankers.cross_encoder import CrossEncoder
from rerankers.neighbours import Neighbours
from retrievers.bm25 import BM25
from retrievers.hybrid import Hybrid
from retrievers.tree import TreeRetriever

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset, Item

__all__ = ["AGAINST", "CASES", "CHOSEN_ON", "CONFIRMED_ON", "by_words", "mean_of_sets", "reproduce", "scores"]

BUDGETS = (512, 1024)
CHOSEN_ON = ("contractnli", "docs_qa", "cuad_spans", "covid_qa", "qmsum")
CONFIRMED_ON = ("chunking_eval", "tatqa", "squad_long")
SEARCH, POOL = Hybrid(k=40), Hybrid(k=100)
READ = CrossEncoder(k=40)
CASES: Mapping[str, tuple[Any, ...]] = {
    "quickstart": (SEARCH, CrossEncoder(k=10)),
    "flat, both scores": (SEARCH, READ, Neighbours(prior=0.5, near=0, k=14)),
    "flat, neighbours": (SEARCH, READ, Neighbours(prior=0.5, k=14)),
    "tree": (TreeRetriever(inner=POOL), READ, Neighbours(prior=0.5, k=14)),
    "flat, no cross-encoder": (Hybrid(k=14),),
    "tree, no cross-encoder": (TreeRetriever(inner=POOL), Neighbours(prior=0, k=14)),
    "flat, words alone": (BM25(k=14),),
    "tree, words alone": (TreeRetriever(inner=BM25(k=100)), Neighbours(prior=0, k=14)),
}
AGAINST = (
    ("flat, both scores", "quickstart"),
    ("flat, neighbours", "quickstart"),
    ("tree", "quickstart"),
    ("tree", "flat, both scores"),  # what neighbours and outline add to the same scores
    ("tree", "flat, neighbours"),  # what the outline alone adds
    ("tree, no cross-encoder", "flat, no cross-encoder"),
    ("tree, words alone", "flat, words alone"),
)
WORDS = ("flat, words alone", "tree, words alone")
BUNDLED = Path(evals.__path__[0]) / "samples" / "chroma"


def scores(data: Dataset, items: Sequence[Item], cases: Mapping[str, tuple[Any, ...]]) -> dict[str, NDArray[Any]]:
    """For each case float64 (questions, budgets): recall of gold characters, in points."""
    chunker = StructureChunker()
    trees: list[DocTree] = []
    for doc in data.places:
        record = data.record(doc)
        facts = record.get("metadata") or {}
        trees.append(chunker(Document(doc, record["text"], record.get("title") or "", metadata=facts)))
    store = in_memory(trees)
    for one in retrievers_of([row[0] for row in cases.values()]):
        one.build(store.corpus, store.part(part_key(one)))
    pack = Extract()
    found: dict[str, NDArray[Any]] = {}
    for name, row in cases.items():
        ready = [bound(step, store) for step in row]
        values = []
        for item in items:
            hits: Hits = ready[0](item.query())
            for step in ready[1:]:
                hits = step(hits)
            packed = [pack(replace(hits, query=replace(hits.query, budget=budget))) for budget in BUDGETS]
            values.append([100 * recall(one.spans(), item.spans) for one in packed])
        found[name] = np.array(values)
    return found


def by_words(questions: int = 20) -> dict[str, list[float]]:
    """Recall by words alone on the first questions of the bundled set; needs no model and no other data."""
    data = load(BUNDLED)
    found = scores(data, data.items[:questions], {name: CASES[name] for name in WORDS})
    return {name: [round(float(v), 3) for v in values.mean(axis=0)] for name, values in found.items()}


def mean_of_sets(moved: Sequence[NDArray[Any]], seed: int, resamples: int = 10_000) -> list[float]:
    """Mean over sets of the mean differences of each, with its interval: questions are drawn again within each set."""
    total = np.zeros(resamples)
    for i, values in enumerate(moved):
        rng = np.random.default_rng([seed, i, len(values)])
        drawn = rng.integers(0, len(values), size=(resamples, len(values)))
        total += values[drawn].mean(axis=1)
    low, high = np.percentile(total / len(moved), [2.5, 97.5])
    return [round(float(v), 2) for v in (np.mean([m.mean() for m in moved]), low, high)]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every case on every set that is there."""
    _same_as_the_recipe()
    there = [name for name in (*CHOSEN_ON, *CONFIRMED_ON) if (given.data / name / "corpus.jsonl").is_file()]
    if not there:
        raise DataError(f"{given.data}: holds none of the sets {', '.join((*CHOSEN_ON, *CONFIRMED_ON))}.")
    sets: dict[str, dict[str, NDArray[Any]]] = {}
    for name in there:
        data = load(given.data / name)
        items = [item for item in data.items if item.spans]
        step = max(1, len(items) // given.limit) if given.limit else 1
        tell(f"{name}\n")
        sets[name] = scores(data, items[::step][: given.limit], CASES)
    result: dict[str, Any] = {"budgets": BUDGETS, "seed": given.seed, "limit": given.limit, "rows": {}, "pairs": {}}
    result["bundled, words alone"] = by_words()
    for name, found in sets.items():
        result["rows"][name] = {
            "n": len(found["tree"]),
            "recall": {case: [round(float(v), 1) for v in values.mean(axis=0)] for case, values in found.items()},
        }
    groups = {"chosen on": CHOSEN_ON, "confirmed on": CONFIRMED_ON, "all": (*CHOSEN_ON, *CONFIRMED_ON)}
    rows = []
    for new, old in AGAINST:
        entry: dict[str, Any] = {"sets": {}, "means": {}}
        for at, budget in enumerate(BUDGETS):
            for name, found in sets.items():
                gain = paired(found[old][:, at], found[new][:, at], seed=given.seed)
                entry["sets"].setdefault(name, {})[str(budget)] = [round(v, 2) for v in gain[:3]]
            for group, names in groups.items():
                moved = [sets[n][new][:, at] - sets[n][old][:, at] for n in names if n in sets]
                if moved:
                    entry["means"].setdefault(group, {})[str(budget)] = mean_of_sets(moved, given.seed)
        result["pairs"][f"{new} against {old}"] = entry
        for name, by_budget in {**entry["sets"], **entry["means"]}.items():
            cells = [f"{v[0]:+.1f} ({v[1]:+.1f} to {v[2]:+.1f})" for v in by_budget.values()]
            rows.append([f"{new} against {old}: {name}", *cells])
    result["table"] = as_table("|".join(["gain, 95 %", *(f"{b} tokens" for b in BUDGETS)]), rows)
    return result


def _same_as_the_recipe() -> None:
    """The case named `tree` is the recipe of that name, so that what is measured is what runs."""
    recipe = config.load("tree")
    if recipe.stages[:-2] != CASES["tree"]:
        raise DataError("evals/reproduce/trees.py: case 'tree' differs from the recipe `tree`. Make them equal.")
