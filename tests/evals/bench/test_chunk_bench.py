from __future__ import annotations

from pathlib import Path

from evals.bench.chunk import audit, bench
from rag.models.tokens import counter

DATA = Path(__file__).parents[2] / "data"
WORDS = counter("words")


def test_an_audit_counts_what_is_lost_doubled_altered_and_over_the_cap() -> None:
    text = "one two three four five six"
    found = audit([text], [[("one two three", 0), ("three four", 8), ("six", 24), ("other", 3)]], 2, WORDS)
    assert (found.lost, found.doubled, found.altered, found.over, found.offsets) == (4, 5, 1, 1, True)
    assert found.sizes.tolist() == [3, 2, 1, 1]


def test_chunks_without_offsets_are_looked_for_in_order() -> None:
    text = "same\n\nsame\n\nsame end"
    found = audit([text], [[("same", -1), ("same", -1), ("same end", -1)]], 9, WORDS)
    assert (found.lost, found.doubled, found.altered, found.offsets) == (0, 0, 0, False)


def test_the_bench_compares_ours_with_what_is_installed() -> None:
    result = bench(DATA / "state_of_the_union.txt", size=100, repeat=1)
    figures = result["figures"]
    rows = {row[0] for row in result["tables"][0]["rows"]}
    assert {"structure", "recursive", "sentences", "tokens alone"} <= rows
    for name in ("structure", "recursive", "sentences"):
        assert figures[name]["over_cap"] == figures[name]["lost"] == figures[name]["altered"] == 0
        assert figures[name]["offsets"]
        assert figures[name]["tokens"]["max"] <= 100
    assert figures["structure"]["times_ours"] == 1
    assert len(rows) + len(result["notes"]) == 9
