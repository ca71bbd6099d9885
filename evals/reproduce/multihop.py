"""What the recipe `multihop` finds, against vectors alone and against the hybrid search with its cross-encoder.

Recall of documents in the first five and whether all were found, on questions whose evidence stands in two to four
passages. Its constants were fixed on the sets of the folder `multihop`; `musique`, `twowiki` and `hotpotqa` had no part
in that. Then what of it survives `compressors/extract` at 256 and 512 tokens: whether a piece of every gold document is
still there (AllSup), and whether the answer's words are (AIC), of questions whose answer is no yes or no.

No harm: on sets of single passages, every question that the router takes for one of several hops is measured; for
the others the recipe is the hybrid search with its cross-encoder, and the share of them is told.

`--limit` is questions a set, the first ones; 40 where it is left out.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from compressors.extract import Extract
from evals.datasets import Item
from evals.hops import Passages, against, means
from evals.metrics.answers import in_context
from evals.metrics.ranking import distinct, recall
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.config import load
from rag.errors import DataError
from rag.types import Hits
from rerankers.cross_encoder import CrossEncoder
from retrievers.dense import Dense
from retrievers.several import several

__all__ = ["BUDGETS", "PLAIN", "SETS", "harm", "reproduce"]

SETS = ("musique", "twowiki", "hotpotqa")
PLAIN = ("nq_open", "scifact", "clapnq", "pubmedqa")
BUDGETS = (256, 512)
LIMIT = 40
CUT = 12


def recipe() -> Any:
    """The retriever of the recipe, as it stands there."""
    return load("multihop").stages[0]


def ways(data: Passages) -> dict[str, Callable[[Any], Hits]]:
    """Question -> hits: vectors alone, the hybrid search with the cross-encoder, and the recipe's retriever."""
    multi = data.ready(recipe())
    dense, ranker = data.ready(Dense()), CrossEncoder(k=40)
    return {"dense": dense, "hybrid+ce": lambda query: ranker(multi.single(query)), "multihop": multi}


def compressed(hits: Hits, item: Item, budget: int) -> tuple[float, float]:
    """AllSup and AIC of a context, in percent; NaN where the answer is yes or no, or unknown."""
    kept = Extract(budget=budget)(Hits(hits.query, hits.items[:CUT]))
    gold = {doc for doc, grade in item.qrels.items() if grade > 0}
    there = {hit.doc for hit in kept}
    words = [one for one in item.answers if one.lower() not in ("yes", "no", "noanswer")]
    found = in_context([hit.text for hit in kept], words) if words else None
    return 100.0 * (gold <= there), float("nan") if found is None else 100.0 * found


def measured(data: Passages, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One set: the rows to show, and the values behind them."""
    values: dict[str, Any] = {}
    row: dict[str, Any] = {}
    for name, ask in ways(data).items():
        lists = {item.id: ask(item.query()) for item in data.items}
        values[name] = data.values(lambda query, lists=lists: lists[query.id])  # type: ignore[misc]
        row[name] = means(values[name], seed)
        if name == "dense":
            continue
        for budget in BUDGETS:
            table = np.array([compressed(lists[item.id], item, budget) for item in data.items])
            values[f"{name} {budget}"] = table
            asked = table[~np.isnan(table[:, 1])]
            for place, label, rows in ((0, "AllSup", table), (1, "AIC", asked)):
                one = interval(rows[:, place], seed=seed)
                row[name][f"{label}@{budget}"] = {
                    "mean": round(one.value, 2), "low": round(one.low, 2), "high": round(one.high, 2), "n": one.n,
                }  # fmt: skip
    return row, values


def harm(data: Passages, limit: int, seed: int) -> dict[str, Any]:
    """R@5 lost or won on questions of one passage that the router sends over several."""
    sent = [item for item in data.items if several(item.text)]
    asked, row = sent[:limit], {"questions": len(data.items), "sent": len(sent)}
    if not asked:
        return {**row, "n": 0}
    found = ways(data)
    scores = [
        [100 * recall(distinct(hit.doc for hit in found[name](item.query())), item.qrels, 5) for item in asked]
        for name in ("hybrid+ce", "multihop")
    ]
    one = paired(*scores, seed=seed)
    share = len(sent) / len(data.items)
    told = {"delta": round(one.delta, 2), "low": round(one.low, 2), "high": round(one.high, 2)}
    return {**row, "n": one.n, "sent_R@5": told, "all_R@5": {name: round(v * share, 2) for name, v in told.items()}}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The three tables."""
    if given.data is None:
        raise DataError("multihop: --data: must name the folder that holds the sets, got none. Give it.")
    limit = given.limit or LIMIT
    result: dict[str, Any] = {"seed": given.seed, "limit": limit, "sets": {}, "ahead": {}, "plain": {}}
    kept: dict[str, Any] = {}
    lines: list[list[str]] = []
    for name in (one for one in SETS if (given.data / one).is_dir()):
        tell(f"{name}\n")
        result["sets"][name], kept[name] = measured(Passages(given.data / name, limit=limit), given.seed)
        for way, row in result["sets"][name].items():
            cells = [f"{row[cut]['mean']:.1f}" for cut in ("R@2", "R@5", "AllR@5", "R@10")]
            cells += [
                f"{row[f'{m}@{b}']['mean']:.1f}" if f"{m}@{b}" in row else ""
                for b in BUDGETS
                for m in ("AllSup", "AIC")
            ]
            lines.append([f"{name} {way}", str(row["n"]), *cells])
    for base in ("dense", "hybrid+ce"):
        pairs = [(one[base], one["multihop"]) for one in kept.values()]
        result["ahead"][base] = against([a for a, _ in pairs], [b for _, b in pairs], given.seed) if pairs else {}
    for name in (one for one in PLAIN if (given.data / one).is_dir()):
        tell(f"{name}\n")
        result["plain"][name] = harm(Passages(given.data / name), limit, given.seed)
    head = "set and way|n|R@2|R@5|AllR@5|R@10|AllSup@256|AIC@256|AllSup@512|AIC@512"
    result["table"] = as_table(head, lines) + _told(result)
    return result


def _told(result: dict[str, Any]) -> str:
    rows: Sequence[str] = [f"ahead of {base}, mean of sets: {row}" for base, row in result["ahead"].items()]
    return "\n".join(["", *rows, *(f"{name}: {row}" for name, row in result["plain"].items()), ""])
