"""The study of context around hits: what is pinned, what the docstring says of it, and the sample measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.context import CONFIRMED, FIXED, INPUTS, Asked, judged
from rerankers.context_aware import ContextAware

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "context.json").read_text())


def said(row: dict[str, float]) -> str:
    return f"{row['delta']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"


def test_it_is_ahead_of_both_inputs_on_sets_that_its_constants_never_saw() -> None:
    assert not set(CONFIRMED) & set(FIXED)
    for label in ("bm25", "hybrid"):
        row = PINNED["pooled"]["confirmed"][label]
        assert row["n"] >= 800
        assert row["low"] > 0
        for name in ("cuad_spans", "cuad_spans open", "qmsum"):
            assert PINNED["confirmed"][name][label]["all"]["low"] > 0
    assert PINNED["confirmed"]["docs_qa"]["bm25"]["all"]["low"] > 0


def test_a_hundred_candidates_cost_less_than_two_milliseconds() -> None:
    assert PINNED["milliseconds"]["p95"] < 2.0
    assert PINNED["milliseconds"]["n"] >= 500


def test_the_docstring_says_what_is_pinned() -> None:
    doc = " ".join((ContextAware.__doc__ or "").split())
    rows = PINNED["pooled"]["confirmed"]
    assert f"behind BM25 {said(rows['bm25'])} points over {rows['bm25']['n']} questions" in doc
    assert f"behind BM25 fused with bge-small {said(rows['hybrid'])}" in doc
    assert f"meetings ({said(PINNED['confirmed']['qmsum']['hybrid']['all'])}" in doc
    assert f"all are searched ({said(PINNED['confirmed']['cuad_spans open']['hybrid']['all'])})" in doc
    quiet = [*PINNED["confirmed"]["mtrag"].values(), PINNED["fixed"]["squad_articles"]["bm25"]]
    quiet += [PINNED["fixed"]["covid_qa"]["bm25"], PINNED["sample"]["chroma"]["bm25"]]
    assert all(row["all"]["low"] <= 0 <= row["all"]["high"] for row in quiet)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked(load(SAMPLE), INPUTS["bm25"]())


def test_the_sample_measured_again_agrees(asked: Asked) -> None:
    values, _ = asked.scores(wide=False)
    pinned = PINNED["sample"]["chroma"]["bm25"]
    assert len(values["input"]) == pytest.approx(pinned["n"], abs=5)
    assert 100 * values["input"].mean() == pytest.approx(pinned["input"], abs=1.5)
    assert 100 * (values["all"] - values["input"]).mean() == pytest.approx(pinned["all"]["delta"], abs=1.0)


def test_a_leaf_that_holds_half_of_the_gold_is_relevant_and_one_that_touches_it_is_not(asked: Asked) -> None:
    (doc, tree), *_ = asked.trees.items()
    leaf = next(leaf for leaf in tree.leaves() if leaf.end - leaf.start > 100)
    key = f"{doc}\0{leaf.index}"
    assert judged(asked.trees, [(doc, leaf.start + 10, leaf.start + 30)]) == {key: 1}
    assert key not in judged(asked.trees, [(doc, leaf.end - 10, leaf.end + 30)])
