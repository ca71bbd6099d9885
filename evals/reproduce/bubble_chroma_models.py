"""How much of the gold text of Chroma's questions a bubble holds at a budget, beside whole chunks, with the models.

As `evals.reproduce.bubble_chroma`; the chunks are ranked by BM25 fused with bge-small and a cross-encoder over the best
60, the bubble is the recipe `bubble`. Of every four questions the last two are asked, which chose no setting's value.
What the bubble kept of the third with an earlier recipe made us look for a better one, on other questions; the fourth
was asked once, at the end.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evals.datasets import load
from evals.peers.text_splitter import TextSplitter
from evals.reproduce import SAMPLE, as_table
from evals.reproduce.bubble_chroma import BUDGETS, SIZES, chunked, compared, measured, packed, searched
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evals.datasets import Item

__all__ = ["asked", "reproduce"]

DEPTH = 60  # chunks that the cross-encoder reads
STEP, PARTS = 4, (2, 3)  # of the questions


def asked(items: Sequence[Item]) -> list[Item]:
    """The questions that chose no setting."""
    return [item for number, item in enumerate(items) if number % STEP in PARTS]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Chunks and bubbles with the models."""
    data = load(given.data or SAMPLE)
    items = asked(data.items)[: given.limit]
    rows: dict[str, NDArray[np.float64]] = {}
    tell("bubble\n")
    bubble = measured(items, packed("bubble", data))
    for size in SIZES:
        tell(f"chunks of {size}\n")
        both = Hybrid(retrievers=(BM25(k=100), Dense(k=100)), k=DEPTH)
        ask = searched(TextSplitter(size=size), both, data)
        rows[f"chunks of {size}"] = measured(items, chunked(ask, CrossEncoder(k=DEPTH)))
    told, lines = compared("bubble", {**rows, "bubble": bubble}, given.seed)
    table = as_table("row|" + "|".join(f"{size:,}" for size in BUDGETS), lines)
    return {"seed": given.seed, "n": len(items), "budgets": list(BUDGETS), **told, "table": table}
