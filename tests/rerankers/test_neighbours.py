"""Neighbours: the stated sum, earlier scores read by name or place, order of the input without effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import flat
from rag.types import Document, Hit, Hits, Query
from rerankers.neighbours import Neighbours

TREE = flat(Document("d", "abcdefgh" * 4), [(i * 4, i * 4 + 4) for i in range(8)])


def hit(leaf: int, now: float, before: float) -> Hit:
    return Hit(TREE, leaf + 1, ((leaf * 4, leaf * 4 + 4),), now, {"first": before, "second": now})


def ranked(step: Neighbours, *hits: Hit) -> dict[int, float]:
    return {h.node - 1: h.score for h in step(Hits(Query("q", "?"), hits))}


def test_scores_add_up_as_stated() -> None:
    hits = (hit(0, 10, 1), hit(1, 0, 3), hit(5, 5, 2))
    totals = {0: 1.0 + 0.0, 1: 0.0 + 0.5, 5: 0.5 + 0.25}  # with `prior` 0.5
    assert ranked(Neighbours(prior=0.5, near=0), *hits) == pytest.approx(totals)
    assert ranked(Neighbours(prior=0.5, near=0.1), *hits) == pytest.approx({0: 1.05, 1: 0.6, 5: 0.75})
    assert ranked(Neighbours(prior=0.5, near=0, section=0.2), *hits) == pytest.approx({0: 1.15, 1: 0.7, 5: 0.95})
    assert ranked(Neighbours(near=0, prior=0), *hits) == pytest.approx({0: 1.0, 1: 0.0, 5: 0.5})


def test_the_earlier_score_can_be_named() -> None:
    hits = (hit(0, 1, 9), hit(3, 1, 4))
    assert ranked(Neighbours(earlier="first"), *hits) == ranked(Neighbours(), *hits)
    assert ranked(Neighbours(earlier="absent"), *hits) == {0: 1.0, 3: 1.0}
    bare = [replace(h, scores={}) for h in hits]
    assert ranked(Neighbours(), *bare) == {0: 1.0, 3: 1.0}


@given(
    st.lists(st.tuples(st.integers(0, 7), st.floats(-9, 9), st.floats(0, 3)), max_size=8, unique_by=lambda r: r[0]),
    st.data(),
)
def test_the_order_of_the_input_has_no_effect_and_every_drop_has_a_reason(rows: Any, data: Any) -> None:
    hits = tuple(hit(*row) for row in rows)
    step = Neighbours(k=data.draw(st.integers(1, 8)), section=0.1)
    found = step(Hits(Query("q", "?"), hits))
    shuffled = step(Hits(Query("q", "?"), tuple(data.draw(st.permutations(hits)))))
    assert found.items == shuffled.items
    assert len(found) == min(len(hits), step.k)
    assert len(found) + len(found.drops) == len(hits)
    assert all(drop.reason for drop in found.drops)
