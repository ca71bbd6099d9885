from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerankers.stretch import stretched


@given(st.lists(st.floats(), max_size=12))
def test_every_score_has_a_place_between_0_and_1_in_the_old_order(scores: list[float]) -> None:
    found = stretched(scores)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
    known = [(s, f) for s, f in zip(scores, found.tolist(), strict=True) if not math.isnan(s)]
    assert all(f <= g for s, f in known for t, g in known if s < t)
    finite = {s for s, _ in known if math.isfinite(s)}
    if len(finite) > 1 and max(finite) / 2 - min(finite) / 2 > 0:
        assert min(found) == 0
        assert max(found) == 1


def test_equal_scores_are_all_1_and_what_is_no_number_is_lowest() -> None:
    assert stretched([3.0, 3.0]).tolist() == [1.0, 1.0]
    assert stretched([math.nan, 1.0, 3.0, math.inf, -math.inf, 2.0]).tolist() == [0, 0, 1, 1, 0, 0.5]
    assert stretched([math.nan, math.nan]).tolist() == [1.0, 1.0]
    assert stretched([1.7e308, -1.7e308]).tolist() == [1.0, 0.0]
    assert stretched([]).tolist() == []
