"""Near misses: does the recipe `multihop` abstain when the passage with the answer is taken away and the rest is there?

Questions whose evidence stands in two to four passages, and whose answer is words that a gold passage holds. `whole`
is what the recipe finds and reads; `near` is the same without every passage that holds such words, so that the
passages which lead to the answer, and those that look alike, are all that is left. Told are the share answered of
each, and of `whole` the share whose citation lies in a gold passage; then the same of questions that nobody can
answer from their set, where there are such (`clapnq`).

                n  answered, whole  cited gold  answered, near miss
    musique    25             76.0       100.0                 60.0
    twowiki    25            100.0        96.0                100.0
    hotpotqa   25            100.0        92.0                 88.0
    clapnq     25                                              68.0

So it does not tell a near miss: the reader weighs sentences by how well they fit the question, and those that lead to
the answer fit it well. Its citations are of the right passages nonetheless.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evals.datasets import Item, load
from evals.hops import Passages
from evals.metrics.answers import normalise
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.config import load as recipe
from rag.errors import DataError
from rag.types import Answer, Hits

__all__ = ["NONE", "SETS", "measured", "near", "read", "reproduce"]

SETS = ("musique", "twowiki", "hotpotqa")
NONE = ("clapnq",)
LIMIT = 25


def read(hits: Hits) -> Answer:
    """What the recipe's compressor and reader make of the hits."""
    _, compressor, reader = recipe("multihop").stages
    answer: Answer = reader(compressor(hits))
    return answer


def near(hits: Hits, answers: tuple[str, ...]) -> Hits:
    """The hits that hold none of the answers."""
    words = [f" {normalise(one)} " for one in answers]
    return replace(
        hits, items=tuple(hit for hit in hits if not any(one in f" {normalise(hit.text)} " for one in words))
    )


def asked(data: Passages, limit: int) -> list[Item]:
    """Questions whose answer stands in a gold passage and is no yes or no."""
    text, found = load(data.folder).text, []
    for item in data.items:
        words = [normalise(one) for one in item.answers if normalise(one) not in ("yes", "no", "")]
        gold = [normalise(text(doc)) for doc, grade in item.qrels.items() if grade > 0]
        if any(f" {one} " in f" {passage} " for one in words for passage in gold):
            found.append(item)
        if len(found) == limit:
            break
    return found


def measured(data: Passages, limit: int, seed: int) -> dict[str, Any]:
    """Shares of one set, in percent."""
    ready = data.ready(recipe("multihop").stages[0])
    rows: dict[str, list[float]] = {"whole": [], "near": [], "cited": []}
    for item in asked(data, limit):
        hits = ready(item.query())
        whole, less = read(hits), read(near(hits, tuple(item.answers)))
        rows["whole"].append(100.0 * (whole.status == "answered"))
        rows["near"].append(100.0 * (less.status == "answered"))
        if whole.status == "answered":
            rows["cited"].append(100.0 * any(item.qrels.get(one.doc, 0) > 0 for one in whole.citations))
    told: dict[str, Any] = {"n": len(rows["whole"])}
    told |= {name: [round(v, 2) for v in interval(values, seed=seed)[:3]] for name, values in rows.items() if values}
    gap = paired(rows["near"], rows["whole"], seed=seed)
    return {**told, "gap": [round(v, 2) for v in gap[:3]]}


def unanswerable(data: Passages, limit: int, seed: int) -> dict[str, Any]:
    """Share answered of questions without any relevant passage."""
    ready = data.ready(recipe("multihop").stages[0])
    items = [item for item in load(data.folder).items if not any(grade > 0 for grade in item.qrels.values())][:limit]
    values = [100.0 * (read(ready(item.query())).status == "answered") for item in items]
    return {"n": len(values), "near": [round(v, 2) for v in interval(values, seed=seed)[:3]]}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The table."""
    if given.data is None:
        raise DataError("multihop-abstain: --data: must name the folder that holds the sets, got none. Give it.")
    limit = given.limit or LIMIT
    result: dict[str, Any] = {"seed": given.seed, "limit": limit, "sets": {}, "none": {}}
    lines = []
    for kind, names, measure in (("sets", SETS, measured), ("none", NONE, unanswerable)):
        for name in (one for one in names if (given.data / one).is_dir()):
            tell(f"{name}\n")
            row = measure(Passages(given.data / name), limit, given.seed)
            result[kind][name] = row
            cells = [f"{row[way][0]:.1f}" if way in row else "" for way in ("whole", "cited", "near")]
            lines.append([name, str(row["n"]), *cells])
    result["table"] = as_table("set|n|answered, whole|cited gold|answered, near miss", lines)
    return result
