"""The study of clarifying by rule: what is pinned, what the docstrings say of it, and two questions measured again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evals.hops import Passages
from evals.reproduce.clarify import SETS, WAYS, measured
from retrievers.clarify import Clarify
from retrievers.explore import Explore

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "clarify.json").read_text())
TEXTS = {
    "lind": "Ada Lind was an engineer. Ada Lind was born in the town of Orm.",
    "harbour": "The harbour of Vell was dredged by Ada Lind in 1904.",
    "orm": "The town of Orm lies in Tamland. Its mayor is Bo Reed.",
}


def test_the_docstrings_say_what_is_pinned() -> None:
    assert set(PINNED["sets"]) == set(SETS)
    row = PINNED["ahead"]["clarify"]
    doc = " ".join((Clarify.__doc__ or "").split())
    for metric in ("R@5", "AllR@5"):
        assert "{delta:+.1f} ({low:+.1f} to {high:+.1f})".format(**row[metric]) in doc
    assert f"{row['n']} questions" in doc
    other = PINNED["ahead"]["explore"]
    assert f"R@5 {other['R@5']['delta']:+.1f} on {other['n']} questions" in " ".join((Explore.__doc__ or "").split())


def test_no_gain_is_claimed_where_the_interval_holds_none() -> None:
    assert PINNED["ahead"]["clarify"]["R@5"]["low"] < 0
    assert "no gain is claimed" in " ".join((Clarify.__doc__ or "").split())


def test_every_way_is_measured_on_the_same_questions(tmp_path: Path) -> None:
    rows = [json.dumps({"id": name, "title": name.title(), "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    asked = ("Who is the mayor of the town where Ada Lind was born?", "Who dredged the harbour of Vell?")
    questions = [json.dumps({"id": f"q{i}", "text": text, "answers": []}) for i, text in enumerate(asked)]
    (tmp_path / "queries.jsonl").write_text("\n".join(questions) + "\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq0\torm\t1\nq0\tlind\t1\nq1\tharbour\t1\n")
    found = measured(Passages(tmp_path))
    assert set(found) == set(WAYS)
    assert all(np.array_equal(values["R@5"], [100, 100]) for values in found.values())
