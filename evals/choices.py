"""Ways to choose from candidates, and what a chosen set is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from evals.pools import Case
from rag.models.tokens import counter
from rerankers.rationale import Rationale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder
    from rag.types import Hit, Hits

__all__ = ["COLUMNS", "KS", "Chooser", "choosers", "first", "measured"]

KS = range(1, 21)
COLUMNS = ("kept", "precision", "recall", "f1", "tokens")
Chooser = Callable[["Hits"], Sequence["Hit"]]


def first(name: str, k: int) -> Chooser:
    """The best k by what a stage gave."""

    def choose(hits: Hits) -> Sequence[Hit]:
        low = min((hit.scores.get(name, 0.0) for hit in hits), default=0.0) - 1
        return sorted(hits, key=lambda hit: (-hit.scores.get(name, low), hit.key))[:k]

    return choose


def by_chance() -> Callable[[Hits], Sequence[Hit]]:
    """The order of `rationale` without its cut, worked out once a question."""
    step = Rationale(pair=False, expand=False, min_k=KS[-1], max_k=KS[-1])
    known: dict[str, Sequence[Hit]] = {}

    def order(hits: Hits) -> Sequence[Hit]:
        if hits.query.id not in known:
            known[hits.query.id] = step(hits).items
        return known[hits.query.id]

    return order


def _cut(order: Chooser, k: int, hits: Hits) -> Sequence[Hit]:
    return order(hits)[:k]


def choosers(embedder: Embedder | None = None) -> dict[str, Chooser]:
    """Every way to choose that is compared; `NAME@k` are the fixed ones.

    Args:
        embedder: what METEORA's procedure compares with; None: words.
    """
    precision, recall = Rationale(), Rationale(mode="recall")
    published = Rationale(procedure="published", embedder=embedder)
    order = by_chance()
    made: dict[str, Chooser] = {
        "rationale": lambda hits: precision(hits).items,
        "rationale, recall": lambda hits: recall(hits).items,
        "METEORA as published": lambda hits: published(hits).items,
    }
    for k in KS:
        made[f"cross-encoder@{k}"] = first("rerankers/cross-encoder", k)
        made[f"search@{k}"] = first("retrievers/hybrid", k)
        made[f"own order@{k}"] = partial(_cut, order, k)
    return made


def measured(cases: Sequence[Case], choose: Chooser) -> NDArray[np.float64]:
    """float64 (n, 5): chunks kept, precision, recall and F1 of the chosen set, and its tokens, for each question.

    Recall counts all evidence of the corpus, found by the search or not.
    """
    tokenizer = counter("cl100k")
    rows = []
    for case in cases:
        chosen = list(choose(case.hits))
        right = len({hit.key for hit in chosen} & case.gold)
        size = sum(max(hit.view.tokens, 0) or tokenizer.count(hit.text) for hit in chosen)
        both = len(chosen) + len(case.gold)
        rows.append((len(chosen), right / max(len(chosen), 1), right / len(case.gold), 2 * right / both, size))
    return np.array(rows, dtype=np.float64)
