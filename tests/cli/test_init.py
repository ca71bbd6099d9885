"""`rag init` writes a project that runs at once: pipeline, documents, questions, a stage and its test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.datasets import load
from rag.config import recipes

Run = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path, rag: Run) -> Path:
    folder = tmp_path / "start"
    done = rag("init", folder, "--recipe", "lexical")
    assert done.code == 0
    assert sorted(done.out.split()) == sorted(str(p) for p in folder.rglob("*") if p.is_file())
    assert f"cd {folder}" in done.err
    return folder


def test_the_dataset_has_no_fault_and_its_spans_are_the_documents(project: Path) -> None:
    data = load(project / "questions")
    assert not dict(data.counts())
    assert len(data) == 7
    for item in data.items:
        for span in item.spans:
            text = (project / "docs" / span.doc).read_text()
            assert item.answers[0] in text[span.start : span.end]
    assert [item.id for item in data.items if not item.answers] == ["q7"]


QUICK = ("quickstart", "tree", "guarded")


@pytest.mark.parametrize(
    "recipe", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(recipes())]
)
def test_every_recipe_is_a_start(recipe: str, tmp_path: Path, rag: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert rag("init", "--recipe", recipe).code == 0
    checked = rag("check", "pipeline.yaml", "--allow", "my_stages")
    sys.modules.pop("my_stages", None)
    assert checked.code == 0, checked.err


def test_the_pipeline_runs_with_the_stage_beside_it(project: Path, rag: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(project)])
    allow = ("--allow", "my_stages")
    assert rag("index", "pipeline.yaml", "docs", "--out", "index", *allow).code == 0
    found = json.loads(rag("ask", "index", "When does the last climb start?", "--json", *allow).out)
    refused = rag("ask", "index", "When?")
    sys.modules.pop("my_stages", None)
    assert found["context"][0]["doc"] == "lighthouse.md"
    assert refused.code == 2
    assert "--allow my_stages" in refused.err


@pytest.mark.slow
def test_its_own_tests_pass_and_its_commands_run_from_the_folder(project: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    own = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
    assert own.returncode == 0, own.stdout
    script = "import sys; sys.path.pop(0); from rag.cli import main; main()"

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, *args]
        return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)

    refused = call("check", "pipeline.yaml")
    assert refused.returncode == 2
    assert "Allow its module with --allow my_stages" in refused.stderr
    allow = ("--allow", "my_stages")
    assert call("index", "pipeline.yaml", "docs", "--out", "index", *allow).returncode == 0
    found = json.loads(call("ask", "index", "When does the last climb start?", "--json", *allow).stdout)
    assert found["context"][0]["doc"] == "lighthouse.md"
    ran = call("run", "pipeline.yaml", "--data", "questions", "--out", "runs/first", *allow)
    assert ran.returncode == 0, ran.stderr
    assert call("report", "runs/first").returncode == 0
    assert (project / "runs/first/report.html").is_file()


def test_nothing_is_replaced_without_being_told_to(project: Path, rag: Run) -> None:
    mine = project / "pipeline.yaml"
    mine.write_text("mine")
    refused = rag("init", project)
    assert (refused.code, refused.out) == (2, "")
    assert "--force" in refused.err
    assert mine.read_text() == "mine"
    assert rag("init", project, "--force").code == 0
    assert mine.read_text() != "mine"


@pytest.mark.parametrize("blocked", [".", "docs"])
def test_a_file_where_a_folder_is_needed_is_told(blocked: str, tmp_path: Path, rag: Run) -> None:
    folder = tmp_path / "x"
    if blocked == ".":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder / blocked).write_text("")
    done = rag("init", folder)
    assert done.code == 2
    assert "is a file, and a folder is needed" in done.err


def test_an_unknown_recipe_writes_nothing(tmp_path: Path, rag: Run) -> None:
    done = rag("init", tmp_path / "x", "--recipe", "quikstart")
    assert done.code == 2
    assert "Did you mean 'quickstart'" in done.err
    assert not (tmp_path / "x").exists()
