from __future__ import annotations

import json
from pathlib import Path

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.chunk_size import BUDGETS, CHUNKERS, DEFAULT, compared, measured
from evals.reproduce.meta import Subset

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "chunk_size.json").read_text())
ROWS = PINNED["rows"]
SAID = " ".join((StructureChunker.__doc__ or "").split())


def test_the_docstring_shows_every_row_of_sizes_and_peers() -> None:
    for name, row in ROWS.items():
        shown = "  ".join(f"{row[str(budget)]['mean']:.1f}" for budget in BUDGETS)
        kind, size = name.split()
        label = {"size": f"size {size:>3}", "even": "", "recursive": f"recursive, size {size}"}.get(
            kind, f"{kind}, size {size}"
        )
        if label:
            assert f"{' '.join(label.split())} {' '.join(shown.split())}" in SAID
    assert f"{PINNED['n']} questions" in SAID


def test_the_default_is_ahead_of_recursive_at_every_budget_and_evenness_costs_only_where_the_budget_is_tight() -> None:
    assert CHUNKERS[DEFAULT] == StructureChunker()
    for budget in map(str, BUDGETS):
        assert ROWS["recursive 200"][budget]["gain"][2] < 0
        gain, low, high = (f"{abs(v):.1f}" for v in ROWS["recursive 200"][budget]["gain"])
        assert f"{gain} ({high} to {low})" in SAID or f"{gain} (95 %: {high} to {low})" in SAID
    for budget in ("512", "1024"):
        _, low, high = ROWS["even 0.3"][budget]["gain"]
        assert low < 0 < high


def test_the_bundled_set_measured_again_gives_shares_of_gold() -> None:
    subset = Subset(load(SAMPLE), 60_000, 12)
    few = {name: CHUNKERS[name] for name in (DEFAULT, "even 0.3")}
    rows = compared([measured(subset, few)], 0)
    assert rows[DEFAULT]["1024"]["gain"] == [0, 0, 0]
    assert 0 < rows["even 0.3"]["256"]["mean"] <= rows["even 0.3"]["1024"]["mean"] <= 100
