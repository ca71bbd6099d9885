"""A thousand real documents broke no promise of a tree, and the study would have seen it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.reproduce.tree_invariants import PROMISES, broken, grown, real
from rag.doctree import DocTree
from rag.loaders.read import read
from rag.notes import Note, noted

HERE = Path(__file__).parents[2]
PINNED = json.loads((HERE / "evals" / "expected" / "tree_invariants.json").read_text())
SAMPLE = HERE / "tests" / "data" / "polymers.md"


def trees() -> tuple[DocTree, DocTree]:
    return grown(read(SAMPLE)[0])


def test_a_thousand_documents_broke_nothing():
    assert PINNED["all"]["documents"] >= 1000
    assert PINNED["all"]["leaves"] > 15_000
    assert all(PINNED["all"][promise] == 0 for promise in (*PROMISES, "broken"))
    assert PINNED["share_below"] == pytest.approx(1 - 0.05 ** (1 / PINNED["all"]["documents"]), abs=1e-5)
    assert len(PINNED["sets"]) >= 8


@pytest.mark.parametrize("name", ["polymers.md", "paper.html", "spy_in_the_elevator.txt"])
def test_bundled_documents_are_looked_at_again(name):
    tree, whole = grown(read(HERE / "tests" / "data" / name)[0])
    assert not any(broken(tree, whole).values())


def test_a_broken_promise_is_seen():
    tree, whole = trees()
    leaf = int(whole.leaf_ids[2])  # not the first of its section
    start, parent = whole.start.copy(), whole.parent.copy()
    start[leaf] += 1
    hole = broken(tree, replace(whole, start=start))
    assert hole["covers"]
    assert hole["ordered"]
    start[leaf] -= 2
    assert broken(tree, replace(whole, start=start))["apart"]
    parent[leaf] = leaf
    assert broken(tree, replace(whole, parent=np.array(parent)))["single"]
    false = noted(whole, "summary", {0: [Note("Dragons.", ((0, 9),), "x", True)]})
    found = broken(tree, false)
    assert found["quoted"]
    assert found["hashed"]


def test_a_folder_without_sets_is_one_set():
    found = list(real(HERE / "evals" / "samples" / "chroma"))
    assert len(found) >= 3
    assert all(document.text for _, document in found)
