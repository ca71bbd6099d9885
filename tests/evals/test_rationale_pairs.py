"""Pairs of rationale sets: by gold evidence, one line a question, and a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.synth.rationales import Preferences, preferences
from rag.errors import DataError

TEXT = "Ada Lind dredged the harbour of Vell in 1904.\n\nThe pilot lives in Porto.\n\nBerth B is twelve metres deep.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set"
    made.mkdir()
    documents = [("vell", TEXT), ("porto", "Porto has a pilot and a harbour office.\n\nRain falls in Porto.\n")]
    questions = [
        ("q1", "Who dredged the harbour of Vell, and where in Porto does the pilot live?"),
        ("q2", "Who dredged?"),
        ("q3", "How deep is berth B?"),
    ]
    gold = [("q1", "vell", "Ada Lind dredged the harbour of Vell in 1904."), ("q2", "porto", "Rain falls in Porto.")]
    with (made / "corpus.jsonl").open("w") as out:
        out.writelines(json.dumps({"id": i, "title": "", "text": text}) + "\n" for i, text in documents)
    with (made / "queries.jsonl").open("w") as out:
        out.writelines(json.dumps({"id": i, "text": text}) + "\n" for i, text in questions)
    with (made / "spans.jsonl").open("w") as out:
        texts = dict(documents)
        for query, doc, said in gold:
            start = texts[doc].index(said)
            row = {"query_id": query, "doc_id": doc, "start": start, "end": start + len(said), "text": said}
            out.write(json.dumps(row) + "\n")
    return made


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_rationale_is_on_the_side_of_the_chunk_it_leads_to(folder, tmp_path):
    out = tmp_path / "pairs.jsonl"
    how = preferences(folder, out, Preferences())
    found = {str(row["id"]): row for row in lines(out)}
    assert set(found) == {"q1", "q2"}  # the third has no gold
    for row in found.values():
        assert ("skip" in row) != ("chosen" in row)
        if "chosen" in row:
            assert row["chosen"]
            assert row["rejected"]
            assert row["prompt"] == row["question"]
    assert sum(how.counts.values()) == 2


def test_a_run_that_was_stopped_in_a_line_goes_on_and_gives_the_same_file(folder, tmp_path):
    out, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    preferences(folder, out, Preferences())
    whole = out.read_bytes()
    again.write_bytes(whole[: whole.index(b"\n") + 20])
    how = preferences(folder, again, Preferences())
    assert again.read_bytes() == whole
    assert how.counts["there before"] == 1
    preferences(folder, again, Preferences())
    assert again.read_bytes() == whole


def test_pairs_of_two_makers_are_not_mixed(folder, tmp_path):
    out = tmp_path / "pairs.jsonl"
    preferences(folder, out, Preferences())
    with pytest.raises(DataError, match="Write to another file"):
        preferences(folder, out, Preferences(most=3))
