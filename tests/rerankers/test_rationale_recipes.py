"""The recipes `rationale`, `rationale-llm` and `budgeted` go from a folder to cited answers with no weights at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import rag
from rag.doctree import flat
from rag.registry import find
from rag.types import Document, Hit, Hits, Query
from rerankers.rationale import Rationale

MANUAL = """# Pump manual

## 1 Safety

Switch the pump off before opening it.

## 2 Operation

The pump runs at 40 litres per minute. The lamp is green then.

## 3 Care

Oil the shaft every 300 hours. Use oil of grade 32 only.
"""
COMMON = ("stages[0].retrievers[1].embedder={use: embedders/hash}", "stages[1]={use: rerankers/neighbours, k: 40}")
OFFLINE = {
    "rationale": (*COMMON, "stages[3].scorer=null", "stages[4].scorer=null"),
    "rationale-llm": (*COMMON, "stages[2].llm=null", "stages[3].scorer=null", "stages[4].scorer=null"),
    "budgeted": (*COMMON, "stages[4].scorer=null"),
}


@pytest.mark.parametrize("name", OFFLINE)
def test_a_question_is_answered_from_what_was_chosen_for_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "manual.md").write_text(MANUAL)
    assert rag.load(name).reads
    pipe = rag.load(name, set=OFFLINE[name])
    pipe.index([tmp_path / "docs"], tmp_path / "index")
    answer = rag.open(tmp_path / "index").ask("How often is the shaft to be oiled?")
    assert "300 hours" in answer.text
    assert answer.context is not None
    assert answer.context.tokens is None or answer.context.tokens <= 1000
    assert answer.context.notes["rerankers/rationale"]["kept"] >= 1
    for quoted in answer.citations:
        assert MANUAL[quoted.start : quoted.end] == quoted.quote


@pytest.mark.model
def test_a_small_model_writes_rationales_or_the_rules_do_and_the_way_is_told() -> None:
    tree = flat(Document("d", MANUAL), [(0, 60), (60, len(MANUAL))])
    hits = tuple(
        Hit(tree, i, ((int(tree.start[i]), int(tree.end[i])),), 2.0 - i, {"a": 2.0 - i, "b": 2.0 - i}) for i in (1, 2)
    )
    made = Rationale(llm=find("llms/embedded")(), most=5)(Hits(Query("q", "How often is the shaft oiled?"), hits))
    facts = made.notes["rerankers/rationale"]
    assert facts["rationales"] in ("strict", "tolerant", "repaired", "fallback")
    assert ("model" in {need["source"] for need in facts["needs"]}) == (facts["rationales"] != "fallback")
    assert made.items
