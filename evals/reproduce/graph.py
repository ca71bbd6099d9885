"""What a graph of names finds that words do not, without any model; and what it costs to build and to ask.

`retrievers/graph` over BM25, against BM25, on questions whose evidence stands in two to four passages: recall of the
first five documents and whether all were found. Constants were fixed on one half (by checksum of the question's id) of
`multihop/2wikimultihopqa` and `multihop/hotpotqa`; that half is shown apart. `hidden` is the same without any title,
in index and graph.

Speed is measured on passages with made names, in one process: 10,000 passages and 1,000 questions, and building the
graph of 100,000.
"""

from __future__ import annotations

import resource
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from evals.hops import Passages, against, asked_in, means
from evals.reproduce import as_table
from rag.doctree import flat
from rag.errors import DataError
from rag.store.corpus import MemoryPart, MemoryStore, in_memory
from rag.store.parts import bound_to, part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.graph import Graph

__all__ = ["FIXED", "SETS", "made", "measured", "reproduce", "speed"]

SETS = ("multihop/musique", "multihop/2wikimultihopqa", "multihop/hotpotqa", "musique", "twowiki", "hotpotqa")
FIXED = ("multihop/2wikimultihopqa", "multihop/hotpotqa")  # on their first halves
SYLLABLES = "ba bel cor dan el fin gar hol in jor kel lin mar nor os pel quin ros sal tor ul ver wim yor zan".split()  # noqa: SIM905


def measured(data: Passages, seed: int, but: frozenset[str] = frozenset()) -> tuple[Any, Any]:
    """BM25, the graph, and what the graph is ahead by, on one set: all questions, and those that are not in `but`."""
    base, graph = data.values(data.ready(BM25())), data.values(data.ready(Graph()))

    def told(kept: Any) -> Any:
        one, other = ({name: row[kept] for name, row in values.items()} for values in (base, graph))
        return {"bm25": means(one, seed), "graph": means(other, seed), "ahead": against([one], [other], seed)}

    rest = np.array([item.text not in but for item in data.items])
    return told(slice(None)), None if rest.all() or not rest.any() else told(rest)


def made(n: int, seed: int = 0) -> Iterator[Document]:
    """Passages about made persons and places, each naming three others, 500 characters long."""
    rng = np.random.default_rng(seed)

    def name(i: int) -> str:
        first, second = divmod(i, 9973)
        words = (SYLLABLES[second % 24] + SYLLABLES[second // 24 % 24], SYLLABLES[i % 23] + SYLLABLES[second // 576])
        return f"{words[0].title()} {words[1].title()}{SYLLABLES[first % 24]}"

    filler = "it was told in many towns of the river and nobody could say how it had come to be so in those years "
    for i in range(n):
        a, b, c = (name(int(j)) for j in rng.integers(0, n, 3))
        own = name(i)
        text = f"{own} was a maker of mills who worked with {a}. In the spring {own} met {b} near {c}. {filler * 4}"
        yield Document(f"d{i:06}", text, own)


def stored(n: int) -> MemoryStore:
    """The passages, one leaf each."""
    return in_memory([flat(one, [(0, len(one.text))]) for one in made(n)])


def speed(passages: int, questions: int) -> dict[str, float]:
    """Processor seconds to build the graph and to ask, and the memory that the process reached (MB)."""
    store = stored(passages)
    bm25, graph = BM25(), Graph()
    part = MemoryPart()
    began = time.process_time()
    graph.build(store.corpus, part)
    built = time.process_time() - began
    found = {"build_s": round(built, 1), "edges": len(part.load("edge-target"))}
    if questions:
        bm25.build(store.corpus, store.part(part_key(bm25)))
        store.parts[part_key(graph)] = part
        ready = bound_to(graph, store).bind(store)
        asked = [
            Query(str(i), f"Who met the maker of mills that {one.title} worked with?")
            for i, one in zip(range(questions), made(passages), strict=False)
        ]
        ready(asked[0])
        began = time.process_time()
        for query in asked:
            ready(query)
        found["ask_s"] = round(time.process_time() - began, 1)
    found["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both tables."""
    if given.data is None:
        raise DataError("graph: --data: must name the folder that holds the sets, got none. Give it.")
    result: dict[str, Any] = {"seed": given.seed, "fixed": list(FIXED), "shown": {}, "hidden": {}}
    result |= {"rest": {}, "rest hidden": {}}
    fixed = asked_in((given.data / name for name in FIXED), 0)
    lines = []
    for name in SETS:
        folder = given.data / name
        if not folder.is_dir():
            continue
        for kind in ("shown", "hidden"):
            tell(f"{name} {kind}\n")
            data = Passages(folder, titles=kind == "shown", limit=given.limit)
            row, rest = measured(data, given.seed, fixed)
            result[kind][name] = row
            lines.append([f"{name} {kind}", *told(row)])
            if rest is not None:
                result["rest" if kind == "shown" else "rest hidden"][name] = rest
                lines.append([f"{name} {kind}, rest", *told(rest)])
    tell("speed\n")
    result["speed"] = {"10000": speed(10_000, 1000), "100000": speed(100_000, 0)}
    head = "set|n|R@2 bm25|graph|R@5 bm25|graph|AllR@5 bm25|graph|ahead, R@5 (95 %)"
    result["table"] = as_table(head, lines) + f"\nspeed: {result['speed']}\n"
    return result


def told(row: dict[str, Any]) -> list[str]:
    """Cells of a line."""
    ahead = row["ahead"]["R@5"]
    cells = [f"{row[one][cut]['mean']:.1f}" for cut in ("R@2", "R@5", "AllR@5") for one in ("bm25", "graph")]
    return [str(row["bm25"]["n"]), *cells, f"{ahead['delta']:+.1f} ({ahead['low']:+.1f} to {ahead['high']:+.1f})"]
