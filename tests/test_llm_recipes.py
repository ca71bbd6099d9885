"""Recipes `mapreduce` and `tree-llm` with their real models on real documents: cut off, gone on with, accounted for."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rag
from rag.models.ledger import spending

pytestmark = [pytest.mark.model]

DATA = Path(__file__).parent / "data"
ASKED = "Which polymers are named?"
PAPER, SPEC = DATA / "polymers.md", DATA / "commonmark_spec.md"


def kept(file: Path) -> int:
    """Replies in the cache; 0 where there is none yet."""
    if not file.is_file():
        return 0
    with sqlite3.connect(file, timeout=30) as db:
        table = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchone()
        return 0 if table is None else int(db.execute(f"SELECT count(*) FROM {table[0]}").fetchone()[0])


def test_tree_llm_is_killed_goes_on_from_its_replies_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("RAGTREE_REPLIES", str(tmp_path / "replies"))
    paper = tmp_path / "paper.md"
    paper.write_text(PAPER.read_text()[:2600])  # four sections: a call each, and what has to be repaired
    out, replies = tmp_path / "index", tmp_path / "replies" / "replies.sqlite"
    line = [sys.executable, "-c", "from rag.cli import main; main()", "index", "tree-llm", str(paper), "-o", str(out)]
    with subprocess.Popen(line, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
        end = time.monotonic() + 300
        while kept(replies) < 2 and first.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert first.poll() is None, "it was to be killed in the middle"
        first.send_signal(signal.SIGKILL)
    before = kept(replies)
    assert before >= 2
    assert not (out / "manifest.json").exists()
    pipe = rag.load("tree-llm")
    with spending() as book:
        index = pipe.index([paper], out)
    spent = book.usage()
    assert spent["cached"] >= before
    assert spent["calls"] >= 1
    with spending() as book:
        answer = index.ask(ASKED)
    notes = answer.notes["readers/mapreduce"]
    assert sum(notes["ways"].values()) >= notes["units"]
    assert notes["llm"] == "embedded/SmolLM2-135M-Instruct"
    assert book.usage()["calls"] >= 1
    assert all(index.verify(one) for one in answer.citations)
    with spending() as book:
        again = rag.open(out).ask(ASKED)
    assert (again.text, again.citations) == (answer.text, answer.citations)
    assert not book.usage().get("calls")


def test_mapreduce_answers_from_all_of_a_document_of_fifty_pages(tmp_path: Path) -> None:
    index = rag.load("mapreduce").index([SPEC], tmp_path / "index")
    answer = index.ask("Which sections mention link reference definitions?")
    assert answer.status == "answered"
    assert "Link reference definitions" in answer.text
    assert len(answer.citations) >= 3
    assert all(index.verify(one) for one in answer.citations)
    assert answer.context is not None
    assert answer.context.tokens is not None
    assert answer.context.tokens <= 1500
    assert not answer.usage.get("calls")
