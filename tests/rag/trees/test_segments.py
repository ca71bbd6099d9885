from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaves, planted, trees

from chunkers.structure import StructureChunker
from rag.models.embed import HashEmbedder
from rag.trees.segments import Segments
from rag.types import Document

TOPICS = (
    "Ships lie at the berth in the harbour. The harbour master books each ship a berth. ",
    "Apple trees grow in the orchard. The orchard gives apples and cider each autumn. ",
    "The choir sings in the chapel. A chapel choir sings psalms on Sunday. ",
)


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(2, 6))
def test_leaves_stay_and_sections_are_bounded(tree, length):
    grown = Segments(length=length, most=max(4, length + 2))(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)
    groups = [n for n in grown if n.kind == "group"]
    assert all(len(n.children) <= max(4, length + 2) for n in groups)


@pytest.mark.parametrize("grower", [Segments(), Segments(embedder=HashEmbedder())])
def test_sections_begin_where_the_topic_changes(grower):
    tree = planted([(0, topic) for topic in TOPICS for _ in range(9)])
    begins = {n.start for n in grower(tree) if n.kind == "group"}
    assert {9 * len(TOPICS[0]), 9 * (len(TOPICS[0]) + len(TOPICS[1]))} <= begins


@pytest.mark.parametrize("text", ["", "One line.", "# A\n# B\n# C\n", "word " * 9000])
def test_any_document_is_taken(text):
    tree = StructureChunker(size=16)(Document("d", text))
    grown = Segments()(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)


def test_limits_that_contradict_each_other_are_named():
    with pytest.raises(ValueError, match="most must be >= length, got 8 < 12"):
        Segments(length=12, most=8)
