"""Train a small network that orders hits by context: python -m evals.training.context OUT FOLDER --train ... --test ...

FOLDER holds the sets, whose licence lets numbers made of them be shipped; `NAME open` asks every question of a set of
all its documents. What came out is in `evals/expected/context_trained.json`: on sets it never saw the network is worse
than the training-free form, so it is not shipped, and nothing reads what this writes.

The network is a small form of EBCAR's (Yuan et al., "Embedding-Based Context-Aware Reranker", 2025,
https://arxiv.org/abs/2510.13329): candidates with their vectors, the rank of their document and their place in it
attend to each other, once to all and once to those of their document. Departures: it is a hundredth of the size (two
layers, width 64), since there are hundreds of questions to learn from and not hundreds of thousands; it sees the scores
that the training-free form sees (`FEATURES`), and its last layer is added to that form's score, so that without
training it is that form; the loss is a softmax over all relevant candidates.

Two networks are trained: `features` reads the scores alone, `network` vectors too, on all but the last documents of
each set, which decide when to stop. With more than one of `SEEDS` the mean of the runs is what is tested.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import load
from evals.metrics.ranking import ndcg
from evals.reproduce.context import judged, trees_of
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rerankers.context_aware import ContextAware
from rerankers.stretch import stretched
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder
    from rag.types import Hits

__all__ = ["CUT", "FEATURES", "POOL", "Pool", "asked", "points", "pools_of"]

POOL, CUT = 50, 10
FEATURES = ("free", "own", "near", "document", "heading", "bm25", "dense", "before", "behind", "inside", "place")


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidates of one question, by document and place.

    Args:
        question: float32 (d,).
        rows: float32 (n, d), of length 1.
        docs: int64 (n,), rank of the candidate's document by its best candidate.
        places: int64 (n,), in leaves.
        features: float32 (n, f), `FEATURES` in their order.
        labels: bool (n,), which are evidence.
        gold: relevant leaves of the question, found or not.
        source: the candidates' document ids, for splits by document.
    """

    question: NDArray[np.float32]
    rows: NDArray[np.float32]
    docs: NDArray[np.int64]
    places: NDArray[np.int64]
    features: NDArray[np.float32]
    labels: NDArray[np.bool_]
    gold: int
    source: str


def asked(
    folder: Path, *, wide: bool = False, limit: int | None = None, embedder: Embedder | None = None
) -> list[Pool]:
    """The candidates of a set's questions, 50 of BM25 fused with bge-small, with what a network may read.

    Args:
        folder: a dataset.
        wide: every question is asked of all documents.
        limit: at most so many questions, evenly over the file.
        embedder: in place of bge-small.
    """
    data = load(folder)
    made, gold = trees_of(data)
    trees = {tree.document.id: tree for tree in made}
    store = in_memory(made)
    dense = Dense(k=100) if embedder is None else Dense(embedder=embedder, k=100)
    source = Hybrid(retrievers=(BM25(k=100), dense), k=POOL)
    for one in retrievers_of(source):
        one.build(store.corpus, store.part(part_key(one)))
    search, vectors = bound(source, store), bound(dense, store)
    every = store.corpus.hits(np.arange(len(store.corpus)), np.zeros(len(store.corpus)), "all")
    number = {(hit.doc, hit.node): i for i, hit in enumerate(every)}
    items = [item for item in data.items if item.id in gold]
    if limit is not None and limit < len(items):
        items = [items[i] for i in np.linspace(0, len(items) - 1, limit).astype(int).tolist()]
    found = []
    for item in items:
        query = replace(item.query(), history=())
        hits = search(replace(query, scope=None) if wide else query)
        good = judged(trees, gold[item.id])
        if hits.items and good:
            asked_ = vectors.embedder.embed([query.text], query=True)[0]
            found.append(_pool(hits, good, asked_, vectors.rows, number))
    return found


