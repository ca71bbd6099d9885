"""`rag data`: data on stdout, talk on stderr, exit 1 where a set is not sound and 2 for a bad request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "evals" / "samples"


def rag(*arguments):
    code = "import sys; from rag.cli import main; sys.argv[0] = 'rag'; main()"
    return subprocess.run([sys.executable, "-c", code, "data", *map(str, arguments)], capture_output=True, text=True)


def test_a_sound_set_is_sound_and_a_broken_one_is_named_line_by_line(tmp_path):
    done = rag("check", SAMPLES / "manual")
    assert (done.returncode, done.stdout) == (0, "")
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).write_bytes((SAMPLES / "manual" / name).read_bytes())
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nmanual-01\tghost\t1\n")
    done = rag("check", tmp_path, "--json")
    assert done.returncode == 1
    assert [json.loads(one)["line"] for one in done.stdout.splitlines()] == [2]
    assert "1 problems" in done.stderr


def test_split_import_and_synth_write_folders_that_are_sound(tmp_path):
    done = rag("split", SAMPLES / "manual", "--out", tmp_path / "a", tmp_path / "b", "--seed", 3, "--json")
    sides = json.loads(done.stdout)
    assert sum(side["questions"] for side in sides) == 28
    context = "Ada Lind dredged the harbour."
    asked = {
        "id": "q",
        "question": "Who?",
        "answers": [{"text": "Ada Lind", "answer_start": 0}, {"text": "x", "answer_start": 0}],
    }
    source = tmp_path / "squad.json"
    source.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [{"context": context, "qas": [asked]}]}]}))
    done = rag("import", "squad", source, "--out", tmp_path / "c")
    assert (done.returncode, "1 questions" in done.stdout, "answers[1]" in done.stderr) == (0, True, True)
    done = rag("synth", SAMPLES / "manual" / "docs", "--out", tmp_path / "d", "--count", 5, "--json")
    assert json.loads(done.stdout)["questions"] == 5
    assert all(rag("check", tmp_path / one).returncode == 0 for one in "abcd")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "sqad", "x", "--out", "y"), "no format 'sqad'. Did you mean squad"),
        (("import", "squad", "nowhere.json", "--out", "y"), "nowhere.json: is not there"),
        (("split", "nowhere", "--out", "a", "b"), "nowhere: has no corpus.jsonl"),
        (("synth", "nowhere", "--out", "y"), "nowhere"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_2(arguments, message):
    done = rag(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
