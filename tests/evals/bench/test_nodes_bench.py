"""The bench of tree search at scale: sound trees, and a cost that hardly grows with the sections."""

from __future__ import annotations

from evals.bench.nodes import library, measure


def test_the_library_is_made_of_sound_trees() -> None:
    corpus = library(3)
    for ordinal in range(3):
        tree = corpus.tree(ordinal)
        tree.check()
        assert len(tree) == 10
        assert tree.leaf_ids.tolist() == corpus.node[corpus.doc == ordinal].tolist()
    assert corpus.tree(1) == library(3).tree(1)


def test_tree_search_costs_a_few_times_flat_search_at_most() -> None:
    found = measure(2_000, 20)
    assert found["nodes"] == 20_000
    flat, tree = found["ms"]["flat"][0], found["ms"]["beam"][0]
    assert tree < 8 * flat
