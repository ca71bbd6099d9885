from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import trees

from chunkers.structure import StructureChunker
from rag.models.tokens import counter
from rag.notes import note_text, notes_of
from rag.trees.cards import Cards
from rag.trees.summaries import Summaries
from rag.types import Document

DATA = Path(__file__).parents[2] / "data"


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(16, 120))
def test_a_card_is_within_its_budget_and_of_slices(tree, tokens):
    grown = Cards(tokens=tokens)(tree)
    for sep in (" ", "\n"):
        assert counter("cl100k").count(note_text(grown, "card", 0, sep)) <= tokens
    for note in notes_of(grown, "card", 0):
        assert bool(note.spans) == (note.ok is True)
        assert all(tree.document.text[a:b] == note.text for a, b in note.spans[:1])


@pytest.mark.parametrize("first", [Summaries(), None])
def test_a_card_tells_title_layout_topics_and_size(first):
    text = (DATA / "polymers.md").read_text(encoding="utf-8")
    tree = StructureChunker()(Document("p", text, media_type="text/markdown"))
    card = note_text(Cards()(first(tree) if first else tree), "card", 0, "\n")
    heads = [node.title for node in tree if node.title]
    assert card.startswith(heads[0])
    assert sum(head in card for head in heads) >= 3
    assert "tokens" in card.splitlines()[-1]
    assert "section" in card.splitlines()[-1]


def test_no_text_no_card():
    tree = StructureChunker()(Document("e", " \n"))
    assert Cards()(tree) is tree
