"""`rag docs` in the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_without_a_page_the_pages_are_listed(rag: Run) -> None:
    done = rag("docs")
    assert done.code == 0
    assert "tutorial" in done.out
    assert "rag docs --out site" in done.err
    assert json.loads(rag("docs", "--json").out)["guard"].startswith("The guard")


def test_a_page_is_printed_and_a_wrong_name_is_told(rag: Run) -> None:
    assert rag("docs", "tutorial").out.startswith("# Tutorial")
    assert rag("docs", "bring-your-data").out.startswith("# Bring your data")
    wrong = rag("docs", "tutorail")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Did you mean 'tutorial'" in wrong.err


def test_a_folder_that_is_no_site_is_refused(tmp_path: Path, rag: Run) -> None:
    (tmp_path / "x").write_text("")
    done = rag("docs", "--out", tmp_path)
    assert done.code == 2
    assert "Choose another folder" in done.err


def test_shells_can_complete_commands(rag: Run) -> None:
    assert "--install-completion" in rag("--help").out
    env = {**os.environ, "_RAG_COMPLETE": "complete_bash", "COMP_WORDS": "rag run --da", "COMP_CWORD": "2"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['rag']; from rag.cli import main; main()"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["--data"], done.stderr
