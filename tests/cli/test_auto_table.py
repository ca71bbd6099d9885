"""`rag tree` and `rag chunk` show what `chunkers/auto` tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
GUIDE = "# Harbour\n\nShips leave at dawn. The lamp is lit at dusk.\n\n## Berths\n\nBerth B is nine metres deep.\n"
CONFIG = "version: 1\nchunker: {use: chunkers/auto}\nstages:\n  - {use: retrievers/bm25}\n"


def test_the_table_is_shown_and_never_among_the_chunks(tmp_path: Path, rag: Run) -> None:
    (tmp_path / "auto.yaml").write_text(CONFIG)
    (tmp_path / "guide.md").write_text(GUIDE)
    shown = rag("tree", tmp_path / "auto.yaml", tmp_path / "guide.md").out.splitlines()
    assert shown[1].startswith("  StructureChunker(160): 0.")
    assert sum("cohesion" in one for one in shown) == 3
    done = rag("chunk", tmp_path / "auto.yaml", tmp_path / "guide.md", "--json")
    assert "".join(json.loads(one)["text"] for one in done.out.splitlines()) == GUIDE
    assert done.err.count("cohesion") == 3
    assert "cohesion" not in rag("tree", "lexical", tmp_path / "guide.md").out
