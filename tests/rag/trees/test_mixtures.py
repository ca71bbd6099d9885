"""Themes group chunks from anywhere in the document; the tree below them stays as it is."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaves, planted, trees

from rag.errors import MissingExtra
from rag.notes import notes_of
from rag.testing import check_stage
from rag.trees.mixtures import Mixtures, mixture, reduced

needs_sklearn = pytest.mark.skipif(find_spec("sklearn") is None, reason="the extra is not installed")
HARBOUR = "Ships lie at the berth in the harbour, and the harbour master books each ship a berth. "
ORCHARD = "Apple trees grow in the orchard, and the orchard gives apples and cider each autumn. "
MINE = "Miners dig copper below the hill, and the copper mine feeds the smelter. "


def mixed() -> Any:
    return planted([(0, (HARBOUR, ORCHARD, MINE)[i % 3].replace("each", f"each {i}") * 2) for i in range(36)])


@needs_sklearn
def test_chunks_on_one_subject_share_a_theme_wherever_they_stand() -> None:
    tree = mixed()
    grown = Mixtures()(tree)
    assert leaves(grown) == leaves(tree)
    assert grown.parent.tolist() == tree.parent.tolist()
    said = [[note.text for note in notes_of(grown, "themes", leaf)] for leaf in grown.leaf_ids.tolist()]
    assert all(said)
    for i in range(3):
        assert len({tuple(one) for one in said[i::3]}) <= 2
        word = ("harbour", "orchard", "copper")[i]
        assert all(any(word in text for text in one) for one in said[i::3])


@needs_sklearn
@settings(max_examples=8, deadline=None)
@given(trees)
def test_a_theme_has_the_ordered_union_of_its_chunks(tree: Any) -> None:
    grown = Mixtures(dims=2, tokens=24)(tree)
    grown.check()
    text, borders = tree.document.text, {0, *tree.end[tree.leaf_ids].tolist()}
    overlay = notes_of(grown, "overlay", 0)
    for note in overlay:
        assert list(note.spans) == sorted(note.spans)
        assert all(a < b and {a, b} <= borders for a, b in note.spans)
        assert all(one[1] < two[0] for one, two in zip(note.spans, note.spans[1:], strict=False))
    for leaf in grown.leaves():
        for note in notes_of(grown, "themes", leaf.index):
            assert note in overlay
            assert any(a <= leaf.start and leaf.end <= b for a, b in note.spans)
            assert set(note.text.split()) <= set(text.split())
    assert Mixtures(dims=2, tokens=24)(tree) == grown


@needs_sklearn
@settings(max_examples=8, deadline=None)
@given(st.integers(4, 30), st.integers(0, 99))
def test_every_point_is_in_a_group(n: int, seed: int) -> None:
    from sklearn.mixture import GaussianMixture

    points = reduced(np.random.default_rng(seed).normal(size=(n, 8)), 3)
    assert points.shape == (n, 3)
    groups = mixture(GaussianMixture, points, 0.1, 224)
    assert {i for group in groups for i in group} == set(range(n))
    assert len(set(groups)) == len(groups)


@needs_sklearn
def test_short_documents_stay_and_the_contract_holds() -> None:
    short = planted([(0, HARBOUR)])
    assert Mixtures()(short) is short
    check_stage(Mixtures(dims=2), trees=[mixed()])


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.mixture", None)
    with pytest.raises(MissingExtra, match="mixtures"):
        Mixtures()(mixed())
