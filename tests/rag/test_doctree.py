from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import CODE, DocTree, flat
from rag.types import Document


def outline() -> DocTree:
    """# A / one / ## B / two, as a chunker would give it."""
    text = "# A\none\n## B\ntwo\n"
    return DocTree(
        document=Document("d", text),
        start=np.array([0, 0, 0, 8, 8]),
        end=np.array([17, 17, 8, 17, 17]),
        parent=np.array([-1, 0, 1, 1, 3]),
        kind=np.array([CODE[k] for k in ("root", "section", "text", "section", "text")], dtype=np.uint8),
        level=np.array([0, 1, 1, 2, 2], dtype=np.int16),
        titles=np.array([[0, 0], [2, 3], [0, 0], [11, 12], [0, 0]]),
        tokens=np.full(5, -1, dtype=np.int32),
    )


def test_nodes_are_views_that_slice_the_text() -> None:
    tree = outline()
    tree.check()
    assert [leaf.text for leaf in tree.leaves()] == ["# A\none\n", "## B\ntwo\n"]
    assert tree[4].path == ("A", "B")
    assert tree[4].parent == tree[3]
    assert [child.index for child in tree[1].children] == [2, 3]
    assert tree[-1] == tree[4]
    with pytest.raises(IndexError, match="node 5 of a tree with 5"):
        tree[5]


def test_the_networkx_export_has_every_edge_and_fact() -> None:
    graph = outline().to_networkx()
    assert sorted(graph.edges) == [(0, 1), (1, 2), (1, 3), (3, 4)]
    assert graph.nodes[3]["title"] == "B"
    assert graph.graph["document"] == "d"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("end", [16, 16, 8, 16, 16], "does not cover"),
        ("end", [17, 17, 7, 17, 17], "gap or overlap"),
        ("start", [0, 0, 0, 7, 7], "gap or overlap"),
        ("parent", [-1, 0, 1, 4, 3], "after its child"),
        ("end", [17, 12, 8, 17, 17], "outside its parent"),
        ("start", [0, 0, 0, 8, 17], "empty leaf"),
    ],
)
def test_a_broken_tree_is_named(name: str, values: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(outline(), **{name: np.array(values)}).check()


def test_equal_trees_have_equal_digests_and_others_do_not() -> None:
    one, two = outline(), outline()
    assert one == two
    assert one.digest() == two.digest()
    moved = replace(one, level=one.level + 1)
    assert moved != one
    assert moved.digest() != one.digest()
    assert replace(one, notes={"summary": {1: "x"}}).digest() != one.digest()


@given(st.text(min_size=1, max_size=60), st.integers(1, 9))
def test_a_flat_tree_tiles_any_text(text: str, size: int) -> None:
    spans = [(i, min(i + size, len(text))) for i in range(0, len(text), size)]
    tree = flat(Document("d", text), spans)
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == text


def test_an_empty_document_has_a_root_and_no_leaf() -> None:
    tree = flat(Document("d", ""), [])
    tree.check()
    assert tree.leaves() == ()
