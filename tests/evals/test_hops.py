"""Sets of questions over many passages: which questions are left out."""

from __future__ import annotations

import json
from pathlib import Path

from evals.hops import Passages, asked_in, half


def made(folder: Path, questions: dict[str, str]) -> Path:
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(json.dumps({"id": "d", "title": "D", "text": "A mill."}) + "\n")
    rows = [json.dumps({"id": name, "text": text, "answers": []}) for name, text in questions.items()]
    (folder / "queries.jsonl").write_text("\n".join(rows) + "\n")
    lines = ["query-id\tcorpus-id\tscore", *(f"{name}\td\t1" for name in questions)]
    (folder / "qrels.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_question_that_fixed_constants_is_left_out_of_every_other_set(tmp_path: Path) -> None:
    fixed = made(tmp_path / "fixed", {"a": "What grinds?", "b": "What turns?"})
    other = made(tmp_path / "other", {"x": "What grinds?", "y": "What flows?"})
    assert asked_in([fixed, tmp_path / "missing"]) == {"What grinds?", "What turns?"}
    assert [item.id for item in Passages(other, but=asked_in([fixed])).items] == ["y"]
    assert [item.id for item in Passages(other, limit=1).items] == ["x"]


def test_a_half_of_a_set_is_left_out_by_the_checksum_of_its_ids(tmp_path: Path) -> None:
    fixed = made(tmp_path / "fixed", {f"q{i}": f"Question {i}?" for i in range(20)})
    halves = [asked_in([fixed], only) for only in (0, 1)]
    assert halves[0] | halves[1] == asked_in([fixed])
    assert not halves[0] & halves[1]
    assert "Question 3?" in halves[half("q3")]
