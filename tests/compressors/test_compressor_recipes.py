"""The recipes `edu` and `adaptive` go from a folder to cited answers with no weights at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import rag

MANUAL = """# Pump manual

## 1 Safety

Switch the pump off before opening it.

## 2 Operation

The pump runs at 40 litres per minute. The lamp is green then.

## 3 Care

Oil the shaft every 300 hours. Use oil of grade 32 only.
"""
OFFLINE = (
    "stages[0].retrievers[1].embedder={use: embedders/hash}",
    "stages[1]={use: rerankers/mmr, k: 20}",
    "stages[2].scorer=null",
    "stages[3].scorer=null",
    "stages[3].threshold=0.2",  # of words, among the few that `adaptive` leaves
)


@pytest.mark.parametrize("name", ["edu", "adaptive"])
def test_a_question_is_answered_from_the_leaves_chosen_for_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "manual.md").write_text(MANUAL)
    assert rag.load(name).reads
    rag.load(name, set=OFFLINE).index([tmp_path / "docs"], tmp_path / "index")
    answer = rag.open(tmp_path / "index").ask("How often is the shaft to be oiled?")
    assert "300 hours" in answer.text
    assert answer.context is not None
    assert (answer.context.tokens or 0) <= 1000
    assert answer.context.notes[f"compressors/{name}"]["kept"] >= 1
    for quoted in answer.citations:
        assert MANUAL[quoted.start : quoted.end] == quoted.quote
