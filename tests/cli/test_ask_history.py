"""`rag ask --history`: a turn that leans on an earlier one is answered from what that was about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = """version: 1
chunker: {use: chunkers/structure}
stages:
  - {use: retrievers/conversation, dense: null}
"""


def test_earlier_turns_reach_the_pipeline(rag: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(CONFIG)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "castle.txt").write_text("The castle of Orm was built in 1310. Its moat is 4 metres deep.")
    (docs / "harbour.txt").write_text("The harbour of Vell was dredged in 1904. It is 12 metres deep.")
    index = tmp_path / "index"
    assert rag("index", tmp_path / "talk.yaml", docs, "-o", index, "-q").code == 0

    def first(*history: str) -> str:
        given = [part for turn in history for part in ("--history", turn)]
        return str(json.loads(rag("ask", index, "How deep is it?", *given, "--json").out)["context"][0]["doc"])

    assert first("user: Who built the castle of Orm?", "assistant: Nobody knows.").endswith("castle.txt")
    assert first("user: Who dredged the harbour of Vell?").endswith("harbour.txt")
