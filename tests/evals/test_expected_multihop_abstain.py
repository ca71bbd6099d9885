"""The study of near misses: what is pinned, what is said of it, and passages with the answer taken away."""

from __future__ import annotations

import json
from pathlib import Path

from evals.reproduce import multihop_abstain
from evals.reproduce.multihop_abstain import NONE, SETS, near
from rag.doctree import flat
from rag.types import Document, Hit, Hits, Query

PINNED = json.loads((Path(multihop_abstain.__file__).parents[1] / "expected" / "multihop_abstain.json").read_text())
TEXTS = ("Orm lies in Tamland. Its mayor is Bo Reed.", "Ada Lind was born in Orm.", "Bo Reedy was born in Vell.")


def shown(text: str, number: int) -> Hit:
    tree = flat(Document(f"d{number}", text), [(0, len(text))])
    return Hit(tree, 1, ((0, len(text)),), 1.0)


def test_only_passages_that_hold_the_answer_are_taken_away() -> None:
    hits = Hits(Query("q", "Who is the mayor?"), tuple(shown(text, i) for i, text in enumerate(TEXTS)))
    assert [hit.doc for hit in near(hits, ("Bo Reed",))] == ["d1", "d2"]
    assert [hit.doc for hit in near(hits, ("bo reed.", "Vell"))] == ["d1"]
    assert len(near(hits, ("Reed Bo",))) == 3


def test_the_study_says_what_is_pinned() -> None:
    assert set(PINNED["sets"]) == set(SETS)
    assert set(PINNED["none"]) == set(NONE)
    told = " ".join((multihop_abstain.__doc__ or "").split())
    for name, row in PINNED["sets"].items():
        cells = " ".join(f"{row[way][0]:.1f}" for way in ("whole", "cited", "near"))
        assert f"{name} {row['n']} {cells}" in told
    for name, row in PINNED["none"].items():
        assert f"{name} {row['n']} {row['near'][0]:.1f}" in told
