"""What fields of notes add is pinned, said as it was measured, and a cheap part is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import load
from evals.reproduce import enrichment
from rag.pipeline import retrievers_of
from retrievers.bm25 import BM25

EVALS = Path(__file__).parents[2] / "evals"
PINNED = json.loads((EVALS / "expected" / "enrichment.json").read_text())
FIELDS = {*enrichment.GROWERS, "path"}


def rows(base: str):
    for name, told in PINNED[base].items():
        for field, row in told["fields"].items():
            for metric, found in row["metrics"].items():
                yield name, field, metric, found


def test_every_field_is_ablated_on_three_sets_over_both_bases_with_intervals():
    assert set(PINNED["bm25"]) == set(enrichment.REPORTED)
    assert set(PINNED["hybrid"]) == set(enrichment.EMBEDDED)
    assert not set(PINNED["chosen_on"]) & set(enrichment.REPORTED)
    for base in ("bm25", "hybrid"):
        for told in PINNED[base].values():
            assert set(told["fields"]) >= FIELDS
    for base in ("bm25", "hybrid"):
        for _, _, _, found in rows(base):
            assert found["low"] <= found["gain"] <= found["high"]
            assert found["n"] > 1


def test_weights_costs_and_verification_are_those_that_are_pinned():
    assert PINNED["weights"] == enrichment.WEIGHTS
    for cost in PINNED["cost"].values():
        assert set(cost["seconds_1000"]) == set(cost["filled"]) == set(enrichment.GROWERS)
    assert set(PINNED["model"]["sets"]) == set(enrichment.EMBEDDED)
    for name, rate in PINNED["model"]["verified"].items():
        counts = [(one[name]["passed"], one[name]["failed"]) for one in PINNED["model"]["sets"].values()]
        assert rate["n"] == sum(map(sum, counts))
        assert rate["value"] == pytest.approx(sum(passed for passed, _ in counts) / rate["n"])
        assert rate["low"] <= rate["value"] <= rate["high"]


def test_the_docstrings_say_what_is_pinned():
    notes = [f for base in ("bm25", "hybrid") for _, one, _, f in rows(base) if one in enrichment.GROWERS]
    assert not any(f["low"] > 0 for f in notes)
    contracts = PINNED["bm25"]["cuad_spans"]["fields"]
    assert contracts["entities"]["metrics"]["SpanR@512tok"]["high"] < 0
    said = " ".join(BM25.__doc__.split())
    paths = {one: PINNED["bm25"][one]["fields"]["path"]["metrics"] for one in PINNED["bm25"]}
    gains = {one: row["SpanR@512tok"] for one, row in paths.items() if "SpanR@512tok" in row}
    best = gains.pop("cuad_spans")
    assert f"{best['gain']:+.1f} points of recall in 512 tokens" in said
    assert f"(95 %: {best['low']:+.1f} to {best['high']:+.1f})" in said
    others = sorted(one["gain"] for one in gains.values())
    assert f"between {others[0]:+.1f} and {others[-1]:+.1f} on three other sets" in said
    shares = sorted(100 * one["value"] for one in PINNED["model"]["verified"].values())
    assert f"between {shares[0]:.0f} and {shares[-1]:.0f} %" in " ".join(enrichment.__doc__.split())


def test_the_recipe_holds_a_field_only_where_it_helped():
    import rag

    recipe = rag.load("enriched")
    held = {field for stage in recipe.stages for one in retrievers_of(stage) for field in getattr(one, "fields", ())}
    for field in held:
        gains = [f for name, one, metric, f in rows("bm25") if one == field and metric == "SpanR@512tok"]
        assert any(f["low"] > 0 for f in gains), field
        assert sum(f["gain"] for f in gains) > 0, field


@pytest.mark.parametrize("field", ["path", "kind"])
def test_a_field_on_the_bundled_manual_is_measured_again_without_harm(field):
    bench = enrichment.Bench(load(EVALS / "samples" / "manual"), growers={"kind": enrichment.GROWERS["kind"]})
    base = bench.scores(BM25())
    other = bench.scores(BM25(fields={field: enrichment.WEIGHTS[field]}))
    found = enrichment.gain(base, other, 0)
    assert found
    for told in found.values():
        assert told["low"] <= told["gain"] <= told["high"]
        assert told["gain"] > -10
