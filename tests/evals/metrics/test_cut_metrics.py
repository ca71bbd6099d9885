"""Chunk quality against nltk's segmentation metrics and hand-made cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.metrics import segmentation

from evals.metrics import cuts

BORDERS = st.integers(4, 40).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.integers(1, n - 1)), st.sets(st.integers(1, n - 1)), st.integers(1, n - 1)
    )
)


def marks(borders, units):
    """nltk's form: one mark a gap between units."""
    return "".join("01"[i in borders] for i in range(1, units))


@given(BORDERS)
def test_pk_and_window_diff_are_those_of_nltk(case):
    units, found, gold, k = case
    ours = cuts.pk(found, gold, units, k), cuts.window_diff(found, gold, units, k)
    theirs = (
        segmentation.pk(marks(gold, units), marks(found, units), k),
        segmentation.windowdiff(marks(gold, units), marks(found, units), k),
    )
    assert ours == pytest.approx(theirs)


@given(BORDERS)
def test_the_reference_itself_has_no_error_and_full_f1(case):
    units, _, gold, _ = case
    assert cuts.pk(gold, gold, units) == cuts.window_diff(gold, gold, units) == 0.0
    assert cuts.boundary_f1(gold, gold) == 1.0


def test_the_window_is_half_the_mean_segment_of_the_reference():
    assert cuts.window([10, 20, 30], 40) == 5
    assert cuts.window([], 1) == 1
    assert cuts.pk([], [], 1) == 0.0


@given(st.sets(st.integers(0, 15), max_size=6), st.sets(st.integers(0, 15), max_size=6), st.integers(0, 3))
def test_boundary_f1_is_the_largest_matching(found, gold, slack):
    scipy = pytest.importorskip("scipy.sparse")
    from scipy.sparse.csgraph import maximum_bipartite_matching

    near = [[abs(a - b) <= slack for b in sorted(gold)] for a in sorted(found)]
    pairs = 0
    if found and gold:
        pairs = int((maximum_bipartite_matching(scipy.csr_matrix(near), perm_type="column") >= 0).sum())
    both = len(found) + len(gold)
    assert cuts.boundary_f1(found, gold, slack=slack) == pytest.approx(2 * pairs / both if both else 1.0)


def test_sizes_of_chunks_by_hand():
    assert cuts.sizes([4, 1, 7]) == pytest.approx((3, 4.0, 6**0.5, 1, 1.3, 4.0, 6.7, 7))
    assert cuts.sizes([]).chunks == 0


def test_a_block_is_whole_only_inside_one_chunk():
    chunks = [(0, 10), (10, 20), (18, 30)]
    assert cuts.integrity(chunks, [(0, 10), (5, 12), (19, 25), (10, 21)]) == 0.5
    assert cuts.integrity([], [(0, 1)]) == 0.0
    assert cuts.integrity(chunks, []) is None
