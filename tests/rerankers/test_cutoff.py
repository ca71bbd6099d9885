"""The cut follows the scores, within its limits, and says why."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.sentences import SentenceChunker
from rag.testing import check_stage
from rag.types import Document, Hit, Hits, Query
from rerankers import curve
from rerankers.cutoff import Cutoff, keep

FALLING = st.lists(st.floats(-50, 50, allow_nan=False), min_size=1, max_size=60).map(
    lambda found: np.array(sorted((round(x, 3) for x in found), reverse=True))
)


def hits(scores: list[float]) -> Hits:
    text = " ".join(f"Sentence number {i} stands here." for i in range(len(scores)))
    leaves = SentenceChunker(size=8)(Document("d", text)).leaves()
    assert len(leaves) >= len(scores)
    found = tuple(
        Hit(leaf.tree, leaf.index, ((leaf.start, leaf.end),), score)
        for leaf, score in zip(leaves, scores, strict=False)
    )
    return Hits(Query("q", "what?"), found)


@pytest.mark.parametrize(
    ("rule", "kept"), [("gap", 3), ("chord", 4), ("ratio", 3), ("kneedle", 4), ("meteora", 3), ("drop", 2)]
)
def test_each_rule_on_a_curve_with_one_cliff(rule, kept):
    scores = np.array([10, 9.5, 9, 2, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4])
    assert (curve.gap(scores, 2, 20) if rule == "gap" else curve.RULES[rule](scores)) == kept


@given(FALLING, st.sampled_from(sorted(curve.RULES)), st.integers(1, 10), st.integers(0, 30))
def test_a_cut_is_within_its_limits_and_shifting_the_scores_changes_nothing(scores, rule, least, more):
    most = least + more
    k = keep(scores, rule, least, most)
    assert min(least, len(scores)) <= k <= min(most, len(scores))
    if rule != "ratio":
        assert keep(scores + 7, rule, least, most) == k
        assert keep(scores * 4, rule, least, most) == k
    else:
        assert keep(scores * 4, rule, least, most) == k


@given(st.lists(st.floats(-5, 5), min_size=0, max_size=25), st.randoms(use_true_random=False))
def test_the_order_of_the_input_has_no_effect_and_every_drop_has_a_reason(scores, random):
    given_ = hits(scores)
    mixed = list(given_.items)
    random.shuffle(mixed)
    first, second = Cutoff()(given_), Cutoff()(replace(given_, items=tuple(mixed)))
    assert first == second
    assert len(first) + len(first.drops) == len(scores)
    assert all(drop.reason for drop in first.drops)


def test_equal_scores_are_kept_up_to_the_limit():
    assert len(Cutoff(max_k=7)(hits([1.0] * 12))) == 7


def test_scores_that_are_no_numbers_go_and_are_named():
    made = Cutoff(rule="ratio")(hits([math.nan, 2.0, math.inf, -math.inf, 1.9]))
    assert [hit.score for hit in made] == [math.inf, 2.0, 1.9]
    assert {drop.reason for drop in made.drops} == {"its score is nan", "its score is -inf"}
    assert made.notes["rerankers/cutoff"]["not_a_number"] == 2


def test_with_no_number_at_all_the_first_stay():
    assert len(Cutoff(min_k=2)(hits([math.nan] * 5))) == 2


def test_limits_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="max_k must be >= min_k, got 2 < 3"):
        Cutoff(min_k=3, max_k=2)


@pytest.mark.parametrize("mode", ["precision", "recall"])
def test_one_hit_and_none(mode):
    assert len(Cutoff(mode=mode)(hits([1.0]))) == 1
    check_stage(Cutoff(mode=mode), hits=[hits([3.0, 1.0, 0.5])])
