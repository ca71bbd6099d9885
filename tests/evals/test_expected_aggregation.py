"""What is pinned of the aggregation study says what the docs say; the part without models is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.reproduce import aggregation
from evals.synth.book import BINS, episodic

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "aggregation.json").read_text())
MANY = ("3-5", "6+")


def test_all_books_budgets_and_classes_are_pinned() -> None:
    books = PINNED["books"]
    assert books == list(aggregation.SEEDS[: len(books)])
    assert len(books) >= 4
    assert set(PINNED["rows"]) == {f"{b} tokens, {name} events" for b in aggregation.BUDGETS for name in BINS}
    assert sum(PINNED["rows"][f"512 tokens, {name} events"]["n"] for name in BINS) == PINNED["questions"]


@pytest.mark.parametrize("budget", aggregation.BUDGETS)
@pytest.mark.parametrize("events", MANY)
def test_map_reduce_is_ahead_of_flat_search_for_three_matching_events_or_more(budget: int, events: str) -> None:
    row = PINNED["rows"][f"{budget} tokens, {events} events"]
    for measure in ("chapter recall", "list F1"):
        assert row[measure]["against"]["flat"]["low"] > 0, measure
        assert row[measure]["against"]["flat"]["books"] == len(PINNED["books"])


@pytest.mark.parametrize("budget", aggregation.BUDGETS)
def test_questions_without_an_answer_are_pinned_too(budget: int) -> None:
    row = PINNED["rows"][f"{budget} tokens, 0 events"]
    assert 0 < row["list F1"]["map-reduce"] <= 1


def test_a_book_reads_as_it_is_pinned() -> None:
    assert aggregation.offline(100) == PINNED["map-reduce by book"]["100"]


def test_the_answer_of_no_system_is_scored_by_what_another_shows() -> None:
    book = episodic(3, chapters=12, questions=2)
    for puzzle in book.puzzles:
        gold = [(e.start, e.end) for e in book.episodes if e.chapter in puzzle.chapters]
        best = aggregation.measured(book, puzzle, (gold, "; ".join(puzzle.answers) if puzzle.chapters else ""))
        assert best == (1.0, 1.0, 1.0)
        none = aggregation.measured(book, puzzle, ([], ""))
        assert none.f1 == (0.0 if puzzle.chapters else 1.0)
