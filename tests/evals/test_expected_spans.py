"""What is pinned of spans on real documents: every kind that is asked for, and nothing broken."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from evals.reproduce import spans

HERE = Path(__file__).parents[2]
PINNED = json.loads((HERE / "evals" / "expected" / "spans.json").read_text())
KINDS = {
    "python-docs",
    "pydantic-ai-docs",
    "rust-book",
    "sqlite-docs",
    "rfcs",
    "contracts",
    "ndas",
    "papers",
    "articles",
}
KINDS |= {"filings", "pdfs", "code"}


def test_no_chunker_breaks_a_property_on_any_kind_of_document() -> None:
    assert set(PINNED["rows"]) == KINDS
    assert PINNED["total"]["documents"] > 1500
    assert PINNED["total"]["leaves"] > 50_000
    assert PINNED["total"]["violations"] == 0
    for row in PINNED["rows"].values():
        assert row["violations"] == 0
        assert row["chunkers"]["structure"]["documents"] == row["documents"]


def test_every_chunker_that_runs_offline_was_held() -> None:
    assert {"structure", "recursive", "sentences", "semantic", "intent"} <= set(PINNED["names"]) <= set(spans.offline())
    for row in PINNED["rows"].values():
        assert set(row["chunkers"]) == set(PINNED["names"])
        assert all(told["documents"] >= 10 for told in row["chunkers"].values())


def test_a_folder_is_held_again(tmp_path: Path) -> None:
    for name in ("contract.txt", "contextvars.rst", "crates.pdf"):
        folder = tmp_path / name.partition(".")[2]
        folder.mkdir()
        (folder / name).write_bytes((HERE / "tests" / "data" / name).read_bytes())
    told = spans.reproduce(Namespace(data=tmp_path, limit=1, seed=0), len)
    assert set(told["rows"]) == {"txt", "rst", "pdf"}
    assert told["total"]["documents"] == 3
    assert told["total"]["violations"] == 0
    assert told["total"]["leaves"] > 100
    assert "violations" in told["table"]
