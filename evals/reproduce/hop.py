"""What a hop adds at the same number of passages, without training: by vectors and by words.

`retrievers/hop` over bge-small and over BM25, against each alone: recall of documents in the first five and ten, and
whether all were found. The constants of the vectors' rule were fixed on one half (by checksum of the question's id)
of the three sets of `multihop`; of `musique`, `twowiki` and `hotpotqa`, which ask many of the same questions, those
are left out.

The time of a hop is that of `hops: 1` less that of `hops: 0`, processor time of one thread, on 100,000 made vectors
behind a graph of neighbours such as an index of that size has, built with less effort.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np

from evals.hops import Passages, against, asked_in, means
from evals.reproduce import as_table
from rag.doctree import flat
from rag.errors import DataError
from rag.models.embed import HashEmbedder
from rag.store.corpus import in_memory
from rag.store.parts import bound_to, part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hop import Hop

__all__ = ["FIXED", "SETS", "hop_milliseconds", "measured", "reproduce"]

FIXED = ("multihop/musique", "multihop/2wikimultihopqa", "multihop/hotpotqa")  # on their first halves
SETS = ("musique", "twowiki", "hotpotqa")
BASES: dict[str, Callable[[], Any]] = {"vectors": Dense, "words": BM25}


def measured(data: Passages, base: str, seed: int) -> dict[str, Any]:
    """A base, the hop over it, and what the hop is ahead by."""
    plain, hop = data.values(data.ready(BASES[base]())), data.values(data.ready(Hop(inner=BASES[base]())))
    return {
        "values": (plain, hop),
        "plain": means(plain, seed),
        "hop": means(hop, seed),
        "ahead": against([plain], [hop], seed),
    }


def hop_milliseconds(leaves: int = 100_000, questions: int = 200) -> dict[str, float]:
    """Processor time of a question without and with one hop, over made vectors of 384 numbers."""
    store = in_memory([flat(Document(f"d{i:06}", "x"), [(0, 1)]) for i in range(leaves)])
    dense = Dense(embedder=HashEmbedder(dim=384), links=16, build_effort=20)
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(2000, 384))
    rows = centre[rng.integers(0, 2000, leaves)] + rng.normal(size=(leaves, 384))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    part = store.part(part_key(dense))
    part.save("vectors", rows)
    part.save_json("embedder", {"fingerprint": dense.embedder.fingerprint, "dim": 384})
    took = {}
    ready = dense.bind(store)
    for hops in (0, 1):
        hop = bound_to(Hop(inner=ready, hops=hops), store)
        hop(Query("q", "first"))
        began = time.process_time()
        for i in range(questions):
            hop(Query(str(i), f"question about {i} and {i * 7}"))
        took[hops] = 1000 * (time.process_time() - began) / questions
    return {"plain_ms": round(took[0], 2), "hop_ms": round(took[1] - took[0], 2), "leaves": leaves, "n": questions}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The table of both bases."""
    if given.data is None:
        raise DataError("hop: --data: must name the folder that holds the sets, got none. Give it.")
    result: dict[str, Any] = {"seed": given.seed, "fixed": list(FIXED), "sets": {}, "pooled": {}}
    fixed = asked_in((given.data / name for name in FIXED), 0)
    lines = []
    kept: dict[str, list[Any]] = {base: [] for base in BASES}
    for name in SETS:
        if not (given.data / name).is_dir():
            continue
        data = Passages(given.data / name, but=fixed, limit=given.limit)
        result["sets"][name] = {}
        for base in BASES:
            tell(f"{name} {base}\n")
            row = measured(data, base, given.seed)
            kept[base].append(row.pop("values"))
            result["sets"][name][base] = row
            cells = [f"{row[one][cut]['mean']:.1f}" for cut in ("R@5", "AllR@5", "R@10") for one in ("plain", "hop")]
            lines.append([f"{name} {base}", str(row["plain"]["n"]), *cells, told(row["ahead"]["R@5"])])
    for base, rows in kept.items():
        result["pooled"][base] = against([a for a, _ in rows], [b for _, b in rows], given.seed)
        lines.append(
            [f"mean of sets, {base}", str(result["pooled"][base]["n"]), *[""] * 6, told(result["pooled"][base]["R@5"])]
        )
    tell("time\n")
    result["time"] = hop_milliseconds()
    head = "set|n|R@5 plain|hop|AllR@5 plain|hop|R@10 plain|hop|ahead, R@5 (95 %)"
    result["table"] = as_table(head, lines) + f"\ntime: {result['time']}\n"
    return result


def told(row: dict[str, float]) -> str:
    """A difference and its interval."""
    return f"{row['delta']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"
