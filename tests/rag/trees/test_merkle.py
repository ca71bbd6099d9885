from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaf_texts, planted, trees

from rag.notes import Note, noted
from rag.trees.diff import difference, twins
from rag.trees.merkle import own_hashes, subtree_hashes


@settings(max_examples=60, deadline=None)
@given(leaf_texts, st.data())
def test_an_edit_of_a_leaf_changes_the_hashes_on_its_path_and_no_others(rows, data):
    if not rows:
        return
    at = data.draw(st.integers(0, len(rows) - 1))
    old = planted(rows)
    new = planted([*rows[:at], (rows[at][0], rows[at][1] + "Edited. "), *rows[at + 1 :]])
    leaf = int(new.leaf_ids[at])
    path = {leaf, *(n.index for n in new[leaf].ancestors)}
    if rows[at][0]:
        path.add(int(new.parent[leaf]))
    before, after = subtree_hashes(old), subtree_hashes(new)
    assert {i for i in range(len(new)) if before[i] != after[i]} == path


@settings(max_examples=60, deadline=None)
@given(leaf_texts, leaf_texts)
def test_a_passage_that_moved_keeps_its_hash(before, rows):
    alone = planted([(1, "Part. "), *[(2 + d if d else 0, t) for d, t in rows]], titled=False)
    moved = planted([*before, (1, "Part. "), *[(2 + d if d else 0, t) for d, t in rows]], titled=False)
    assert subtree_hashes(alone)[1] in subtree_hashes(moved)


@settings(max_examples=60, deadline=None)
@given(leaf_texts, leaf_texts)
def test_kept_added_removed_and_stale_account_for_every_node(one, other):
    old, new = planted(one), planted(other)
    found = difference(old, new)
    assert sorted([*found.kept, *found.added, *found.stale]) == list(range(len(new)))
    assert set(found.removed) <= set(old.leaf_ids.tolist())
    leaves = set(new.leaf_ids.tolist())
    assert len(old.leaf_ids) - len(found.removed) == len(leaves & set(found.kept))
    assert difference(new, new).counts() == {"kept": len(new), "added": 0, "removed": 0, "stale": 0}


@given(trees)
@settings(max_examples=40, deadline=None)
def test_the_hash_is_a_function_of_its_own_and_of_the_ordered_children(tree):
    own, all_ = own_hashes(tree), subtree_hashes(tree)
    found = {}
    for i in range(len(tree)):
        facts = (own[i], tuple((int(tree.start[c] - tree.start[i]), all_[c]) for c in tree.child_ids[i]))
        assert found.setdefault(facts, all_[i]) == all_[i]
    assert len(set(found.values())) == len(found)
    assert twins(tree, tree).keys() == set(range(len(tree)))


def test_notes_count_only_where_they_are_asked_for():
    tree = planted([(1, "One. "), (1, "Two. ")])
    said = noted(tree, "keywords", {2: [Note("one", ((7, 10),))]})
    assert subtree_hashes(tree) == subtree_hashes(said)
    assert subtree_hashes(tree, notes=["keywords"]) != subtree_hashes(said, notes=["keywords"])
    assert subtree_hashes(replace(tree, notes={"keywords": {}}), notes=["keywords"]) == subtree_hashes(tree)
