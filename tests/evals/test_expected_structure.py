"""What is pinned of hidden headings says what the docstrings say; a sample is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.reproduce import structure

HERE = Path(__file__).parents[2]
PINNED = json.loads((HERE / "evals" / "expected" / "structure.json").read_text())


def test_segments_come_nearer_to_hidden_headings_than_even_cuts_and_texttiling():
    for way in ("equal", "texttiling"):
        assert PINNED["segments_less"][way]["boundary_f1"]["low"] > 0
        for name in ("pk", "window_diff"):
            assert PINNED["segments_less"][way][name]["high"] < 0


def test_not_cutting_at_all_still_has_the_better_pk():
    assert PINNED["segments_less"]["none"]["pk"]["low"] > 0


def test_most_headings_are_found_without_their_marks_and_few_of_their_levels():
    assert PINNED["documents"] >= 150
    assert PINNED["unmarked"]["heading_f1"]["low"] > 0.7
    assert PINNED["unmarked"]["level_accuracy"]["high"] < 0.5


def test_the_bundled_documents_are_measured():
    found = {d.id: d for d in structure.documents(HERE / "tests" / "data", 20, 0)}
    assert {"paper.html", "polymers.md"} <= found.keys()
    assert structure.found_again(found["polymers.md"])["heading_f1"] == 1.0
    for one in found.values():
        plain, gold = structure.hidden(one, remove=True)
        assert all(0 <= place < len(plain.text) for place, _ in gold)


def test_hidden_headings_have_no_mark_and_keep_their_words():
    (one,) = [d for d in structure.documents(HERE / "tests" / "data", 20, 0) if d.id == "polymers.md"]
    plain, gold = structure.hidden(one, remove=False)
    assert not any(line.startswith("#") for line in plain.text.splitlines())
    assert len(gold) == sum(block.kind == "heading" for block in structure._blocks(one))
    assert plain.text[gold[0][0] :].startswith("Polymers in Food Packaging")
    assert pytest.approx(1.0) == structure.found_again(one)["heading_f1"]