def _pool(
    hits: Hits,
    good: dict[str, int],
    question: NDArray[np.float32],
    rows: NDArray[np.float32],
    number: dict[tuple[str, int], int],
) -> Pool:
    free = {hit.key: hit for hit in ContextAware(k=len(hits))(hits)}
    items = sorted(hits, key=lambda hit: hit.key)
    rank: dict[str, int] = {}
    for hit in hits:
        rank.setdefault(hit.doc, len(rank))
    places = np.array([int(np.searchsorted(hit.tree.leaf_ids, hit.node)) for hit in items], dtype=np.int64)
    docs = np.array([rank[hit.doc] for hit in items], dtype=np.int64)
    own = stretched(hit.score for hit in items)
    mine = np.ascontiguousarray(rows[[number[hit.doc, hit.node] for hit in items]])
    parts = np.array([_parts(free[hit.key].why) for hit in items])
    beside = [[_at(own, docs, places, i, step) for i in range(len(items))] for step in (-1, 1)]
    same = docs[:, None] == docs[None, :]
    np.fill_diagonal(same, val=False)
    alike = np.where(same, mine @ mine.T, 0.0) * own[None, :]
    leaves = np.array([max(1, len(hit.tree.leaf_ids) - 1) for hit in items])
    features = np.stack(
        (
            np.array([free[hit.key].score for hit in items]),
            own,
            *parts.T,
            stretched(hit.scores.get("retrievers/bm25", np.nan) for hit in items),
            mine @ question,
            *np.array(beside),
            alike.max(axis=1, initial=0.0),
            places / leaves,
        ),
        axis=1,
    ).astype(np.float32)
    labels = np.array([f"{hit.doc}\0{hit.node}" in good for hit in items], dtype=bool)
    return Pool(question, mine, docs, places, features, labels, len(good), hits[0].doc)


def _parts(why: str) -> list[float]:
    told = dict(part.rsplit(" ", 1) for part in why.split(", ") if part)
    return [float(told.get(name, 0)) for name in ("near", "document", "heading")]


def _at(own: NDArray[np.float64], docs: NDArray[np.int64], places: NDArray[np.int64], i: int, step: int) -> float:
    there = (docs == docs[i]) & (places == places[i] + step)
    return float(own[there].max(initial=0.0))


def points(pools: Sequence[Pool], scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """nDCG@10 of each question, ties by document and place.

    Args:
        pools: of n questions.
        scores: of the candidates of each.
    """
    values = []
    for pool, score in zip(pools, scores, strict=True):
        order = np.argsort(-np.round(score, 6), kind="stable")
        names = [str(i) if pool.labels[i] else f"no {i}" for i in order.tolist()]
        grades = {str(i): 1 for i in np.flatnonzero(pool.labels).tolist()}
        grades |= {f"missed {i}": 1 for i in range(pool.gold - len(grades))}
        values.append(ndcg(names, grades, CUT))
    return np.array(values)


def pools_of(names: Sequence[str], root: Path, limit: int | None) -> dict[str, list[Pool]]:
    """The candidates of each set by name, `NAME open` asked of all documents."""
    return {name: asked(root / name.split()[0], wide=name.endswith(" open"), limit=limit) for name in names}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, test, write."""
    from evals.training.context_network import compared, scored, trained

    parser = ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("root", type=Path, help="folder of the sets")
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--test", nargs="+", required=True)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args(arguments)
    learnt = pools_of(given.train, given.root, given.limit)
    held = pools_of(given.test, given.root, given.limit)
    nets = {kind: trained(learnt, kind) for kind in ("features", "network")}
    for name, pools in held.items():
        sys.stdout.write(f"{name}: {compared(pools, {kind: scored(net, pools) for kind, net in nets.items()})}\n")
    weights: dict[str, Any] = {}
    for kind, runs in nets.items():
        for i, run in enumerate(runs):
            weights |= {f"{kind}.{i}.{key}": value.numpy() for key, value in run.state_dict().items()}
    np.savez_compressed(given.out, allow_pickle=False, **weights)


if __name__ == "__main__":
    main()
