"""Tab: what bash offers when somebody types, with the script that `rag --show-completion` prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag.cli import completing

BASH = shutil.which("bash")
COMMAND = Path(sys.executable).with_name("rag")
needs_bash = pytest.mark.skipif(BASH is None or not COMMAND.exists(), reason="bash or the command is not installed")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people have it: an index, a deeper one, a dataset, a run, a pipeline, and other things."""
    base = tmp_path_factory.mktemp("home")
    for folder, file in (
        ("index", "documents.sqlite"),
        ("deep/er/index2", "documents.sqlite"),
        (".hidden/index3", "documents.sqlite"),
        ("questions", "queries.jsonl"),
        ("runs/first", "perquery.jsonl"),
        ("notes", "a.txt"),
    ):
        (base / folder).mkdir(parents=True)
        (base / folder / file).touch()
    (base / "pipeline.yaml").touch()
    (base / "quick.yaml").touch()
    return base


def tab(here: Path, typed: str) -> list[str]:
    """What bash would offer after Tab at the end of a line."""
    words = typed.split(" ")
    script = f"""
eval "$(_RAG_COMPLETE=source_bash rag)"
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
$(complete -p rag | sed -E 's/.*-F ([^ ]+) .*/\\1/') rag
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = {**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH or "bash", "--norc", "-c", script], cwd=here, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


@needs_bash
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rag ind", ["index"]),
        ("rag index quick", ["quickstart", "quickstart-llm", "quick.yaml"]),
        ("rag run pipe", ["pipeline.yaml"]),
        ("rag ask ", ["deep/er/index2", "index"]),
        ("rag ask deep/", ["deep/er/index2"]),
        ("rag ask .h", [".hidden/index3"]),
        ("rag serve index d", ["deep/er/index2"]),
        ("rag eval lexical --data q", ["questions"]),
        ("rag data check ", ["questions"]),
        ("rag compare runs/", ["runs/first"]),
        ("rag docs tu", ["tutorial"]),
        ("rag show stage rerankers/mm", ["rerankers/mmr"]),
        ("rag models pull bge", ["bge-small-en-v1.5"]),
        ("rag ask notes", []),
    ],
)
def test_bash_offers_what_fits(typed: str, offered: list[str], here: Path) -> None:
    assert sorted(tab(here, typed)) == sorted(offered)


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not installed")
@pytest.mark.parametrize(
    ("shell", "extra"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "rag ask "}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "rag ask ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_zsh_and_fish_are_told_the_same(shell: str, extra: dict[str, str], here: Path) -> None:
    done = subprocess.run(
        [COMMAND],
        cwd=here,
        env={**os.environ, "_RAG_COMPLETE": f"complete_{shell}", **extra},
        capture_output=True,
        text=True,
    )
    assert "deep/er/index2" in done.stdout
    assert "notes" not in done.stdout


def test_every_recipe_page_and_stage_is_offered() -> None:
    from rag import registry
    from rag.config import recipes
    from rag.site.pages import guide

    assert set(recipes()) <= set(completing.configs(""))
    assert completing.pages("") == sorted(guide())
    assert completing.stages("") == sorted(f"{kind}/{name}" for kind in registry.KINDS for name in registry.names(kind))


def test_a_large_tree_and_a_folder_that_cannot_be_read_end_at_once(tmp_path: Path, monkeypatch) -> None:
    for i in range(60):
        (tmp_path / f"d{i:02}").mkdir()
        for j in range(100):
            (tmp_path / f"d{i:02}" / f"{j:02}").mkdir()
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    assert completing.indexes("") == []
    assert time.process_time() - began < 1
    assert completing.indexes("nowhere/at/all") == []
    assert json.dumps(completing.indexes("d00/")) == "[]"
