"""Questions taken apart by rule, against MuSiQue's own steps, and what searching step by step brings.

MuSiQue (Trivedi et al., TACL 2022, https://arxiv.org/abs/2108.00573) is made of single-hop questions, so the steps of
each question are known. A step found by rule is matched with a gold step by the F1 of their terms (references left
out), one to one so that the sum is best; a gold step without a partner counts 0. The rules were written with these
questions at hand, as were those of the other sets with their first 90, which the searches below leave out; MuSiQue has
no others, so its searches are of seen questions.

Of 91 questions, likeness to the gold steps in points: 69.1, of the question undivided 27.9; as many steps as gold in
68.1 per cent, not taken apart at all 12.1 per cent.

Recall at 5 and questions with all evidence among the first 5, no model anywhere, gains with 95 %; steps over the graph
weigh half beside the question:

                               n    R@5  AllR@5  gain in R@5             gain in AllR@5
    musique, bm25             91   49.9    17.6
    musique, by steps         91   64.7    40.7  +14.7 (+10.1 to +19.8)  +23.1 (+14.3 to +31.9)
    musique, graph            91   68.0    39.6
    musique, by steps         91   74.3    50.5   +6.2 (+1.6 to +11.2)   +11.0 (+2.2 to +20.9)
    twowiki, bm25            120   67.3    32.5
    twowiki, by steps        120   84.4    65.0  +17.1 (+12.5 to +21.7)  +32.5 (+23.3 to +41.7)
    twowiki, graph           120   97.9    94.2
    twowiki, by steps        120   97.1    92.5   -0.8 (-2.3 to +0.4)     -1.7 (-5.8 to +2.5)
    hotpotqa, bm25           120   70.4    45.8
    hotpotqa, by steps       120   73.3    52.5   +2.9 (-0.4 to +6.2)     +6.7 (+0.0 to +13.3)
    hotpotqa, graph          120   87.5    76.7
    hotpotqa, by steps       120   87.5    76.7   +0.0 (-1.7 to +1.7)     +0.0 (-3.3 to +3.3)

So steps pay where the base does not follow names by itself, and on questions of more than two hops where it does.
"""

from __future__ import annotations

import itertools
import json
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.ranking import all_recall, distinct, recall
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.errors import DataError
from rag.lexical import terms
from rag.pipeline import bound, retrievers_of
from rag.readers.extractive import Extractive
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document
from retrievers.bm25 import BM25
from retrievers.decompose import REFERENCE, decompose
from retrievers.graph import Graph
from retrievers.questions import Questions

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item

__all__ = ["SETS", "likeness", "measured", "reproduce", "ways"]

SETS = ("musique", "twowiki", "hotpotqa")
SEEN = 90  # first questions of each set, looked at while the rules were written
PLAIN = Extractive(scorer=None, form="span", threshold=-99.0)


def likeness(steps: Sequence[str], gold: Sequence[str]) -> float:
    """How like the steps are to the gold ones, in [0, 1]: mean over gold steps of the F1 with their partner's terms."""
    bags = [[set(terms(REFERENCE.sub(" ", one).replace(">>", " "))) for one in side] for side in (gold, steps)]
    table = [[2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0 for b in bags[1]] for a in bags[0]]
    few, many = sorted((len(gold), len(steps)))
    total = 0.0
    for chosen in itertools.permutations(range(many), few):
        pairs = enumerate(chosen) if len(gold) <= len(steps) else ((j, i) for i, j in enumerate(chosen))
        total = max(total, sum(table[g][s] for g, s in pairs))
    return total / len(gold)


def ways() -> Mapping[str, Any]:
    """Name -> retriever, each base beside itself step by step."""
    words, graph = BM25(k=50), Graph(inner=BM25(k=50))
    return {
        "bm25": words,
        "steps over bm25": Questions(inner=words, reader=PLAIN),
        "graph": graph,
        "steps over graph": Questions(inner=graph, reader=PLAIN, weight=0.5),
    }


def measured(data: Dataset, items: Sequence[Item]) -> dict[str, dict[str, list[float]]]:
    """R@5 and AllR@5 of each question, in points, by way."""
    with data.corpus.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chunker = StructureChunker()
    trees = [chunker(Document(str(r.get("_id") or r["id"]), r["text"], r.get("title") or "")) for r in rows]
    store = in_memory(trees)
    found: dict[str, dict[str, list[float]]] = {}
    for name, way in ways().items():
        for nested in retrievers_of(way):
            if part_key(nested) not in store.parts:
                nested.build(store.corpus, store.part(part_key(nested)))
        ask = bound(way, store)
        ranked = [distinct(hit.doc for hit in ask(item.query())) for item in items]
        found[name] = {
            "R@5": [100 * recall(docs, item.qrels, 5) for docs, item in zip(ranked, items, strict=True)],
            "AllR@5": [100 * all_recall(docs, item.qrels, 5) for docs, item in zip(ranked, items, strict=True)],
        }
    return found


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Steps against gold steps; searches with and without them."""
    if given.data is None:
        raise DataError(f"decomposition: needs --data FOLDER, the folder that holds {', '.join(SETS)}.")
    folder = Path(given.data)
    with (folder / "musique" / "queries.jsonl").open(encoding="utf-8") as lines:
        questions = [json.loads(line) for line in lines]
    gold = [[step["question"] for step in one["steps"]] for one in questions]
    made = [decompose(one["text"]) for one in questions]
    seed = given.seed
    like = [100 * likeness(a, b) for a, b in zip(made, gold, strict=True)]
    whole = [100 * likeness((one["text"],), b) for one, b in zip(questions, gold, strict=True)]
    result: dict[str, Any] = {
        "seed": seed,
        "n": len(questions),
        "likeness": _three(interval(like, seed=seed)),
        "undivided": _three(interval(whole, seed=seed)),
        "gain": _three(paired(whole, like, seed=seed)),
        "same number": _three(
            interval([100.0 * (len(a) == len(b)) for a, b in zip(made, gold, strict=True)], seed=seed)
        ),
        "one step": round(100 * float(np.mean([len(a) == 1 for a in made])), 3),
        "sets": {},
    }
    lines_ = []
    for name in SETS:
        tell(f"{name}\n")
        data = load(folder / name)
        items = [item for item in data.items if item.qrels]
        items = (items[SEEN:] if len(items) > 2 * SEEN else items)[: given.limit]
        found = measured(data, items)
        told: dict[str, Any] = {"n": len(items)}
        for way, scores in found.items():
            told[way] = {metric: _three(interval(values, seed=seed)) for metric, values in scores.items()}
            cells = [f"{told[way][metric][0]:.1f}" for metric in scores]
            if way.startswith("steps over "):
                base = found[way.removeprefix("steps over ")]
                gain = {metric: _three(paired(base[metric], scores[metric], seed=seed)) for metric in scores}
                told[way]["gain"] = gain
                cells += [f"{g:+.1f} ({low:+.1f} to {high:+.1f})" for g, low, high in gain.values()]
            lines_.append([f"{name}, {way}", str(len(items)), *cells, *[""] * (4 - len(cells))])
        result["sets"][name] = told
    head = (
        f"{result['n']} questions: likeness {result['likeness'][0]:.1f}, undivided {result['undivided'][0]:.1f},"
        f" same number of steps {result['same number'][0]:.1f} %, one step {result['one step']:.1f} %\n"
    )
    result["table"] = head + as_table("search|n|R@5|AllR@5|R@5 gain|AllR@5 gain", lines_)
    return result


def _three(found: Any) -> list[float]:
    return [round(float(value), 3) for value in found[:3]]
