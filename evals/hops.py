"""Questions over many short passages, ranked by document: what retrievers of several hops are measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import Item, load
from evals.metrics.ranking import all_recall, distinct, recall
from evals.stats import interval, intervals
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.types import Hits

__all__ = ["CUTS", "Passages", "against", "asked_in", "half", "means"]

CUTS = ("R@2", "R@5", "R@10", "AllR@2", "AllR@5", "AllR@10")
Values = Mapping[str, "NDArray[np.float64]"]


def half(question: str) -> int:
    """0 or 1, by the checksum of a question's id: constants are fixed on the first half and shown on the second."""
    return hashlib.md5(question.encode(), usedforsecurity=False).digest()[0] & 1


def asked_in(folders: Iterable[Path], only: int | None = None) -> frozenset[str]:
    """Texts of the questions of sets, so that what fixed constants is left out wherever it is asked again.

    Args:
        folders: sets; one that is not there has none.
        only: which half of the questions, see `half`; None for both.
    """
    there = [folder for folder in folders if folder.is_dir()]
    return frozenset(item.text for one in there for item in load(one).items if only in (None, half(item.id)))


@dataclass(frozen=True, eq=False)
class Passages:
    """A set in memory, its passages cut by structure.

    Args:
        folder: the set.
        titles: whether documents keep their titles; without them neither an index nor a graph sees any.
        limit: questions at most, the first ones.
        only: which half of the questions, see `half`; None for both.
        but: texts of questions that are left out.
    """

    folder: Path
    titles: bool = True
    limit: int | None = None
    only: int | None = None
    but: frozenset[str] = frozenset()

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The questions with something relevant."""
        with_gold = [item for item in load(self.folder).items if any(grade > 0 for grade in item.qrels.values())]
        kept = [item for item in with_gold if self.only in (None, half(item.id)) and item.text not in self.but]
        return tuple(kept[: self.limit])

    @cached_property
    def store(self) -> MemoryStore:
        """The passages, in order of their ids."""
        data, cut = load(self.folder), StructureChunker()
        titles = {doc: str(data.record(doc).get("title") or "") if self.titles else "" for doc in data.places}
        return in_memory([cut(Document(doc, data.text(doc), titles[doc])) for doc in sorted(data.places)])

    def ready(self, retriever: Any) -> Any:
        """The retriever, bound; parts that are there already are not built again."""
        for one in retrievers_of(retriever):
            if (key := part_key(one)) not in self.store.parts:
                one.build(self.store.corpus, self.store.part(key))
        return bound(retriever, self.store)

    def values(self, ask: Callable[[Any], Hits]) -> dict[str, NDArray[np.float64]]:
        """Recall of documents and whether all were found, in percent, one a question."""
        rows: list[list[float]] = []
        for item in self.items:
            ranking = distinct(hit.doc for hit in ask(item.query()))
            rows.append([100 * recall(ranking, item.qrels, k) for k in (2, 5, 10)])
            rows[-1] += [100 * all_recall(ranking, item.qrels, k) for k in (2, 5, 10)]
        table = np.array(rows, dtype=np.float64).reshape(len(rows), len(CUTS))
        return {name: table[:, i] for i, name in enumerate(CUTS)}


def means(values: Values, seed: int) -> dict[str, Any]:
    """Mean and 95 % interval of each measure, and the number of questions."""
    rows = intervals(np.stack([values[name] for name in CUTS], axis=1), seed=seed)
    named = {
        name: {"mean": round(one.value, 2), "low": round(one.low, 2), "high": round(one.high, 2)}
        for name, one in zip(CUTS, rows, strict=True)
    }
    return {"n": len(values["R@5"]), **named}


def against(base: Sequence[Values], other: Sequence[Values], seed: int) -> dict[str, Any]:
    """What the second is ahead by, on each question; over several sets the mean of the sets' means.

    The interval of a mean over sets draws the questions of each set anew (stratified bootstrap), so that a large set
    does not outweigh a small one.
    """
    found: dict[str, Any] = {"n": sum(len(one["R@5"]) for one in base)}
    for name in ("R@5", "AllR@5"):
        if len(base) == 1:
            one = interval(other[0][name] - base[0][name], seed=seed)
            value, low, high = one.value, one.low, one.high
        else:
            moved = [b[name] - a[name] for a, b in zip(base, other, strict=True)]
            rng = np.random.default_rng(seed)
            drawn = np.mean([one[rng.integers(0, len(one), (10_000, len(one)))].mean(axis=1) for one in moved], axis=0)
            low, high = np.percentile(drawn, [2.5, 97.5])
            value = float(np.mean([one.mean() for one in moved]))
        found[name] = {"delta": round(value, 2), "low": round(float(low), 2), "high": round(float(high), 2)}
    return found
