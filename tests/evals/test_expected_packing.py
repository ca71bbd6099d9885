from __future__ import annotations

import json
from pathlib import Path

from evals.reproduce.packing import SAMPLE, compare, documents

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "packing.json").read_text())


def test_weighing_even_sizes_more_halves_their_spread_against_the_recursive_splitter() -> None:
    rows = {(row["size"], row["even"]): row for row in PINNED["rows"]}
    assert all(row["over_cap"] == 0 and row["runts"] <= 3 for row in rows.values())
    assert all(rows[size, 3.0]["ratio"][2] < 0.5 for size in (96, 160, 256))
    assert all(rows[size, 1.0]["ratio"][2] < 0.5 for size in (96, 160))
    assert all(0.5 < rows[size, 0.3]["ratio"][0] < 0.7 for size in (96, 160, 256))


def test_one_document_measured_again_agrees() -> None:
    docs = sorted(documents(SAMPLE), key=lambda doc: len(doc.text))[:1]
    row = compare(docs, 160, 3.0)
    assert row["over_cap"] == 0
    assert row["ratio"][0] < 0.6
