"""The command line with the recipe that needs no model: everything but embeddings is real."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

GUIDE = "# Guide\n\nThe lamp was lit in 1872.\n\n## Hours\n\nThe tower opens at ten.\r\n\n```\nnot a # heading\n```\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "guide.md").write_bytes(GUIDE.encode())
    (folder / "deep" / "note.txt").write_bytes("\ufeffBerth B — 12 metres deep. 港は静かだ。".encode())
    return folder


@pytest.fixture
def built(docs: Path, tmp_path: Path, rag: Run) -> Path:
    out = tmp_path / "index"
    assert rag("index", "lexical", docs, "--out", out).code == 0
    return out


def test_index_reports_what_it_did_as_text_and_json(docs: Path, tmp_path: Path, rag: Run) -> None:
    first = rag("index", "lexical", docs, "--out", tmp_path / "index", "--json")
    assert (first.code, first.err) == (0, "")
    report = json.loads(first.out)
    assert report["documents"] == 2
    again = rag("index", "lexical", docs, "--out", tmp_path / "index")
    assert again.code == 0
    assert again.out.startswith("nothing to do: 2 documents")


def test_every_piece_of_context_is_a_slice_of_the_file(docs: Path, built: Path, rag: Run) -> None:
    done = rag("ask", built, "How deep is berth B?", "--json")
    assert done.code == 0
    answer = json.loads(done.out)
    assert answer["status"] == "retrieved"
    assert answer["context"][0]["doc"] == "deep/note.txt"
    for one in answer["context"]:
        text = (docs / one["doc"]).read_bytes().decode()
        assert text[one["start"] : one["end"]] == one["text"]


def test_chunk_prints_one_line_a_leaf_that_tile_the_file(docs: Path, rag: Run) -> None:
    done = rag("chunk", "lexical", docs / "guide.md", "--set", "chunker.size=16", "--json")
    leaves = [json.loads(line) for line in done.out.splitlines()]
    assert "".join(leaf["text"] for leaf in leaves) == GUIDE
    assert all(GUIDE[leaf["start"] : leaf["end"]] == leaf["text"] for leaf in leaves)
    assert leaves[-1]["path"] == ["Guide", "Hours"]


def test_tree_prints_an_outline_json_and_a_page(docs: Path, tmp_path: Path, rag: Run) -> None:
    assert "section" in rag("tree", "lexical", docs / "guide.md").out
    outline = json.loads(rag("tree", "lexical", docs / "guide.md", "--json").out)
    assert outline[0]["doc"] == "guide.md"
    page = tmp_path / "tree.html"
    assert rag("tree", "lexical", docs / "guide.md", "--html", page).code == 0
    assert "rag-tree-data" in page.read_text()


def test_a_deleted_document_is_gone(docs: Path, built: Path, rag: Run) -> None:
    assert rag("index", "lexical", "--out", built, "--delete", "deep/note.txt").code == 0
    found = json.loads(rag("ask", built, "How deep is berth B?", "--json").out)
    assert all(one["doc"] != "deep/note.txt" for one in found["context"])
    done = rag("index", "lexical", "--out", built, "--delete", "nowhere.md")
    assert done.code == 2
    assert "nowhere.md" in done.err


def test_query_time_settings_may_change_and_others_are_refused(built: Path, rag: Run) -> None:
    one = json.loads(rag("ask", built, "tower lamp", "--set", "stages[0].k=1", "--json").out)
    assert len(one["context"]) == 1
    refused = rag("ask", built, "tower", "--set", "chunker.size=64")
    assert refused.code == 2
    assert refused.err.startswith("rag: chunker: this index was built with")
    assert "\n" not in refused.err.strip()


def test_a_bad_document_among_good_ones_is_reported_and_skipped(docs: Path, tmp_path: Path, rag: Run) -> None:
    (docs / "broken.txt").write_bytes(b"caf\xe9 \xff\xfe\x00 broken")
    (docs / "empty.md").write_bytes(b"")
    out = tmp_path / "index"
    done = rag("index", "lexical", docs, "--out", out)
    assert done.code == 1
    assert "broken.txt" in done.err
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert any("broken.txt" in json.dumps(one) for one in failures)
    assert json.loads(rag("ask", out, "lamp", "--json").out)["context"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("index", "lexical", "nowhere", "--out", "{tmp}/i"), "nowhere"),
        (("index", "lexical", "{tmp}/void", "--out", "{tmp}/i"), "nothing to index"),
        (("index", "nonsense", "{tmp}", "--out", "{tmp}/i"), "no recipe and no file 'nonsense'"),
        (("index", "lexical", "{tmp}/docs", "--out", "{tmp}/i", "--set", "stages[0].k=0"), "must be >= 1"),
        (("ask", "{tmp}/docs", "x"), "docs"),
        (("ask", "{tmp}/index", ""), "must hold at least one character"),
        (("ask", "{tmp}/index", " \n"), "must hold at least one character"),
        (("ask", "{tmp}/index", "x" * 100_000), "must be at most 20,000 characters, got 100,000"),
        (("chunk", "lexical", "{tmp}/nowhere.md"), "nowhere.md"),
        (("show", "stages", "nonsense"), "no kind 'nonsense'"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_two(
    args: tuple[str, ...], message: str, built: Path, tmp_path: Path, rag: Run
) -> None:
    (tmp_path / "void").mkdir()
    before = sorted(
        (p.relative_to(built), p.stat().st_size)
        for p in built.rglob("*")
        if p.is_file() and p.suffix not in {".sqlite-shm", ".sqlite-wal"}
    )
    done = rag(*[a.replace("{tmp}", str(tmp_path)) for a in args])
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    after = sorted(
        (p.relative_to(built), p.stat().st_size)
        for p in built.rglob("*")
        if p.is_file() and p.suffix not in {".sqlite-shm", ".sqlite-wal"}
    )
    assert after == before


def test_a_symlink_that_leaves_the_folder_is_not_followed(docs: Path, tmp_path: Path, rag: Run) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the password is swordfish")
    (docs / "link.txt").symlink_to(secret)
    out = tmp_path / "index"
    done = rag("index", "lexical", docs, "--out", out)
    assert done.code == 1
    assert "link.txt" in done.err
    found = json.loads(rag("ask", out, "password swordfish", "--json").out)
    assert "swordfish" not in json.dumps(found["context"])


def test_two_files_of_one_name_from_two_folders_are_both_found(tmp_path: Path, rag: Run) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.txt").write_text(f"text {name}")
    done = rag("index", "lexical", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "i")
    assert done.code == 0
    found = json.loads(rag("ask", tmp_path / "i", "text", "--json").out)["context"]
    assert sorted(one["text"] for one in found) == ["text a", "text b"]


def test_check_writes_every_setting_out_and_names_what_is_missing(
    rag: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "retrievers/bm25" in rag("check", "lexical").out
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path))
    lacking = rag("check", "quickstart", "--json")
    assert lacking.code == 1
    assert any("rag models pull" in one for one in json.loads(lacking.out)["missing"])


def test_a_model_that_is_not_there_says_how_to_fetch_it(
    docs: Path, tmp_path: Path, rag: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path / "cache"))
    done = rag("index", "quickstart", docs, "--out", tmp_path / "i")
    assert done.code == 2
    assert "rag models pull" in done.err


def test_show_lists_stages_recipes_models_and_a_schema(rag: Run) -> None:
    assert "retrievers/bm25" in rag("show", "stages").out
    assert {row["name"] for row in json.loads(rag("show", "recipes", "--json").out)} >= {"lexical", "quickstart"}
    assert "bge-small-en-v1.5" in rag("show", "models").out
    assert "R@k" in rag("show", "metrics").out
    assert json.loads(rag("show", "schema").out)["title"] == "ragtree pipeline"
    assert "k1" in rag("show", "stage", "retrievers/bm25").out


def test_doctor_finds_no_problem_here(rag: Run) -> None:
    done = rag("doctor", "--json")
    facts = json.loads(done.out)
    assert (facts["shadowed"], facts["broken"]) == ([], [])
    assert done.code == 0


def test_help_and_version_are_there(rag: Run) -> None:
    assert "citations are exact slices" in rag("--help").out
    assert rag("--version").out.startswith("ragtree ")
    assert rag("nonsense").code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_reported(docs: Path, tmp_path: Path, rag: Run) -> None:
    (docs / "locked.txt").write_text("locked")
    (docs / "locked.txt").chmod(0)
    done = rag("index", "lexical", docs, "--out", tmp_path / "i")
    assert done.code == 1
    assert "locked.txt" in done.err
