"""How even chunks are: sizes by dynamic programming against langchain's recursive splitter at the same mean.

Both cut the same documents under caps of real tokens. The recursive splitter's cap is bisected until its mean is
nearest to ours, so that the spread is compared at one size. Runts are chunks below our minimum that are not whole
sections; the peer's are held against the same number.

The interval is of the ratio of the two coefficients of variation, chunks resampled within each splitter. Speed is CPU
time over that of the tokenizer alone in the same run.
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
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from rag.models.tokens import counter
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree

__all__ = ["EVEN", "SIZES", "compare", "reproduce"]

SIZES = (96, 160, 256)
EVEN = (0.3, 1.0, 3.0)  # the first is the default
RESAMPLES = 2_000


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
    chunker(docs[0])
    begin = time.process_time()
    trees = [chunker(doc) for doc in docs]
    seconds = time.process_time() - begin
    tokenizer = counter("cl100k")
    begin = time.process_time()
    for doc in docs:
        tokenizer.starts(doc.text)
    alone = time.process_time() - begin
    mine = sizes_of(trees)
    cap, theirs = matched(docs, float(mine.mean()))
    rng = np.random.default_rng(seed)
    ratios = [spread(rng.choice(mine, len(mine))) / spread(rng.choice(theirs, len(theirs))) for _ in range(RESAMPLES)]
    low, high = np.percentile(ratios, [2.5, 97.5]).tolist()
    characters = sum(len(doc.text) for doc in docs)
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
        "cpu_over_tokenizer": round(seconds / alone, 2),
        "characters_per_cpu_second": round(characters / seconds),
    }


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
                *(f"{ratio:.2f} ({low:.2f} to {high:.2f})", f"{row['characters_per_cpu_second'] / 1e6:.1f}"),
            ]
        )
    head = "size|even|chunks|mean|cv|over|runts|peer mean|peer cv|peer runts|cv / peer's|M char/CPU s"
    result["table"] = as_table(head, lines)
    return result
