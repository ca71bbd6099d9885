"""The recipes `enriched` and `meta` from a folder to hits with exact slices."""

from __future__ import annotations

from pathlib import Path

import pytest

import rag
from rag.notes import notes_of

MANUAL = """# Pump manual

## 1 Safety

Switch the pump off before opening it. Warning: the shaft of the Meyer 300 turns for two minutes after that.

## 2 Operation

The pump runs at 40 litres per minute. The lamp is green then.

## 3 Care

Oil the shaft every 300 hours. Use oil of grade 32 only.
"""
HASH = "{use: embedders/hash}"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "manual.md").write_text(MANUAL)
    (folder / "empty.md").write_text("")
    return folder


def test_enriched_answers_with_citations_and_carries_its_notes(docs: Path, tmp_path: Path) -> None:
    pipe = rag.load(
        "enriched",
        set=(f"stages[0].retrievers[1].embedder={HASH}", "stages[1]={use: rerankers/mmr}", "stages[3].scorer=null"),
    )
    pipe.index([docs], tmp_path / "index")
    index = rag.open(tmp_path / "index")
    answer = index.ask("Which grade of oil is used?")
    assert answer.status == "answered"
    assert all(index.verify(cited) for cited in answer.citations)
    assert "grade 32" in " ".join(cited.quote for cited in answer.citations)
    assert answer.context is not None
    for hit in answer.context:
        assert hit.text == MANUAL[hit.start : hit.end]
        notes = notes_of(hit.tree, "keywords", hit.node)
        assert notes
        assert all(MANUAL[a:b] == note.text for note in notes for a, b in note.spans[:1])
    assert rag.dump(index.bound) == rag.dump(pipe)


def test_meta_is_a_valid_recipe_that_opens_nothing_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path))
    pipe = rag.load("meta")
    assert type(pipe.chunker).__name__ == "PerplexityChunker"
    (tmp_path / "meta.yaml").write_text(rag.dump(pipe))
    assert rag.load(tmp_path / "meta.yaml") == pipe


@pytest.mark.model
@pytest.mark.parametrize("name", ["meta", "enriched"])
def test_the_recipe_with_its_own_models_finds_the_sentence(name: str, docs: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    index = rag.load(name).index([docs], tmp_path / "index")
    answer = index.ask("Which oil does the shaft need?")
    assert answer.context is not None
    assert "grade 32" in answer.context[0].text
    assert all(hit.text == MANUAL[hit.start : hit.end] for hit in answer.context)
