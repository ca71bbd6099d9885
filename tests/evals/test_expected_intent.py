from __future__ import annotations

import json
from pathlib import Path

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.intent import BUDGETS, drawn, scores

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "intent.json").read_text())


def test_no_difference_from_structure_was_found_on_more_than_three_hundred_questions() -> None:
    assert len(PINNED["sets"]) >= 4
    for rows in PINNED["paired"].values():
        assert all(row["n"] >= 300 for row in rows)
        assert all(row["low"] <= 0 <= row["high"] for row in rows)


def test_documents_are_drawn_by_seed_and_every_question_can_be_answered() -> None:
    data = load(SAMPLE)
    docs, items = drawn(data, 0, 400_000)
    assert (docs, items) == drawn(data, 0, 400_000)
    assert docs
    assert all(span.doc in docs for item in items for span in item.spans)
    small = [item for item in items if item.spans[0].doc == docs[0]][:5]
    found = scores(StructureChunker(), data, docs[:1], small)
    assert found["recall"].shape == (len(small), len(BUDGETS))
