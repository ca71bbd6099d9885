"""What the recipe `multihop` finds, against vectors alone and against the hybrid search with its cross-encoder.

Recall of documents in the first five and whether all were found, on questions whose evidence stands in two to four
passages. Its constants were fixed on the sets of the folder `multihop`; a question that is asked there as well is
left out, unless nothing is left: `fresh` says of which sets the questions are others. That steps are taken
(`retrievers/questions`) was chosen on one half of each set, by checksum of the question's id; only the other half is
measured, and `walk` is the recipe without the steps. Then what of it survives, stage by stage: whether a piece of
every gold document is there (AllSup) and whether the answer's words are (AIC, of questions whose answer is no yes or
no) among the first 12 hits, and after `compressors/extract` at 256 and 512 tokens.

No harm: on sets whose questions one passage answers, every question that the router takes for one of several hops is
measured; for the others the recipe is the hybrid search with its cross-encoder, and the share of them is told. Where
a set marks the words that answer, so is whether five hits hold them.

`--limit` is questions a set, the first ones; 100 where it is left out.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compressors.extract import Extract
from evals.datasets import Item
from evals.hops import Passages, against, asked_in, means
from evals.metrics.answers import in_context
from evals.metrics.citations import recall as touched
from evals.metrics.ranking import distinct, recall
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.config import load
from rag.errors import DataError
from rag.types import Hits
from rerankers.cross_encoder import CrossEncoder
from retrievers.dense import Dense
from retrievers.questions import Questions
from retrievers.several import several

__all__ = ["BUDGETS", "FIXED", "PLAIN", "SETS", "harm", "recipe", "reproduce", "walking"]

SETS = ("musique", "twowiki", "hotpotqa")
FIXED = ("multihop/musique", "multihop/2wikimultihopqa", "multihop/hotpotqa")
PLAIN = ("squad_long", "squad_articles", "covid_qa", "docs_qa", "nq_open", "scifact", "clapnq", "pubmedqa")
BUDGETS = (256, 512)
LIMIT = 100
CUT = 12


def recipe() -> Any:
    """The retriever of the recipe, as it stands there."""
    return load("multihop").stages[0]


def walking() -> Any:
    """The same without steps: one walk a question."""
    whole = recipe()
    return replace(whole, ways=tuple(one.inner if isinstance(one, Questions) else one for one in whole.ways))


def ways(data: Passages) -> dict[str, Callable[[Any], Hits]]:
    """Question -> hits: vectors alone, the hybrid search with the cross-encoder, the recipe without steps, and it."""
    multi, walk = data.ready(recipe()), data.ready(walking())
    dense, ranker = data.ready(Dense()), CrossEncoder(k=40)
    return {"dense": dense, "hybrid+ce": lambda query: ranker(multi.single(query)), "walk": walk, "multihop": multi}


def survived(hits: Hits, item: Item, budget: int | None) -> tuple[float, float]:
    """AllSup and AIC of the hits, compressed where there is a budget, in percent; NaN where no words answer."""
    kept = Hits(hits.query, hits.items[:CUT])
    kept = kept if budget is None else Extract(budget=budget)(kept)
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
        if name in ("dense", "walk"):
            continue
        for budget in (None, *BUDGETS):
            table = np.array([survived(lists[item.id], item, budget) for item in data.items])
            asked = table[~np.isnan(table[:, 1])]
            for place, label, rows in ((0, "AllSup", table), (1, "AIC", asked)):
                one = interval(rows[:, place], seed=seed)
                row[name][f"{label}@{budget or 'hits'}"] = {
                    "mean": round(one.value, 2), "low": round(one.low, 2), "high": round(one.high, 2), "n": one.n,
                }  # fmt: skip
    return row, values


def harm(data: Passages, limit: int, seed: int) -> dict[str, Any]:
    """R@5 lost or won on questions of one passage that the router sends over several."""
    sent = [item for item in data.items if several(item.text)]
    asked = sent[:limit]
    row: dict[str, Any] = {"questions": len(data.items), "sent": len(sent)}
    if not asked:
        return {**row, "n": 0}
    found = ways(data)
    lists = [[found[name](item.query()) for item in asked] for name in ("hybrid+ce", "multihop")]
    scores = [[ranked(hits, item) for hits, item in zip(one, asked, strict=True)] for one in lists]
    row |= {"sent_R@5": moved(scores, seed), "all_R@5": moved(scores, seed, len(sent) / len(data.items))}
    if all(item.spans for item in asked):
        held = [[holds(hits, item) for hits, item in zip(one, asked, strict=True)] for one in lists]
        row |= {"sent_spans": moved(held, seed), "all_spans": moved(held, seed, len(sent) / len(data.items))}
    return {**row, "n": len(asked)}


def ranked(hits: Hits, item: Item) -> float:
    """Recall of documents in the first five, in percent."""
    return 100 * recall(distinct(hit.doc for hit in hits), item.qrels, 5)


def holds(hits: Hits, item: Item) -> float:
    """Share of the spans that answer which the first five hits touch, in percent."""
    shown = [(hit.doc, start, end) for hit in hits.items[:5] for start, end in hit.spans]
    return 100 * touched(shown, item.spans)


def moved(scores: Sequence[Sequence[float]], seed: int, share: float = 1.0) -> dict[str, float]:
    """Base and other of each question: the difference, times the share of the questions that it concerns."""
    one = paired(*scores, seed=seed)
    told = {"delta": one.delta, "low": one.low, "high": one.high}
    return {name: round(value * share, 2) for name, value in told.items()}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The three tables."""
    if given.data is None:
        raise DataError("multihop: --data: must name the folder that holds the sets, got none. Give it.")
    limit = given.limit or LIMIT
    result: dict[str, Any] = {"seed": given.seed, "limit": limit, "fresh": {}, "sets": {}, "ahead": {}}
    seen = asked_in(given.data / name for name in FIXED)
    chosen = asked_in((given.data / name for name in SETS), 0)
    kept: dict[str, Any] = {}
    lines: list[list[str]] = []
    for name in (one for one in SETS if (given.data / one).is_dir()):
        tell(f"{name}\n")
        data = Passages(given.data / name, limit=limit, but=seen | chosen)
        result["fresh"][name] = bool(data.items)
        data = data if data.items else Passages(given.data / name, limit=limit, but=chosen)
        result["sets"][name], kept[name] = measured(data, given.seed)
        for way, row in result["sets"][name].items():
            cells = [f"{row[cut]['mean']:.1f}" for cut in ("R@2", "R@5", "AllR@5", "R@10")]
            cells += [
                f"{row[f'{m}@{b}']['mean']:.1f}" if f"{m}@{b}" in row else ""
                for b in ("hits", *BUDGETS)
                for m in ("AllSup", "AIC")
            ]
            lines.append([f"{name} {way}", str(row["n"]), *cells])
    for base in ("dense", "hybrid+ce", "walk"):
        for label, sets in (("", list(kept)), (" fresh", [name for name in kept if result["fresh"][name]])):
            rows = [kept[name][base] for name in sets], [kept[name]["multihop"] for name in sets]
            result["ahead"][base + label] = against(*rows, given.seed) if sets else {}
    result["plain"] = {}
    for name in (one for one in PLAIN if (given.data / one).is_dir()):
        tell(f"{name}\n")
        result["plain"][name] = harm(Passages(given.data / name), limit, given.seed)
    head = "set and way|n|R@2|R@5|AllR@5|R@10|AllSup|AIC|AllSup@256|AIC@256|AllSup@512|AIC@512"
    result["table"] = as_table(head, lines) + _told(result)
    return result


def _told(result: dict[str, Any]) -> str:
    rows: Sequence[str] = [f"ahead of {base}, mean of sets: {row}" for base, row in result["ahead"].items()]
    return "\n".join(["", *rows, *(f"{name}: {row}" for name, row in result["plain"].items()), ""])
