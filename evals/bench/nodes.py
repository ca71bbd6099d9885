"""Tree search at scale: a million nodes over many short documents, built and searched; no model is called."""

from __future__ import annotations

import resource
import time
from functools import lru_cache
from typing import Any

import numpy as np

from evals.stats import percentiles
from rag.doctree import DocTree
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import Corpus, MemoryStore
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.tree import TreeRetriever

__all__ = ["library", "measure"]

SECTIONS, LEAVES = 3, 2  # of a document, and of each of its sections
WORDS = 20_000  # in the vocabulary; drawn by a law of Zipf's kind, as words of real text are


def library(documents: int, seed: int = 0, *, sections: int = SECTIONS, held: int = 256) -> Corpus:
    """Documents of some sections with two leaves each: ten nodes a document by default, made when they are asked for.

    Args:
        documents: how many.
        seed: of the words.
        sections: of a document.
        held: documents kept once they were made.
    """
    size = 1 + sections * (1 + LEAVES)
    parent = [-1]
    kind = [0]
    for _ in range(sections):
        parent += [0, *([len(parent)] * LEAVES)]
        kind += [1, *([2] * LEAVES)]
    leaves = [i for i, one in enumerate(kind) if one == 2]

    @lru_cache(maxsize=held)
    def tree(ordinal: int) -> DocTree:
        rng = np.random.default_rng([seed, ordinal])
        drawn = iter((WORDS ** rng.random((len(leaves) * 24 + sections * 3))).astype(int).tolist())

        def words(n: int) -> str:
            return " ".join(f"w{next(drawn)}" for _ in range(n))

        start, end, titles, parts, at = [0] * size, [0] * size, [(0, 0)] * size, list[str](), 0
        for node in range(1, size):
            start[node] = at
            if kind[node] == 1:
                head = f"# {words(3)}\n"
                titles[node] = (at + 2, at + len(head) - 1)
                parts.append(head)
                at += len(head)
                continue
            if kind[node - 1] == 1:
                start[node] = start[node - 1]
            body = f"{words(24)}.\n"
            parts.append(body)
            at += len(body)
            end[node] = at
            end[parent[node]] = at
        end[0] = at
        begins, ends, above = (np.array(x, dtype=np.int64) for x in (start, end, parent))
        counts = np.full(size, -1, np.int32)
        level = np.array([min(one, 1) for one in kind], np.int16)
        kinds, heads = np.array(kind, np.uint8), np.array(titles, np.int64)
        document = Document(f"d{ordinal:07}", "".join(parts))
        return DocTree(document, begins, ends, above, kinds, level, heads, counts)

    return Corpus(
        doc_ids=[f"d{i:07}" for i in range(documents)],
        metadata=[{}] * documents,
        doc=np.repeat(np.arange(documents, dtype=np.int32), len(leaves)),
        node=np.tile(np.array(leaves, dtype=np.int32), documents),
        reuse=np.full(documents * len(leaves), -1, dtype=np.int64),
        tree=tree,
    )


def measure(documents: int = 100_000, questions: int = 40, seed: int = 0) -> dict[str, Any]:
    """Build an index of ten nodes a document and ask it.

    Returns:
        nodes; seconds of processor time to build the node index; its bytes; for each strategy the median and the 95th
        percentile of processor milliseconds a question, everything included, and of the leaf ranking alone.
    """
    corpus = library(documents, seed)
    inner = BM25(path=False)
    store = MemoryStore(corpus)
    cases: dict[str, Any] = {
        "flat": inner,
        "collapsed": TreeRetriever(inner=inner),
        "beam": TreeRetriever(inner=inner, strategy="beam"),
        "beam, 16 documents routed": TreeRetriever(inner=inner, strategy="beam", documents=16),
    }
    built: dict[str, float] = {}
    for one in retrievers_of(cases["beam"]):
        began = time.process_time()
        one.build(corpus, store.part(part_key(one)))
        built[type(one).__name__] = round(time.process_time() - began, 1)
    part = store.part(part_key(cases["beam"]))
    rng = np.random.default_rng([seed, 1])
    asked = [Query(f"q{i}", " ".join(f"w{int(n)}" for n in WORDS ** rng.random(8))) for i in range(questions)]
    result: dict[str, Any] = {
        "documents": documents,
        "nodes": int(part.load("first")[-1]),
        "build_seconds": built,
        "bytes": sum(value.nbytes for value in part.values.values()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "ms": {},
    }
    for name, one in cases.items():
        ready = bound(one, store)
        ready(asked[0])
        took = []
        for query in asked:
            began = time.process_time()
            ready(query)
            took.append(1000 * (time.process_time() - began))
        result["ms"][name] = [round(value, 2) for value in percentiles(took, (50, 95))]
    return result
