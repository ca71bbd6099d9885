"""What scores without questions are worth is pinned, said as it was measured, and a cheap part is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.auto import AutoChunker
from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import auto
from evals.reproduce.intent import drawn
from rag.types import Document

EVALS = Path(__file__).parents[2] / "evals"


def test_the_docstring_says_what_is_pinned() -> None:
    pinned = json.loads((EVALS / "expected" / "auto.json").read_text())
    assert set(pinned["sets"]) == set(auto.SETS)
    assert all(set(one["rows"]) == {*auto.CANDIDATES, "auto"} for one in pinned["sets"].values())
    for one in pinned["sets"].values():  # over sizes the scores point the wrong way
        assert one["tau"]["mean"]["tau"] < 0
    share = pinned["in_order"]
    assert share["low"] <= 0.5  # at one size they say nothing that is right
    said = " ".join((AutoChunker.__doc__ or "").split())
    assert f"{100 * share['value']:.0f} % of the pairs" in said
    assert f"(95 %: {100 * share['low']:.0f} to {100 * share['high']:.0f}; 50 is chance)" in said
    taus = sorted(one["tau"]["mean"]["tau"] for one in pinned["sets"].values())
    assert f"tau {taus[-1]:.2f} to {taus[0]:.2f}" in said
    row = pinned["auto_less"]["structure 160"][0]
    assert f"({row['low']:.1f} to {row['high']:+.1f}, {row['n']} questions)" in said
    assert f"{row['delta']:.1f} points of recall" in said
    for row in pinned["auto_less"]["structure 160"]:
        assert row["low"] <= 0  # nowhere better than structure alone
        assert row["n"] >= 300


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=7), st.data())
def test_tau_is_the_share_of_pairs_in_order_less_the_others(one: list[int], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.integers(-3, 3), min_size=len(one), max_size=len(one)))
    found = auto.kendall(one, other)
    assert -1 <= found <= 1
    assert found == pytest.approx(auto.kendall(other, one)) == pytest.approx(-auto.kendall(one, [-v for v in other]))
    if len(set(one)) == len(one) and len(set(other)) == len(other):
        pairs = [(i, j) for i in range(len(one)) for j in range(i)]
        signs = [np.sign((one[i] - one[j]) * (other[i] - other[j])) for i, j in pairs]
        assert found == pytest.approx(float(np.mean(signs)))


def test_a_part_is_measured_again_on_the_bundled_manual() -> None:
    data = load(EVALS / "samples" / "manual")
    docs, items = drawn(data, 0)
    documents = [Document(doc, data.text(doc)) for doc in docs]
    structure = [StructureChunker()(one) for one in documents]
    sentences = [SentenceChunker(size=160)(one) for one in documents]
    values = auto.recalls(structure, items)
    assert values.shape == (len(items), len(auto.BUDGETS))
    assert np.all(values[:, 0] <= values[:, 1] + 1e-9)
    marks = [auto.judged(trees) for trees in (structure, sentences)]
    assert all(0 <= value <= 1 for row in marks for one in row for value in one)
    assert marks[0] != marks[1]
