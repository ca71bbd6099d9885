"""Span metrics against their definition over sets of characters."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import ranges
from evals.metrics import spans

RANGE = st.tuples(st.sampled_from("xy"), st.integers(0, 30), st.integers(1, 10)).map(
    lambda t: (t[0], t[1], t[1] + t[2])
)
SPANS = st.lists(RANGE, max_size=6)
PAIRS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6)


def chars(triples):
    return {(doc, i) for doc, start, end in triples for i in range(start, end)}


@given(SPANS, SPANS)
def test_recall_precision_and_iou_are_those_of_sets_of_characters(found, gold):
    inside = len(chars(found) & chars(gold))
    paid = sum(end - start for _, start, end in found)
    wanted = len(chars(gold))
    assert spans.recall(found, gold) == pytest.approx(inside / wanted if wanted else 0.0)
    assert spans.precision(found, gold) == pytest.approx(inside / paid if paid else 0.0)
    either = paid + wanted - inside
    assert spans.iou(found, gold) == pytest.approx(inside / either if either else 0.0)


@given(SPANS, st.lists(RANGE, min_size=1, max_size=4))
def test_all_support_means_that_no_visible_gold_character_is_missing(found, gold):
    text = {"x": "ab cd  ef" * 6, "y": "z" * 50}
    lost = {(d, i) for d, i in chars(gold) - chars(found) if text[d][i : i + 1].strip()}
    whole = all(chars([g]) & chars(found) for g in gold)
    assert spans.all_support(found, gold, text.__getitem__) == float(not lost and whole)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.lists(RANGE, min_size=1, max_size=4))
def test_omega_is_the_precision_of_all_chunks_that_touch_gold(sizes, gold):
    cuts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    chunks = list(pairwise(cuts))
    taken = {(d, i) for d, s, e in gold for a, b in chunks if a < e and s < b for i in range(a, b)}
    wanted = chars(gold)
    assert spans.omega(gold, lambda _: chunks) == pytest.approx(len(taken & wanted) / len(taken | wanted))
    assert spans.omega(gold, lambda _: chunks, compat=True) <= spans.omega(gold, lambda _: chunks) + 1e-12


def test_compat_takes_the_neighbour_that_merely_touches():
    chunks = [(0, 10), (10, 20), (20, 30)]
    assert spans.omega([("d", 10, 20)], lambda _: chunks) == 1.0
    assert spans.omega([("d", 10, 20)], lambda _: chunks, compat=True) == pytest.approx(1 / 3)


def test_coverage_is_the_share_of_gold_that_no_cut_goes_through():
    assert spans.coverage([("d", 2, 8), ("d", 8, 12)], lambda _: [(0, 10), (10, 20)]) == 0.5


def test_context_runs_join_over_white_space_only():
    text = "One. Two.  Three. Four."
    runs = spans.contexts({"d": [(0, 4), (5, 9), (11, 17), (18, 23)]}, lambda _: text)
    assert runs == [text]
    assert spans.contexts({"d": [(0, 4), (11, 17)]}, lambda _: text) == ["One.", "Three."]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8))
def test_merged_ranges_are_the_same_characters_ordered_and_apart(pairs):
    merged = ranges.merge(pairs)
    assert {i for s, e in merged for i in range(s, e)} == {i for s, e in pairs for i in range(s, e)}
    assert all(a[1] < b[0] for a, b in pairwise(merged))


@given(PAIRS, PAIRS)
def test_cut_and_left_part_a_range_in_two(one, other):
    a, b = ranges.merge(one), ranges.merge(other)
    whole = {i for s, e in a for i in range(s, e)}
    inside = {i for s, e in ranges.cut(a, b) for i in range(s, e)}
    outside = {i for s, e in ranges.left(a, b) for i in range(s, e)}
    assert inside | outside == whole
    assert not inside & outside
    assert inside == whole & {i for s, e in b for i in range(s, e)}
