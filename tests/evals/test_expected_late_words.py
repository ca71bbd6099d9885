from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evals.reproduce.late_words import Held, drawn
from rag.models.embed import HashEmbedder
from rerankers.late import Late

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "late_words.json").read_text())


def test_the_docstring_says_what_is_pinned() -> None:
    said = " ".join((Late.__doc__ or "").split())
    for way in PINNED["ways"].values():
        assert "{delta:+.1f} ({low:+.1f} to {high:+.1f})".format(**way) in said
    assert f"{PINNED['n']} questions" in said


def test_filling_the_question_up_does_no_good() -> None:
    assert PINNED["ways"]["late"]["mean"] > PINNED["ways"]["late, question filled"]["mean"]


def test_remembered_states_give_the_same_order_on_the_same_questions() -> None:
    rows = drawn(0, 2)
    assert [hits.query.id for hits, _ in rows] == [hits.query.id for hits, _ in drawn(0, 2)]
    plain = HashEmbedder(dim=32)
    held = Held(plain)
    for hits, grades in rows:
        assert len(hits) == PINNED["pool"]
        assert grades
        assert Late(embedder=held)(hits) == Late(embedder=plain)(hits) == Late(embedder=held)(hits)
    assert np.isfinite(PINNED["bm25"])
