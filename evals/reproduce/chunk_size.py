"""What size and evenness of chunks cost or bring: gold characters kept in a budget, under BM25 alone.

Every chunker cuts the same documents; whole chunks fill the budget in the order of their scores, and what does not fit
is skipped. The mean is over sets, its interval from questions drawn anew within each set, and so are differences from
the default. The default size was chosen on an earlier drawing of these same questions.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chunkers.recursive import RecursiveChunker
from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from evals.reproduce.meta import Subset
from evals.reproduce.meta import shares as _shares
from rag.stage import Chunker

__all__ = ["BUDGETS", "CHUNKERS", "DEFAULT", "SETS", "compared", "measured", "reproduce"]

SETS = ("chunking_eval", "squad_articles", "covid_qa", "cuad_spans", "contractnli", "docs_qa", "qmsum", "tatqa")
BUDGETS = (256, 512, 1024)
CHARACTERS, QUESTIONS, RESAMPLES = 1_500_000, 100, 5_000
DEFAULT = "size 160"
CHUNKERS: Mapping[str, Chunker] = {
    **{f"size {size}": StructureChunker(size=size) for size in (96, 128, 160, 192, 256, 384)},
    **{f"even {even}": StructureChunker(even=even) for even in (0.3, 3.0)},
    "recursive 200": RecursiveChunker(size=200),
    "sentences 200": SentenceChunker(size=200),
}


def measured(subset: Subset, chunkers: Mapping[str, Chunker] = CHUNKERS) -> dict[str, dict[str, list[float]]]:
    """Chunker -> budget -> share of gold characters, one value a question."""
    return {
        name: _shares([chunker(doc) for doc in subset.documents], subset.items, BUDGETS)
        for name, chunker in chunkers.items()
    }


def compared(sets: Sequence[Mapping[str, Mapping[str, Sequence[float]]]], seed: int) -> dict[str, dict[str, Any]]:
    """Means over sets in points, and what each chunker gains on the default, with 95 % intervals."""
    rows: dict[str, dict[str, Any]] = {}
    for name in sets[0]:
        rows[name] = {}
        for budget in map(str, BUDGETS):
            values = [np.array(one[name][budget]) for one in sets]
            gains = [mine - np.array(one[DEFAULT][budget]) for mine, one in zip(values, sets, strict=True)]
            rng = np.random.default_rng(seed)
            drawn = [gain[rng.integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1) for gain in gains]
            low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5]).tolist()
            gain = float(np.mean([one.mean() for one in gains]))
            rows[name][budget] = {
                "mean": round(100 * float(np.mean([one.mean() for one in values])), 2),
                "gain": [round(100 * value, 2) for value in (gain, low, high)],
            }
    return rows


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Sizes, evenness and two peers over eight sets, or over the bundled one."""
    found, counts = [], {}
    for folder in [Path(given.data) / name for name in SETS] if given.data else [SAMPLE]:
        subset = Subset(load(folder), CHARACTERS, given.limit or QUESTIONS)
        counts[folder.name] = {"documents": len(subset.documents), "questions": len(subset.items)}
        found.append(measured(subset))
        tell(f"{folder.name}: {counts[folder.name]}\n")
    rows = compared(found, given.seed)
    lines = [
        [name, *(f"{row[str(b)]['mean']:.1f}" for b in BUDGETS)]
        + ["{:+.1f} ({:+.1f} to {:+.1f})".format(*row[str(b)]["gain"]) for b in BUDGETS]
        for name, row in rows.items()
    ]
    head = "chunks|" + "|".join(f"in {b}" for b in BUDGETS) + "|" + "|".join(f"gain in {b}" for b in BUDGETS)
    n = sum(one["questions"] for one in counts.values())
    return {
        "seed": given.seed,
        "budgets": BUDGETS,
        "n": n,
        "sets": counts,
        "rows": rows,
        "table": as_table(head, lines),
    }
