"""How even chunks are: sizes by dynamic programming against langchain's recursive splitter at the same mean.

Both cut the same documents under caps of real tokens. The recursive splitter's cap is bisected until its mean is
nearest to ours, so that the spread is compared at one size. Runts are chunks below our minimum that are not whole
sections; the peer's are held against the same number.

The interval is of the ratio of the two coefficients of variation, chunks resampled within each splitter. Speed is CPU
time, tokenisation included, of all threads: at the default size, next to the tokenizer alone and the peers of `rag
bench chunk`, every splitter once a round; rounds are resampled for the ratio to langchain's.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.recursive import RecursiveChunker
from chunkers.structure import StructureChunker
from evals.bench.chunk import OURS, contestants
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from rag.models.tokens import counter
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree

__all__ = ["EVEN", "SIZES", "compare", "reproduce", "speed"]

SIZES = (96, 160, 256)
EVEN = (0.3, 1.0, 3.0)  # the first is the default
RESAMPLES = 2_000
ROUNDS, CAP = 7, 240  # of speed; the cap of the default size


def documents(folder: Path) -> list[Document]:
    """The documents of a dataset folder."""
    data = load(folder)
    return [Document(doc, data.text(doc)) for doc in data.places]


def spread(sizes: NDArray[np.int64]) -> float:
    """Standard deviation over mean."""
    return float(sizes.std() / sizes.mean())


def sizes_of(trees: Sequence[DocTree]) -> NDArray[np.int64]:
    """Tokens of every leaf, white space at its ends left out as an index would show it."""
    tokenizer = counter("cl100k")
    return np.array(tokenizer.counts([leaf.text.strip() for tree in trees for leaf in tree.leaves()]))


def runts(trees: Sequence[DocTree], least: int) -> int:
    """Chunks below the minimum that are not all of their section or of their document."""
    found = 0
    for tree in trees:
        for leaf in tree.leaves():
            above = leaf.parent
            whole = above is not None and (above.start, above.end) == (leaf.start, leaf.end)
            headed = any(leaf.start <= a < leaf.end for a, b in tree.titles.tolist() if b > a)
            found += leaf.tokens < least and not whole and not headed
    return found


def matched(docs: Sequence[Document], mean: float) -> tuple[int, NDArray[np.int64]]:
    """The recursive splitter's cap whose chunks have the mean nearest to this, and their sizes."""
    low, high = int(1.2 * mean), int(1.7 * mean)
    tried: dict[int, NDArray[np.int64]] = {}
    while low < high:
        size = (low + high) // 2
        tried[size] = sizes_of([RecursiveChunker(size=size)(doc) for doc in docs])
        low, high = (size + 1, high) if tried[size].mean() < mean else (low, size)
    best = min(tried, key=lambda size: (abs(float(tried[size].mean()) - mean), size))
    return best, tried[best]


def compare(docs: Sequence[Document], size: int, even: float = EVEN[0], seed: int = 0) -> dict[str, Any]:
    """Ours at one size and weight of even sizes against the recursive splitter at the same mean."""
    chunker = StructureChunker(size=size, even=even)
    trees = [chunker(doc) for doc in docs]
    mine = sizes_of(trees)
    cap, theirs = matched(docs, float(mine.mean()))
    rng = np.random.default_rng(seed)
    ratios = [spread(rng.choice(mine, len(mine))) / spread(rng.choice(theirs, len(theirs))) for _ in range(RESAMPLES)]
    low, high = np.percentile(ratios, [2.5, 97.5]).tolist()
    return {
        "size": size,
        "even": even,
        "chunks": len(mine),
        "mean": round(float(mine.mean()), 2),
        "cv": round(spread(mine), 4),
        "over_cap": int((sizes_of(trees) > chunker.cap).sum()),
        "runts": runts(trees, chunker.least),
        "peer_cap": cap,
        "peer_chunks": len(theirs),
        "peer_mean": round(float(theirs.mean()), 2),
        "peer_cv": round(spread(theirs), 4),
        "peer_runts": int((theirs < chunker.least).sum()),
        "ratio": [round(spread(mine) / spread(theirs), 4), round(low, 4), round(high, 4)],
        "n": len(mine) + len(theirs),
    }


def speed(docs: Sequence[Document], rounds: int = ROUNDS, seed: int = 0) -> dict[str, Any]:
    """Characters a CPU second of every splitter: median, least, most; and ours over it, with its interval."""
    tokenizer = counter("cl100k")
    work: dict[str, Callable[[Document], object]] = dict(contestants(CAP, tokenizer)[0])
    work[OURS] = StructureChunker()
    work["tokens alone"] = lambda doc: tokenizer.starts(doc.text)
    spent: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, cut in work.items():
            begin = time.process_time()
            for doc in docs:
                cut(doc)
            if turn:  # the first round opens vocabularies
                spent[name].append(time.process_time() - begin)
    characters = sum(len(doc.text) for doc in docs)
    drawn = np.random.default_rng(seed).integers(0, rounds, (RESAMPLES, rounds))
    ours = np.median(np.array(spent[OURS])[drawn], axis=1)
    told: dict[str, Any] = {"characters": characters, "rounds": rounds, "rows": {}}
    for name, seconds in spent.items():
        rates = characters / np.array(seconds)
        low, high = np.percentile(np.median(np.array(seconds)[drawn], axis=1) / ours, [2.5, 97.5]).tolist()
        told["rows"][name] = {
            "characters_per_cpu_second": [round(float(f(rates))) for f in (np.median, np.min, np.max)],
            "ours_is_faster_by": [round(v, 2) for v in (float(np.median(seconds) / np.median(spent[OURS])), low, high)],
        }
    return told


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Even sizes at three sizes, on Chroma's corpora or another dataset."""
    docs = documents(given.data or SAMPLE)
    result: dict[str, Any] = {"seed": given.seed, "rows": []}
    lines = []
    for size, even in product(SIZES, EVEN):
        tell(f"size {size}, even {even}\n")
        row = compare(docs, size, even, given.seed)
        result["rows"].append(row)
        ratio, low, high = row["ratio"]
        lines.append(
            [
                *(
                    f"{size}",
                    f"{even}",
                    f"{row['chunks']:,}",
                    f"{row['mean']:.0f}",
                    f"{row['cv']:.3f}",
                    f"{row['over_cap']}",
                ),
                *(f"{row['runts']}", f"{row['peer_mean']:.0f}", f"{row['peer_cv']:.3f}", f"{row['peer_runts']}"),
                f"{ratio:.2f} ({low:.2f} to {high:.2f})",
            ]
        )
    head = "size|even|chunks|mean|cv|over|runts|peer mean|peer cv|peer runts|cv / peer's"
    tell("speed\n")
    result["speed"] = speed(docs, seed=given.seed)
    rates = [
        [
            name,
            *(f"{value / 1e6:.1f}" for value in row["characters_per_cpu_second"]),
            "{:.2f} ({:.2f} to {:.2f})".format(*row["ours_is_faster_by"]),
        ]
        for name, row in result["speed"]["rows"].items()
    ]
    fast = as_table("splitter|M characters a CPU second|least|most|its CPU time over ours", rates)
    result["table"] = as_table(head, lines) + "\n" + fast
    return result
