"""What `rag serve` and `rag mcp` say when they cannot start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag import Document, load

Rag = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("verbs") / "small"
    load("lexical").index([Document("a.txt", "The harbour is deep.")], at)
    return at


@pytest.mark.parametrize("verb", ["serve", "mcp"])
def test_a_missing_index_is_one_line(rag: Rag, verb: str, tmp_path: Path) -> None:
    done = rag(verb, tmp_path / "nothing")
    assert done.code == 2
    assert done.err.startswith(f"rag: {tmp_path / 'nothing'}: no such folder. Make one with `rag index")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(("verb", "package"), [("serve", "fastapi"), ("serve", "uvicorn"), ("mcp", "mcp")])
def test_a_missing_extra_is_named(
    rag: Rag, verb: str, package: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    done = rag(verb, folder, *(["--port", "0"] if verb == "serve" else []))
    assert done.code == 2
    assert f"pip install 'ragtree[{verb}]'" in done.err
    assert done.err.count("\n") == 1


def test_other_machines_need_a_token(rag: Rag, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAG_SERVE_TOKEN", raising=False)
    for arguments in (("serve", folder), ("mcp", folder, "--http")):
        done = rag(*arguments, "--host", "0.0.0.0")
        assert done.code == 2
        assert "$RAG_SERVE_TOKEN must hold a token, got none" in done.err


def test_an_address_of_another_machine_is_told(rag: Rag, folder: Path) -> None:
    pytest.importorskip("fastapi")
    done = rag("serve", folder, "--host", "192.0.2.1", "--without-token", "--port", "0")
    assert (done.code, done.err) == (2, "rag: --host 192.0.2.1: is no address of this machine.\n")


def test_a_setting_that_is_not_there_is_told_at_the_start(rag: Rag, folder: Path) -> None:
    done = rag("serve", folder, "--set", "stages[7].k=1")
    assert done.code == 2
    assert "stages[7]" in done.err
