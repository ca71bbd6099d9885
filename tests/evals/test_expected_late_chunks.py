"""What late chunking adds is pinned, and a cheap part is measured again without weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import late_chunks
from rag.models.embed import HashEmbedder
from rag.store.corpus import in_memory
from rag.types import Document
from retrievers.dense import Dense

EVALS = Path(__file__).parents[2] / "evals"


def test_every_way_to_read_is_held_against_plain_on_four_sets_with_intervals() -> None:
    pinned = json.loads((EVALS / "expected" / "late_chunks.json").read_text())
    assert set(pinned["sets"]) == set(late_chunks.SETS)
    assert len(pinned["sets"]) >= 4
    assert len(pinned["pairs"]) == len(late_chunks.PAIRS)
    for one in pinned["sets"].values():
        assert set(one["rows"]) == set(late_chunks.rows())
    for pair in pinned["pairs"].values():
        assert len(pair) == len(late_chunks.BUDGETS)
        for row in pair:
            assert row["low"] <= row["delta"] <= row["high"]
            assert row["n"] == sum(one["questions"] for one in pinned["sets"].values())


def test_the_docstrings_say_what_is_pinned() -> None:
    pairs = json.loads((EVALS / "expected" / "late_chunks.json").read_text())["pairs"]
    assert all(row["high"] <= 0 or row["low"] <= 0 <= row["high"] for pair in pairs.values() for row in pair)
    small, large = pairs["MiniLM, section less MiniLM, plain"][0], pairs["bge mean, section less bge mean, plain"][0]
    said = " ".join((Dense.__doc__ or "").split())
    assert f"in 512 tokens {small['delta']:+.1f} points of recall with MiniLM by section" in said
    assert f"95 %: {small['low']:+.1f} to {small['high']:+.1f}, {small['n']} questions" in said
    assert f"{large['delta']:+.1f}, {large['low']:+.1f} to {large['high']:+.1f}, with bge-small" in said
    assert f"a loss of {-large['delta']:.0f} points in 512 tokens" in " ".join((late_chunks.__doc__ or "").split())


@pytest.mark.parametrize("reads", ["section", "document"])
def test_the_measure_runs_on_the_bundled_manual(reads: str) -> None:
    data = load(EVALS / "samples" / "manual")
    docs = [doc for doc in data.places if any(span.doc == doc for item in data.items for span in item.spans)][:2]
    items = [item for item in data.items if item.spans and {span.doc for span in item.spans} <= set(docs)][:10]
    store = in_memory([StructureChunker()(Document(doc, data.text(doc))) for doc in docs])
    values = late_chunks.scores(store, Dense(embedder=HashEmbedder(), reads=reads), items)  # type: ignore[arg-type]
    assert values.shape == (len(items), 2)
    assert np.all((values >= 0) & (values <= 1))
    assert values.any()
