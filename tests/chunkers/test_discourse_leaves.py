"""Leaves below the sentence: what lies above them, what their notes say, and what stays whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.discourse import DiscourseChunker
from chunkers.structure import StructureChunker
from rag.discourse import ROLES
from rag.notes import notes_of
from rag.types import Document

DATA = Path(__file__).parents[1] / "data"
TEXT = """# Rent

The tenant pays rent on the first day because the lease says so. She said that it would rise.

| month | rent |
|---|---|
| May | 100, which is less than it was |

```python
x = 1  # because it is one
```
"""


def test_a_sentence_stands_above_its_units() -> None:
    tree = DiscourseChunker()(Document("d", TEXT))
    tree.check()
    unit = next(leaf for leaf in tree.leaves() if leaf.text.startswith("because the lease"))
    assert unit.parent is not None
    assert (unit.parent.kind, unit.parent.parent.kind if unit.parent.parent else "") == ("sentence", "section")
    assert unit.parent.text.startswith("The tenant pays")
    assert unit.path == ("Rent",)


def test_needs_are_ranges_of_the_source() -> None:
    tree = DiscourseChunker()(Document("d", TEXT))
    unit = next(leaf for leaf in tree.leaves() if leaf.text.startswith("because the lease"))
    needs = {note.text: TEXT[slice(*note.spans[0])].strip() for note in notes_of(tree, "needs", unit.index)}
    assert needs == {"host": "The tenant pays rent on the first day", "heading": "Rent"}
    assert [note.text for note in notes_of(tree, "role", unit.index)] == ["subordinate"]


def test_tables_and_code_stay_whole() -> None:
    tree = DiscourseChunker()(Document("d", TEXT))
    kinds = [leaf.kind for leaf in tree.leaves()]
    assert kinds.count("table") == kinds.count("code") == 1


def test_units_of_a_sentence_share_a_leaf_up_to_the_size() -> None:
    document = Document("d", (DATA / "lifecycle.md").read_text(encoding="utf-8"))
    alone, shared = DiscourseChunker()(document), DiscourseChunker(size=24)(document)
    assert len(shared.leaf_ids) < len(alone.leaf_ids)
    assert {leaf.start for leaf in shared.leaves()} <= {leaf.start for leaf in alone.leaves()}
    for leaf in shared.leaves():
        if leaf.parent and leaf.parent.kind == "sentence":
            assert leaf.tokens <= 24 or leaf.start in {one.start for one in alone.leaves() if one.end == leaf.end}


@pytest.mark.parametrize("name", ["paper.md", "contract.txt", "languages.txt", "filing.html", "state_of_the_union.txt"])
def test_real_files_keep_sections_cap_and_text(name: str) -> None:
    document = Document("d", (DATA / name).read_text(encoding="utf-8")[:40_000])
    tree = DiscourseChunker(max_size=64)(document)
    tree.check()
    assert max(leaf.tokens for leaf in tree.leaves()) <= 64
    sections = {node.title for node in StructureChunker(size=64, max_size=64, min_size=0)(document) if node.title}
    assert sections <= {node.title for node in tree if node.title}
    for leaf in tree.leaves():
        for note in notes_of(tree, "needs", leaf.index):
            assert all(0 <= a < b <= len(document.text) for a, b in note.spans)
        assert all(note.text in ROLES for note in notes_of(tree, "role", leaf.index))


@given(st.text(max_size=150), st.sampled_from([None, 8, 30]))
def test_any_text_is_tiled(text: str, size: int | None) -> None:
    tree = DiscourseChunker(size=size, max_size=16)(Document("d", text))
    tree.check()
    assert all(leaf.tokens <= 16 or leaf.end - leaf.start == 1 for leaf in tree.leaves())
