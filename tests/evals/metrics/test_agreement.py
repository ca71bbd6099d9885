"""Kappa against nltk's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask

from evals.metrics.agreement import kappa, kappa_interval

LABELS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30)


@given(LABELS)
def test_kappa_is_that_of_nltk(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    task = AnnotationTask([("a", i, x) for i, x in enumerate(a)] + [("b", i, y) for i, y in enumerate(b)])
    if len({*a, *b}) == 1:
        assert math.isnan(kappa(a, b))
    else:
        assert kappa(a, b) == pytest.approx(task.kappa())


def test_the_interval_holds_the_value_and_narrows_with_more_items():
    a, b = [True, True, False, False, True] * 6, [True, False, False, False, True] * 6
    small, large = kappa_interval(a, b), kappa_interval(a * 10, b * 10)
    assert small.low < small.value < small.high
    assert large.value == pytest.approx(small.value)
    assert large.high - large.low < (small.high - small.low) / 2
    assert kappa_interval(a, b) == small


def test_unanimous_judges_have_no_kappa():
    found = kappa_interval([True] * 5, [True] * 5)
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert kappa_interval([], []).n == 0
    with pytest.raises(ValueError, match="different items: 1 against 0"):
        kappa([1], [])
