"""The query benchmark runs, compares like with like, and gives what the command line prints."""

from __future__ import annotations

import json

import pytest

from evals.bench.contest import in_turn
from evals.bench.lexical import corpus, lexical, questions
from evals.bench.overhead import overhead
from evals.bench.startup import startup


def test_contestants_take_turns_after_a_round_that_does_not_count() -> None:
    seen: list[str] = []
    told: list[tuple[int, int, str]] = []
    medians = in_turn({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, 2, lambda *t: told.append(t), "x")
    assert "".join(seen) == "ababab"
    assert told == [(0, 2, "x"), (1, 2, "x"), (2, 2, "x")]
    assert medians.keys() == {"a", "b"}


def test_the_made_up_corpus_is_the_same_every_time_and_has_one_chunk_a_line() -> None:
    made = corpus(120, seed=3)
    assert made == corpus(120, seed=3) != corpus(120, seed=4)
    assert [len(d.text.splitlines()) for d in made] == [50, 50, 20]
    assert len(set(questions(150))) >= 100


def test_lexical_search_gives_the_scores_of_bare_bm25s() -> None:
    result = lexical(chunks=400, repeat=1, numba=False)
    searches = [name for name in result["figures"] if name.startswith("k=")]
    assert searches == ["k=10", "k=100", "k=10, stop words kept", "k=100, stop words kept"]
    assert all(result["figures"][name]["equal_scores"] == 1 for name in searches)
    assert all(len(row) == len(result["table"]["columns"]) for row in result["table"]["rows"])
    json.dumps(result)


@pytest.mark.slow
def test_a_stage_costs_less_than_ten_microseconds() -> None:
    figures = overhead(repeat=5)["figures"]["microseconds"]
    assert figures["ragtree"] < 10


@pytest.mark.slow
def test_starting_is_measured_in_fresh_processes() -> None:
    figures = startup(repeat=1)["figures"]
    assert 0 < figures["import rag"]["seconds"] < figures["rag --help"]["seconds"]
