"""What choosing takes beside reading the candidates once, in the same process: splitting, tokens, words.

On a quiet core a thousand candidates take less than 50 ms and twenty hits less than 20 ms; a slower or busy machine is
measured by its own reading.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chunkers.structure import StructureChunker
from compressors.bubble import Bubble
from compressors.edu import Edu
from rag.lexical import terms
from rag.models.tokens import counter
from rag.types import Document, Hit, Hits, Query
from rag.units import units

TEXT = (Path(__file__).parents[1] / "data" / "commonmark_spec.md").read_text(encoding="utf-8")
QUESTION = "How is a fenced code block closed and what may stand in its info string?"


def asked(candidates: int) -> Hits:
    tree = StructureChunker()(Document("spec", TEXT, "CommonMark", "text/markdown"))
    hits = [
        Hit(tree, leaf, ((int(tree.start[leaf]), int(tree.end[leaf])),), -float(k))
        for k, leaf in enumerate(tree.leaf_ids.tolist())
    ]
    count = 0
    for k, hit in enumerate(hits):
        count += len(units([hit]))
        if count >= candidates:
            return Hits(Query("q", QUESTION), tuple(hits[: k + 1]))
    raise AssertionError(f"only {count} candidates")


def seconds(work: Callable[[], object]) -> float:
    """CPU time, the best of four, without garbage collection."""
    found = []
    gc.disable()
    try:
        for _ in range(4):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(found)


def read_once(hits: Hits) -> None:
    pieces = [hits[u.hit].document.text[u.start : u.end] for u in units(hits.items)]
    counter("cl100k").counts(pieces)
    for piece in pieces:
        terms(piece)


def test_a_thousand_candidates_cost_a_few_readings() -> None:
    hits = asked(1000)
    stage = Bubble(budget=1000)
    assert seconds(lambda: stage(hits)) < max(0.05, 7 * seconds(lambda: read_once(hits)))


def test_time_grows_with_the_candidates_and_no_faster() -> None:
    half, whole = asked(600), asked(1200)
    stage = Bubble(budget=1000)
    assert seconds(lambda: stage(whole)) < 4 * seconds(lambda: stage(half))


@dataclass(frozen=True)
class ByLength:
    """Costs nothing."""

    name: str = "by length"
    fingerprint: str = "by length"

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        return np.array([len(text) % 97 for text in texts], dtype=np.float32)


def test_twenty_long_hits_cost_a_few_readings_beside_the_scorer() -> None:
    hits = asked(1000)
    longest = sorted(hits, key=lambda hit: (hit.spans[0][0] - hit.spans[0][1], hit.key))[:20]
    twenty = replace(hits, items=tuple(longest))
    stage = Edu(scorer=ByLength(), budget=1000)
    assert stage(twenty).notes["compressors/edu"]["units"] > 100
    assert seconds(lambda: stage(twenty)) < max(0.02, 6 * seconds(lambda: read_once(twenty)))
