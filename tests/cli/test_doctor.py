"""`rag doctor` says what is missing and what to do next."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest

from rag import registry
from rag.cli import doctor

Run = Callable[..., Any]
WELL = {"packages": {"numpy": "2"}, "shadowed": [], "broken": [], "models": {"bge-small-en-v1.5": "present"}}


def test_every_extra_is_told_with_its_missing_packages(rag: Run) -> None:
    facts = json.loads(rag("doctor", "--json").out)
    declared = set(metadata("ragtree").get_all("Provides-Extra") or ()) - {"all"}
    assert set(facts["extras"]) == declared
    assert facts["extras"]["dev"] == [] or all(isinstance(name, str) for name in facts["extras"]["dev"])


def test_what_is_in_the_way_comes_before_everything_else() -> None:
    told = doctor._next({**WELL, "packages": {"numpy": None}, "shadowed": ["rag: elsewhere"]})
    assert told[0].startswith("pip install numpy")
    assert told[1].startswith("pip list")
    assert not any("init" in step for step in told)


def test_missing_models_are_named_with_the_command_that_fetches_them(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    told = doctor._next({**WELL, "models": {}})
    assert told[0].startswith("rag models pull  # bge-small-en-v1.5, ms-marco-MiniLM-L12-v2")
    assert told[1].startswith("rag init start")


@pytest.mark.parametrize(
    ("files", "step"),
    [
        ((), "rag init start"),
        (("pipeline.yaml",), "rag index pipeline.yaml docs --out index  #"),
        (("pipeline.yaml", "my_stages.py"), "rag index pipeline.yaml docs --out index --allow my_stages"),
        (("pipeline.yaml", "index/manifest.json"), "rag ask index"),
    ],
)
def test_the_next_step_fits_the_folder(files: tuple[str, ...], step: str, tmp_path: Path, monkeypatch: Any) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert doctor._onward()[0].startswith(step)


def test_a_stage_that_cannot_be_imported_is_told_whatever_it_raises(
    tmp_path: Path, rag: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_broken_stage.py").write_text("def half(\n")
    info = tmp_path / "a_broken_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-broken-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rag.rerankers]\na-broken-one = a_broken_stage:Half\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    registry._table.cache_clear()
    try:
        done = rag("doctor")
        used = rag("show", "stage", "rerankers/a-broken-one")
    finally:
        registry._table.cache_clear()
    assert done.code == 1
    assert "BROKEN rerankers/a-broken-one: SyntaxError: " in done.out
    assert "pip install --force-reinstall ragtree" in done.out
    assert "No problem found" not in done.out
    assert used.code == 2
    assert "is listed as a_broken_stage:Half of the package 'a-broken-package', but cannot be imported" in used.err
    assert len(used.err.splitlines()) == 1


def test_an_index_is_held_against_its_digests(tmp_path: Path, rag: Run) -> None:
    (tmp_path / "a.md").write_text("# Lease\n\nAda Quill signs the lease.\n")
    index = tmp_path / "index"
    rag("index", "lexical", tmp_path / "a.md", "--out", index)
    done = rag("doctor", index)
    assert (done.code, done.out) == (0, f"{index}: sound, documents: 1, chunks: 1\n")
    damaged = next(index.glob("gen-*/bm25-*/scores.npy"))
    raw = bytearray(damaged.read_bytes())
    raw[-1] ^= 1
    damaged.write_bytes(bytes(raw))
    done = rag("doctor", index, "--json")
    assert done.code == 1
    (row,) = json.loads(done.out)
    assert row["sound"] is False
    assert row["problem"] == f"{damaged}: damaged, its sha256 differs. Index into another folder."
    done = rag("doctor", tmp_path / "nowhere", index)
    assert done.code == 1
    assert "nowhere: no such folder" in done.out


def test_the_next_step_beside_an_index_names_the_stages_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").touch()
    monkeypatch.chdir(tmp_path)
    assert doctor._onward() == ['rag ask index "your question"  # there is an index in this folder']
    (tmp_path / "my_stages.py").touch()
    assert doctor._onward()[0].startswith('rag ask index "your question" --allow my_stages')
