"""The mask that the embedded cross-encoder's states give over a passage."""

from __future__ import annotations

import numpy as np
import pytest

from rag.models.keep import Keep, Keeper, reading
from rag.models.score import Scorer

TEXT = "The sky is blue over Vell. Rent is due on the first day of the month. Dogs bark at night."


def test_the_stored_reading_has_a_weight_for_each_inner_value() -> None:
    known = reading()
    assert known.weight.shape == (384 * len(known.layers),)
    assert np.isfinite(known.weight).all()
    assert np.isfinite(known.bias)


def test_it_is_a_keep_model_and_a_scorer_that_opens_nothing_when_made() -> None:
    assert isinstance(Keep(), Keeper)
    assert isinstance(Keep(), Scorer)
    assert Keep().keep("question", []) == []
    assert Keep().score("question", []).shape == (0,)


@pytest.mark.model
def test_the_tokens_of_the_sentence_that_answers_are_kept_first() -> None:
    (marks,) = Keep().keep("When is rent due?", [TEXT])
    assert len(marks.starts) == len(marks.ends) == len(marks.odds)
    assert all(TEXT[a:b].strip() == TEXT[a:b] for a, b in zip(marks.starts, marks.ends, strict=True))
    inside = (marks.starts >= TEXT.index("Rent")) & (marks.ends <= TEXT.index(" Dogs"))
    assert marks.odds[inside].mean() > marks.odds[~inside].max()


@pytest.mark.model
def test_marks_depend_on_no_other_text_and_on_no_threads() -> None:
    alone = Keep(threads=1).keep("When is rent due?", [TEXT])[0]
    beside = Keep(threads=2).keep("When is rent due?", ["Other.", TEXT, ""])[1]
    assert np.array_equal(alone.odds, beside.odds)
    scores = Keep().score("When is rent due?", [TEXT, ""])
    assert scores[1] == -20.0
    assert scores[0] == pytest.approx(alone.odds.mean())
