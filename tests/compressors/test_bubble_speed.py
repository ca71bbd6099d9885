"""The bubble's time beside what reading its candidates once takes, in the same process: splitting, tokens, words."""

import time
from collections.abc import Callable
from pathlib import Path

from chunkers.structure import StructureChunker
from compressors.bubble import Bubble
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
    """CPU time, the best of four."""
    found = []
    for _ in range(4):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def read_once(hits: Hits) -> None:
    pieces = [hits[u.hit].document.text[u.start : u.end] for u in units(hits.items)]
    counter("cl100k").counts(pieces)
    for piece in pieces:
        terms(piece)


def test_a_thousand_candidates_cost_a_few_readings() -> None:
    hits = asked(1000)
    stage = Bubble(budget=1000)
    assert seconds(lambda: stage(hits)) < 7 * seconds(lambda: read_once(hits))


def test_time_grows_with_the_candidates_and_no_faster() -> None:
    half, whole = asked(600), asked(1200)
    stage = Bubble(budget=1000)
    assert seconds(lambda: stage(whole)) < 4 * seconds(lambda: stage(half))
