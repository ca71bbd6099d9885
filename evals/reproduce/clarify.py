"""What clarifying questions and plans find by rule, without a model, that one search by words does not.

`retrievers/clarify` and `retrievers/explore` over BM25, against BM25: recall of documents in the first five, and
whether all were found, on questions whose evidence stands in two to four passages. Questions that are asked in the
folder `multihop` as well, with which rules were written, are left out unless nothing is left (`fresh`).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from evals.hops import Passages, against, asked_in, means
from evals.reproduce import as_table
from rag.errors import DataError
from retrievers.bm25 import BM25
from retrievers.clarify import Clarify
from retrievers.explore import Explore

__all__ = ["FIXED", "SETS", "WAYS", "measured", "reproduce"]

SETS = ("musique", "twowiki", "hotpotqa")
FIXED = ("multihop/musique", "multihop/2wikimultihopqa", "multihop/hotpotqa")
WAYS: dict[str, Callable[[], Any]] = {
    "bm25": lambda: BM25(k=50),
    "clarify": lambda: Clarify(inner=BM25(k=50)),
    "explore": lambda: Explore(inner=BM25(k=50)),
}


def measured(data: Passages) -> dict[str, Any]:
    """The values of each way, a question each."""
    return {name: data.values(data.ready(make())) for name, make in WAYS.items()}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The table."""
    if given.data is None:
        raise DataError("clarify: --data: must name the folder that holds the sets, got none. Give it.")
    limit = given.limit or 100
    result: dict[str, Any] = {"seed": given.seed, "limit": limit, "fresh": {}, "sets": {}, "ahead": {}}
    seen = asked_in(given.data / name for name in FIXED)
    kept, lines = [], []
    for name in (one for one in SETS if (given.data / one).is_dir()):
        tell(f"{name}\n")
        data = Passages(given.data / name, limit=limit, but=seen)
        result["fresh"][name] = bool(data.items)
        kept.append(measured(data if data.items else Passages(given.data / name, limit=limit)))
        result["sets"][name] = {way: means(values, given.seed) for way, values in kept[-1].items()}
        for way, row in result["sets"][name].items():
            cells = [f"{row[cut]['mean']:.1f}" for cut in ("R@2", "R@5", "AllR@5", "R@10")]
            lines.append([f"{name} {way}", str(row["n"]), *cells])
    for way in ("clarify", "explore"):
        result["ahead"][way] = against([one["bm25"] for one in kept], [one[way] for one in kept], given.seed)
        moved = [f"{result['ahead'][way][metric]['delta']:+.1f}" for metric in ("R@5", "AllR@5")]
        lines.append([f"{way} ahead, mean of sets", "", "", *moved, ""])
    result["table"] = as_table("set and way|n|R@2|R@5|AllR@5|R@10", lines)
    return result
