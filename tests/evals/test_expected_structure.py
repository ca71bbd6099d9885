"""What is pinned of hidden headings says what the docstrings say; a sample is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.reproduce import structure
from evals.synth.plains import LAYOUTS

HERE = Path(__file__).parents[2]
PINNED = json.loads((HERE / "evals" / "expected" / "structure.json").read_text())


def test_segments_come_nearer_to_hidden_headings_than_even_cuts_and_texttiling():
    for way in ("equal", "texttiling"):
        assert PINNED["segments_less"][way]["boundary_f1"]["low"] > 0
        for name in ("pk", "window_diff"):
            assert PINNED["segments_less"][way][name]["high"] < 0


def test_not_cutting_at_all_still_has_the_better_pk():
    assert PINNED["segments_less"]["none"]["pk"]["low"] > 0


def test_most_headings_are_found_without_their_marks_and_two_thirds_of_their_levels():
    assert PINNED["documents"] >= 150
    assert PINNED["unmarked"]["heading_f1"]["low"] > 0.85
    assert PINNED["unmarked"]["heading_precision"]["low"] > 0.93
    assert 0.6 < PINNED["unmarked"]["level_accuracy"]["low"] < PINNED["unmarked"]["level_accuracy"]["high"] < 0.75


def test_documents_that_no_rule_was_made_on_are_read_as_well():
    for name, most in (("heading_f1", 0.03), ("heading_precision", 0.02), ("level_accuracy", 0.06)):
        assert PINNED["held"][name]["n"] >= 90
        assert PINNED["unmarked"][name]["value"] - PINNED["held"][name]["value"] < most


def test_the_docstring_says_what_is_pinned():
    from rag.loaders import titles

    said = " ".join((titles.__doc__ or "").split())
    held = PINNED["held"]
    f1 = held["heading_f1"]
    short = lambda value: f"{value:.3f}".lstrip("0")  # noqa: E731
    assert f"{f1['n']} documents" in said
    assert f"F1 {short(f1['value'])} (95 %: {short(f1['low'])} to {short(f1['high'])})" in said
    assert all(short(held[key]["value"]) in said for key in ("heading_precision", "level_accuracy", "level_shifted"))


def test_layouts_with_signs_are_read_nearly_whole_and_lines_without_blanks_worst():
    rows = PINNED["layouts"]
    assert set(rows) == set(LAYOUTS)
    for layout in ("memo", "contract", "report", "underlined"):
        assert rows[layout]["heading_f1"]["low"] > 0.9
    for layout in ("memo", "contract", "underlined"):
        assert rows[layout]["level_shifted"]["low"] > 0.9
    assert rows["lines"]["heading_f1"]["value"] == min(row["heading_f1"]["value"] for row in rows.values())
    assert min(row["heading_precision"]["value"] for row in rows.values()) > 0.95


def test_a_bundled_document_in_six_layouts_is_measured_again():
    (one,) = [d for d in structure.documents(HERE / "tests" / "data", 20, 0) if d.id == "polymers.md"]
    for layout in LAYOUTS:
        scores = structure.laid_out(one, layout)
        assert scores is not None
        assert scores["heading_f1"] >= (0.5 if layout == "lines" else 0.85)


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
