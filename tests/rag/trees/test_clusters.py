from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaves, planted, shape, trees

from chunkers.structure import StructureChunker
from rag.models.embed import HashEmbedder
from rag.notes import Note, note_text, noted, notes_of
from rag.trees.clusters import Clusters
from rag.trees.cohesion import depths, lexical
from rag.trees.diff import difference
from rag.trees.watershed import even, runs
from rag.types import Document

HARBOUR = "Ships lie at the berth in the harbour. The harbour master books each ship a berth. "
ORCHARD = "Apple trees grow in the orchard. The orchard gives apples and cider each autumn. "


@settings(max_examples=120, deadline=None)
@given(trees, st.integers(2, 6), st.integers(1, 6))
def test_fan_out_and_depth_are_bounded_and_leaves_stay(tree, most, depth):
    grown = Clusters(max_children=most, max_depth=depth)(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)
    wide, deep = shape(grown)
    assert deep <= depth
    assert wide <= max(most, next(w for w in range(1, 100) if w**depth >= len(tree.leaf_ids)))


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(2, 5))
def test_headings_keep_their_order_and_those_that_give_way_are_noted(tree, most):
    grown = Clusters(max_children=most, max_depth=3)(tree)
    before = [node.title for node in tree if node.title]
    after = [node.title for node in grown if node.title]
    told = [note.text for node in grown for note in notes_of(grown, "headings", node.index)]
    assert sorted([*after, *told]) == sorted(before)
    assert all(
        tree.document.text[a:b] == n.text
        for i in range(len(grown))
        for n in notes_of(grown, "headings", i)
        for a, b in n.spans
    )


@given(trees)
@settings(max_examples=40, deadline=None)
def test_a_tree_within_the_bounds_stays_as_it_is(tree):
    assert Clusters(max_children=100, max_depth=20)(tree) is tree
    once = Clusters(max_children=4)(tree)
    assert Clusters(max_children=4)(once) == once


def test_groups_end_where_the_topic_changes():
    tree = planted([(0, HARBOUR)] * 5 + [(0, ORCHARD)] * 6)
    for grower in (Clusters(max_children=6), Clusters(max_children=6, embedder=HashEmbedder())):
        grown = grower(tree)
        groups = [n for n in grown if n.kind == "group"]
        assert any(g.start == 5 * len(HARBOUR) for g in groups)


def test_notes_and_repeats_move_with_their_nodes():
    tree = planted([(0, f"Leaf number {i}. ") for i in range(30)])
    leaf = int(tree.leaf_ids[20])
    tree = replace(noted(tree, "keywords", {leaf: [Note("twenty")], 0: [Note("all")]}), repeats={leaf: ((0, 4),)})
    grown = Clusters(max_children=5)(tree)
    at = int(grown.leaf_ids[20])
    assert note_text(grown, "keywords", at) == "twenty"
    assert note_text(grown, "keywords", 0) == "all"
    assert grown.repeats == {at: ((0, 4),)}


def test_an_edit_regroups_its_neighbours_at_most():
    rows = [
        (0, f"Part {i // 7} speaks of thing{i // 7} and of matter{i}, and of thing{i // 7} again. ") for i in range(300)
    ]
    before = Clusters()(planted(rows))
    rows[150] = (0, rows[150][1] + "And one more sentence. ")
    after = Clusters()(planted(rows))
    found = difference(before, after).counts()
    assert found["added"] == found["removed"] == 1
    assert found["stale"] <= 3 * shape(after)[1]  # the path, and what a moved border takes along


def test_many_thousand_flat_headings_get_a_tree_that_can_be_walked():
    rows = [(1, f"Word{i % 97} and word{i % 13}. ") for i in range(10_000)]
    few, many = planted(rows[:2_000]), planted(rows)
    began = time.process_time()
    grown = Clusters()(many)
    spent = time.process_time() - began
    assert shape(grown)[0] <= 12
    assert shape(grown)[1] <= 8
    began = time.process_time()
    Clusters()(few)
    assert spent < 5 * 3 * (time.process_time() - began)


@pytest.mark.parametrize("text", ["", "One line.", "# Only a heading\n", "# A\n# B\n## C\n# D\n" * 40])
def test_a_document_with_little_or_nothing_but_headings_is_grown(text):
    tree = StructureChunker(size=16)(Document("d", text, media_type="text/markdown"))
    grown = Clusters(max_children=3)(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=150), st.integers(2, 12))
def test_runs_are_short_enough_and_fewer_than_their_items(valleys, most):
    size = len(valleys) + 1
    for begins in (runs(valleys, most), even(size, most)):
        sizes = np.diff([*begins, size])
        assert begins[0] == 0
        assert sizes.min() >= 1
        assert sizes.max() <= most
        assert len(begins) < size


@given(st.lists(st.floats(0, 1), min_size=60, max_size=90, unique=True), st.integers(20, 39), st.floats(0, 1))
def test_a_valley_that_changes_moves_only_the_cuts_around_it(valleys, at, depth):
    before = runs(valleys, 12)
    after = runs([*valleys[:at], depth, *valleys[at + 1 :]], 12)
    assert {c for c in before if c < at - 16 or c > at + 18} == {c for c in after if c < at - 16 or c > at + 18}


def test_the_signal_is_that_of_two_loops():
    texts = ["ship berth deep", "ship berth wall", "apple tree", "apple wall ship", "", "tree"]
    width = 2
    bags = [set(t.split()) for t in texts]

    def cosine(a, b):
        return len(a & b) / (len(a) * len(b)) ** 0.5 if a and b else 0.0

    for gap, value in enumerate(lexical(texts, len(texts), width)):
        pairs = [
            cosine(bags[i], bags[j])
            for i in range(max(0, gap - width + 1), gap + 1)
            for j in range(gap + 1, min(len(texts), gap + 1 + width))
        ]
        assert value == pytest.approx(sum(pairs) / len(pairs))


def test_depth_of_a_valley_is_the_climb_on_both_sides():
    assert depths(np.array([0.5, 0.1, 0.3, 0.2])).tolist() == pytest.approx([0.0, 0.6, 0.0, 0.1])
