"""What a stranger types wrong: one line that names place, wish and way out, exit 2, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rag: Run) -> Path:
    """A folder with documents, an index, a dataset, and files that are none of these."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Lease\n\nAda Quill signs the lease.\n")
    data = tmp_path / "data"
    data.mkdir()
    (data / "corpus.jsonl").write_text(json.dumps({"id": "a", "text": "Ada Quill signs the lease."}) + "\n")
    (data / "queries.jsonl").write_text('{"id": "q", "text": "Who signs?"}\n{"id": "q", "text": "Who?"}\n')
    (data / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (tmp_path / "boom_stage.py").write_text('raise ValueError("boom")\n')
    (tmp_path / "boom.yaml").write_text("version: 1\nstages:\n  - {use: 'boom_stage:X'}\n")
    (tmp_path / "env.yaml").write_text("version: 1\nstages:\n  - {use: retrievers/bm25, k: ${K}}\n")
    (tmp_path / "latin.yaml").write_bytes(b"base: caf\xe9\n")
    (tmp_path / "latin.yaml.txt").write_bytes(b"caf\xe9 au lait\n")
    assert rag("index", "lexical", "docs", "--out", "index", "-q").code == 0
    return tmp_path


WRONG = {
    "ask index x --set nope=1": r"must begin with chunker, growers, stages, got 'nope'. Name a setting as stages[1].k=5",
    "ask index x --set chunkr.size=1": "got 'chunkr'. Did you mean 'chunker'?",
    "ask index x --set stages[9].k=1": "there is no stages[9]; stages has stages[0].",
    "ask index x --set retrievers/bm25.k1=3": "retrievers/bm25: this index was built with k1 0.9, the change asks for k1 3",
    "ask index x --set stages[0]=retrievers/dense": "built with retrievers/bm25, the change asks for retrievers/dense",
    "ask index x --set chunker=chunkers/sentences": "built with chunkers/structure, the change asks for chunkers/sentences",
    "ask index x --set growers=[trees/keywords]": "growers[0]: not part of this index. Index again",
    "check boom.yaml --allow boom_stage": "boom.yaml:3: stages[0]: 'boom_stage:X': its module cannot be imported: ValueErr",
    "check boom.yaml --allow boom": "Allow its module with --allow boom_stage.",
    "check env.yaml": "env.yaml:3: not YAML: expected ',' or '}', but got '{'. Put \"${NAME}\" in quotes.",
    "sweep nowhere.yaml --data data --out s": "nowhere.yaml: no such file. A sweep is a YAML file with `base`",
    "sweep latin.yaml --data data --out s": "latin.yaml: cannot be read as YAML: it is not UTF-8.",
    "report nowhere": "no such folder. Make one with `rag run CONFIG --data DIR --out nowhere`.",
    "report index": "index: holds an index, not a run.",
    "run lexical --data data --out index": "index: holds an index, not a run.",
    "run lexical --data data --out docs/a.md": "docs/a.md: must be a folder, got a file.",
    "tree lexical docs/a.md --html no/where.html": "no/where.html: No such file or directory. Check the path,",
    "data synth docs --out docs/a.md": "docs/a.md",
    "index lexical --out new": "nothing to index: no file or folder was named. Name some behind the config.",
    "index lexical latin.yaml.txt --out new": "not indexed: latin.yaml.txt: LoadError: latin.yaml.txt: not UTF-8",
    "eval lexical --data nowhere": "nowhere: has no corpus.jsonl: there is no such folder.",
    "index lexical docs --out docs": "docs: must be apart from the sources, but 'docs' is in it. Name another folder.",
    "index lexical docs/a.md --out .": ".: must be apart from the sources",
}


@pytest.mark.parametrize("typed", WRONG)
def test_a_wrong_request_is_told_in_one_line(typed: str, here: Path, rag: Run) -> None:
    before = sorted(path for path in here.rglob("*") if "__pycache__" not in path.parts)
    done = rag(*typed.split(" "))
    assert done.code == 2
    assert WRONG[typed] in done.err
    assert done.err.count("\n") == 1, done.err
    assert done.out == ""
    after = sorted(path for path in here.rglob("*") if "__pycache__" not in path.parts)
    assert [p.name for p in after if p not in before and p.name != ".lock"] == []


def test_a_dataset_with_a_fault_that_can_be_run_says_so(here: Path, rag: Run) -> None:
    done = rag("eval", "lexical", "--data", "data", "--metrics", "R@5")
    assert done.code == 0
    assert "data: 1 problem, the first queries.jsonl:2: second question with an id: 'q'; first kept." in done.err
    assert "rag data check data" in done.err


def test_a_module_is_allowed_by_its_own_name_or_one_above(here: Path, rag: Run) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "stages.py").write_text(
        "from rag import Hits\nfrom rag.stage import stage\n\n\n@stage\nclass Same:\n"
        "    def __call__(self, hits: Hits, /) -> Hits:\n        return hits\n"
    )
    (here / "mine.yaml").write_text(
        "version: 1\nchunker: {use: chunkers/structure}\nstages:\n  - {use: retrievers/bm25}\n"
        "  - {use: 'mine.stages:Same'}\n"
    )
    assert rag("check", "mine.yaml", "--allow", "mine").code == 0
    assert rag("check", "mine.yaml", "--allow", "mine.stages").code == 0
    assert rag("check", "mine.yaml", "--allow", "mine.sta").code == 2


@pytest.mark.parametrize(
    ("typed", "where", "said"),
    [
        ("run lexical --data data --out r", "evals.run.run", "kept in r: the same command goes on from there."),
        ("index lexical docs --out index", "rag.pipeline.Pipeline.index", "the index in index is as it was before."),
        ("eval lexical --data data", "evals.run.evaluated", "rag: stopped."),
    ],
)
def test_who_stops_a_verb_is_told_what_there_is(
    typed: str, where: str, said: str, here: Path, rag: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stopped)
    done = rag(*typed.split(" "))
    assert done.code == 130
    assert said in done.err
    assert done.err.endswith("rag: stopped.\n")
    assert "Traceback" not in done.err
