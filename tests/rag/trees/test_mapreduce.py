"""Map-reduce over trees: what holds for any document and question."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_models import ASKED, FailingScorer, Scripted, leaves

from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.models.calls import Calls, using
from rag.models.embed import HashEmbedder
from rag.models.ledger import Budget
from rag.trees.aim import aim_of
from rag.trees.mapreduce import MapReduce
from rag.trees.rationale import STATUSES, Claim, Rationale, evidence_of, packed
from rag.trees.reducing import merged, reduce_offline
from rag.types import Document, Query, Span

HERE = Path(__file__).parent
HOLDS = "The Winter Gate was painted by Ada Lind in 1904. "
IDLE = (
    "Rain fell on the empty fields for nine days. ",
    "A cart of apples stood by the mill. ",
    "Nobody spoke at the table that evening. ",
    "The ferry left at dawn with seven sacks of rye. ",
)


def told(made: Rationale) -> tuple[object, ...]:
    """What was said, without where."""
    quotes = sorted((e.quote, e.weight) for e in made.evidence)
    claims = [(c.answer, c.confidence, sorted(e.quote for e in c.evidence)) for c in made.claims]
    return made.status, made.answer, made.confidence, quotes, claims, made.coverage, made.found


def checked(made: Rationale, tree: DocTree) -> None:
    """Every quotation is a slice, every number in its range."""
    rows = [*made.evidence, *(e for claim in (*made.claims, *made.conflicts) for e in claim.evidence)]
    for span, quote, weight in rows:
        assert tree.document.text[span.start : span.end] == quote
        assert quote.strip()
        assert 0 <= weight <= 1
    assert made.status in STATUSES
    assert 0 <= made.confidence <= 1
    assert 0 <= made.coverage <= 1
    assert bool(made.answer) <= bool(made.claims)


WORDS = st.sampled_from(
    [
        "gate",
        "winter",
        "painted",
        "Ada",
        "Lind",
        "Borg",
        "Ines",
        "Rook",
        "1904",
        "red",
        "the",
        "a",
        "river",
        "who",
        "by",
        "12",
        "mill",
    ]
)
SENTENCE = st.lists(WORDS, min_size=3, max_size=9).map(lambda ws: " ".join(ws).capitalize() + ". ")
QUESTIONS = st.sampled_from(
    (
        "Who painted the Winter Gate?",
        "List all the people who painted.",
        "Which chapters mention Ada Lind?",
        "How many times was the gate painted?",
        "Summarise the text.",
        "In which year was the mill painted red?",
        "Compare Ada Lind and Borg.",
        "?",
    )
)


@settings(max_examples=30)
@given(texts=st.lists(SENTENCE, min_size=1, max_size=8), asked=QUESTIONS, seed=st.integers(0, 999))
def test_the_order_of_siblings_changes_nothing_that_is_said(texts: list[str], asked: str, seed: int) -> None:
    mixed = list(np.random.default_rng(seed).permutation(np.array(texts, dtype=object)))
    query = Query("q", asked)
    one, other = MapReduce().read(query, leaves(*texts)), MapReduce().read(query, leaves(*mixed))
    assert told(one) == told(other)


@settings(max_examples=30)
@given(texts=st.lists(SENTENCE, min_size=1, max_size=8), asked=QUESTIONS)
def test_every_quotation_is_a_slice_and_every_number_in_its_range(texts: list[str], asked: str) -> None:
    tree = leaves(*texts)
    checked(MapReduce()(Query("q", asked), tree), tree)


@settings(max_examples=40)
@given(idle=st.lists(st.sampled_from(IDLE), max_size=12), at=st.integers(0, 12))
def test_one_answered_leaf_reaches_the_root_and_idle_leaves_change_nothing(idle: list[str], at: int) -> None:
    alone = MapReduce()(ASKED, leaves(HOLDS))
    place = min(at, len(idle))
    among = MapReduce()(ASKED, leaves(*idle[:place], HOLDS, *idle[place:]))
    assert alone.answer == "Ada Lind"
    assert told(among) == told(alone)


@settings(max_examples=40)
@given(texts=st.lists(SENTENCE, min_size=1, max_size=6), asked=QUESTIONS.filter(lambda q: "Summ" not in q and q != "?"))
def test_a_leaf_that_shares_no_word_with_the_question_never_changes_the_answer(texts: list[str], asked: str) -> None:
    query = Query("q", asked)
    assert told(MapReduce().read(query, leaves(*texts))) == told(MapReduce().read(query, leaves(*texts, IDLE[2])))


def test_leaves_that_contradict_each_other_surface_as_a_conflict() -> None:
    other = "The Winter Gate was painted by Olaf Borg in 1904. "
    made = MapReduce()(ASKED, leaves(HOLDS, IDLE[0], other))
    assert {claim.answer for claim in made.conflicts} == {"Ada Lind", "Olaf Borg"}
    assert made.status == "answered"
    third = MapReduce()(ASKED, leaves(HOLDS, other, "Records say Ada Lind painted the Winter Gate. "))
    assert third.answer == "Ada Lind"


def test_a_repeated_quotation_counts_half_and_independent_ones_add_up() -> None:
    tree = leaves(HOLDS, HOLDS, "Records say Ada Lind painted the Winter Gate. ")
    one = evidence_of(tree.document, 0, len(HOLDS), 0.5)
    two = evidence_of(tree.document, len(HOLDS), 2 * len(HOLDS), 0.5)
    three = evidence_of(tree.document, 2 * len(HOLDS), len(tree.document.text), 0.5)
    claims = [Claim("Ada Lind", 0.5, (e,)) for e in (one, two, three)]
    assert merged(claims[:2])[0].confidence == 1 - 0.5 * 0.75
    assert merged([claims[0], claims[2]])[0].confidence == 0.75
    assert merged([claims[0], claims[2]._replace(answer="the painter Ada Lind")])[0].confidence == 0.75


def test_an_error_in_a_tenth_of_the_maps_lowers_confidence_by_coverage_and_loses_nothing_else() -> None:
    texts = [f"The Winter Gate was painted by Ada Lind, says book {i}. " for i in range(9)]
    broken = "The Winter Gate was painted by Ada Lind, FAILS book 9. "
    use = MapReduce(scorer=FailingScorer())
    good, made = use(ASKED, leaves(*texts)), use(ASKED, leaves(*texts, broken))
    assert (made.attempted, made.mapped, made.coverage) == (10, 9, 0.9)
    assert made.answer == good.answer
    raw = use.read(ASKED, leaves(*texts, broken))
    assert made.confidence == round(raw.confidence * 0.9, 6)
    assert {e.quote for e in good.evidence} <= {e.quote for e in made.evidence}
    assert [fault.error for fault in made.faults] == ["ModelError"]
    assert made.ways == {"fallback": 1, "offline": 9}


@pytest.mark.parametrize("how", ["down", "refuses", "truncates", "invents-id", "invents-quote"])
def test_a_model_that_misbehaves_now_and_then_leaves_a_labelled_result(how: str) -> None:
    tree = leaves(*(f"The Winter Gate was painted by Ada Lind, says book {i}. " for i in range(12)))
    made = MapReduce(llm=Scripted(how=how, every=3))(ASKED, tree)
    checked(made, tree)
    assert "Zorro" not in json.dumps(packed(made, 0))
    assert made.status == "answered"
    assert made.ways["fallback"] == len(made.faults) > 0
    assert made.attempted == 12
    assert made.mapped == 12 - sum(fault.node > 0 for fault in made.faults)


def test_a_model_that_always_invents_gives_what_the_offline_steps_give() -> None:
    tree = leaves(HOLDS, *IDLE, "Records say Ada Lind painted the Winter Gate. ")
    offline, made = MapReduce().read(ASKED, tree), MapReduce(llm=Scripted(how="invents-id")).read(ASKED, tree)
    assert told(replace(made, mapped=made.attempted)) == told(offline)
    assert made.mapped == 0


@pytest.mark.parametrize("how", ["well", "refuses"])
@pytest.mark.parametrize("asked", ["Who painted the Winter Gate?", "List all people who painted the Winter Gate."])
def test_threads_change_nothing(how: str, asked: str) -> None:
    tree = leaves(*(f"The Winter Gate was painted by {n}, says book {i}. " for i, n in enumerate("ABCDEFGH")))
    query = Query("q", asked)
    made = [MapReduce(llm=Scripted(how=how, every=2, pause=0.002), concurrency=n)(query, tree) for n in (1, 8)]
    assert made[0] == made[1]


def test_a_slow_leaf_does_not_hold_up_another_branch() -> None:
    from rag.trees.schedule import bottom_up

    done: list[int] = []

    def work(node: int, below: object) -> int:
        time.sleep(0.2 if node == 3 else 0.0)
        done.append(node)
        return node

    bottom_up({0: -1, 1: 0, 2: 0, 3: 1, 4: 2, 5: 2}, work, rank={}, workers=2)
    assert done.index(2) < done.index(3)  # the other branch is reduced before the slow leaf is mapped
    assert done[-1] == 0


@pytest.mark.parametrize("limit", [{"deadline": 0.0}, {"calls": 0}, {"tokens": 0}])
def test_no_time_or_no_budget_gives_the_offline_answer_labelled_as_degraded(limit: dict[str, float]) -> None:
    tree = leaves(HOLDS, *IDLE, "Records say Ada Lind painted the Winter Gate. ")
    made = MapReduce(llm=Scripted(), **limit)(ASKED, tree)
    assert told(made) == told(MapReduce()(ASKED, tree))
    assert made.ways == {"degraded": 2}
    assert not made.calls


@settings(max_examples=25)
@given(
    calls=st.integers(0, 30),
    tokens=st.one_of(st.none(), st.integers(0, 20_000)),
    how=st.sampled_from(("well", "refuses")),
)
def test_a_budget_is_never_exceeded_and_is_spent_alike_by_any_number_of_threads(
    calls: int, tokens: int | None, how: str
) -> None:
    tree = leaves(*(f"The Winter Gate was painted by {n}, says book {i}. " for i, n in enumerate("ABCDEFGH")))
    made = []
    for workers in (1, 4):
        with using(Calls()) as book:
            use = MapReduce(llm=Scripted(how=how, every=2), calls=calls, tokens=tokens, concurrency=workers)
            made.append(use(ASKED, tree))
        spent = book.ledger.usage()
        assert spent.get("calls", 0) <= calls
        if tokens is not None:
            assert spent.get("tokens_in", 0) + spent.get("tokens_out", 0) <= tokens
    assert made[0] == made[1]
    assert made[0].status == "answered"


def test_the_budget_of_the_run_degrades_nodes_and_is_no_fault() -> None:
    tree = leaves(*(f"The Winter Gate was painted by Ada Lind, says book {i}. " for i in range(6)))
    with using(Calls(budget=Budget(calls=3))):
        made = MapReduce(llm=Scripted(), concurrency=1)(ASKED, tree)
    assert made.ways == {"degraded": 3, "llm": 3}
    assert made.faults == ()
    assert made.coverage == 1


def test_a_flat_tree_maps_each_chunk_once_and_reduces_once() -> None:
    tree = leaves(*(f"The Winter Gate was painted by {n}, says book {i}. " for i, n in enumerate("ABCD")), IDLE[0])
    with using(Calls()) as book:
        made = MapReduce(llm=Scripted())(ASKED, tree)
    assert book.ledger.usage()["calls"] == 5
    assert made.ways == {"llm": 5}
    assert made.reasoning == "r"


def test_records_above_the_window_are_collapsed_in_groups_before_the_last_reduction() -> None:
    tree = leaves(*(f"The Winter Gate was painted by N{i}, says book {'very ' * 12}{i}. " for i in range(12)))
    with using(Calls()) as book:
        made = MapReduce(llm=Scripted(), window=200)(ASKED, tree)
    assert book.ledger.usage()["calls"] > 13  # twelve maps, the groups, the last one
    checked(made, tree)
    assert len(made.claims) >= 12 - 2  # what was joined for the model stays in the record


def test_a_model_may_raise_a_confidence_only_where_two_findings_agree() -> None:
    alone = MapReduce(llm=Scripted())(ASKED, leaves("The Winter Gate was painted by Ada. "))
    both = MapReduce(llm=Scripted())(
        ASKED, leaves("The Winter Gate was painted by Ada. ", "Books about the Winter Gate name Ada. ")
    )
    assert alone.confidence == 0.8
    assert 0.8 < both.confidence <= round(1 - 0.2 * 0.2, 6)


def test_a_question_that_matches_nothing_costs_nothing() -> None:
    with using(Calls()) as book:
        made = MapReduce(llm=Scripted())(Query("q", "Which zebra sings?"), leaves(*IDLE))
    assert made == Rationale(0)
    assert not book.ledger.usage()


@pytest.mark.parametrize("text", ["", "   \n ", "# One\n\n# Two\n\n## Three\n", "One line only"])
@pytest.mark.parametrize("asked", ["Who painted it?", "Summarise this.", "Which sections mention two?", "?"])
def test_empty_and_odd_documents_are_read(text: str, asked: str) -> None:
    tree = StructureChunker()(Document("d", text, media_type="text/markdown"))
    checked(MapReduce()(Query("q", asked), tree), tree)
    checked(MapReduce(llm=Scripted())(Query("q", asked), tree), tree)


def test_a_hundred_thousand_leaves_pass_the_gate_in_linear_time() -> None:
    def seconds(n: int) -> float:
        tree = leaves(*(IDLE[i % 4] for i in range(n)), HOLDS)
        began = time.process_time()
        made = MapReduce()(ASKED, tree)
        assert made.answer == "Ada Lind"
        return time.process_time() - began

    seconds(1000)
    small, large = seconds(10_000), seconds(100_000)
    assert large < 30 * max(small, 0.02)
    assert large < 10


def test_sections_spread_over_leaves_are_found_and_named_by_their_headings() -> None:
    body = "The mill stood still. " * 40
    text = f"# One\n\nAda Lind came. {body}\n\n# Two\n\nNobody. {body}\n\n# Three\n\n{body}\n\nHere was Ada Lind.\n"
    tree = StructureChunker(size=64)(Document("d", text, media_type="text/markdown"))
    made = MapReduce(window=64)(Query("q", "Which chapters mention Ada Lind?"), tree)
    assert made.answer == "One; Three"
    assert MapReduce()(Query("q", "How many chapters mention Ada Lind?"), tree).answer == "2"


def test_an_embedder_lets_units_pass_that_share_no_word() -> None:
    tree = leaves("Gatekeepers painted. ", IDLE[0])
    query = Query("q", "gatekeeper painting")
    plain, near = MapReduce(gate=1.0), MapReduce(gate=1.0, embedder=HashEmbedder(), similar=0.2)
    assert plain.read(query, tree).attempted == 0 or near.read(query, tree).attempted >= 1


def test_units_beyond_the_most_that_may_be_mapped_lower_the_coverage() -> None:
    tree = leaves(*(f"The Winter Gate was painted by Ada Lind, says book {i}. " for i in range(4)))
    made = MapReduce(most=3)(ASKED, tree)
    assert made.coverage == 0.75
    assert made.ways["left out"] == 1


def test_a_cache_answers_again_at_no_cost_with_the_same_bytes_and_follows_edits(tmp_path: Path) -> None:
    texts = [f"The Winter Gate was painted by {n}, says book {i}. " for i, n in enumerate("ABCDEF")]
    use = MapReduce(llm=Scripted(), cache=tmp_path / "steps.sqlite")
    first = use(ASKED, leaves(*texts))
    with using(Calls()) as book:
        again = MapReduce(llm=Scripted(), cache=tmp_path / "steps.sqlite")(ASKED, leaves(*texts))
    assert again == first
    assert not book.ledger.usage()
    with using(Calls()) as book:
        use(ASKED, leaves("Another beginning. ", *texts[:-1], "The Winter Gate was painted by Zed, says book 5. "))
    assert book.ledger.usage()["calls"] == 2  # the edited leaf and the root; what only moved is kept


SCRIPT = """
import json, sys
from pathlib import Path
sys.path[:0] = [{here!r}]
from scripted_models import ASKED, Scripted, leaves
from rag.trees.mapreduce import MapReduce
from rag.trees.rationale import packed
texts = [f"The Winter Gate was painted by N{{i}}, says book {{i}}. " for i in range(20)]
use = MapReduce(llm=Scripted(pause={pause}), cache=Path(sys.argv[1]), concurrency={workers})
print(json.dumps(packed(use(ASKED, leaves(*texts)), 0), sort_keys=True))
"""


def ran(cache: Path, *, pause: float, workers: int, seed: str) -> subprocess.Popen[str]:
    script = SCRIPT.format(here=str(HERE), pause=pause, workers=workers)
    env = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.Popen([sys.executable, "-c", script, str(cache)], stdout=subprocess.PIPE, env=env, text=True)


def test_a_killed_run_goes_on_from_its_cache_and_gives_the_same_bytes(tmp_path: Path) -> None:
    import sqlite3

    whole = ran(tmp_path / "whole.sqlite", pause=0.0, workers=1, seed="1")
    cut = ran(tmp_path / "cut.sqlite", pause=0.1, workers=1, seed="2")
    deadline = time.monotonic() + 60
    kept = 0
    while kept < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
        if (tmp_path / "cut.sqlite").exists():
            db = sqlite3.connect(tmp_path / "cut.sqlite")
            try:
                kept = db.execute("SELECT count(*) FROM steps").fetchone()[0]
            except sqlite3.Error:
                kept = 0
            finally:
                db.close()
    cut.send_signal(signal.SIGKILL)
    cut.communicate()
    assert 3 <= kept < 20
    again = ran(tmp_path / "cut.sqlite", pause=0.0, workers=8, seed="3")
    assert again.communicate()[0] == whole.communicate()[0] != ""


def test_the_reduction_of_nothing_is_nothing() -> None:
    assert reduce_offline(3, [], aim_of(ASKED.text)) == Rationale(3)
    only = reduce_offline(3, [Rationale(4, "error", attempted=1)], aim_of(ASKED.text))
    assert (only.status, only.coverage) == ("error", 0.0)


def test_a_claim_is_placed_in_its_section() -> None:
    text = "# One\n\nThe Winter Gate was painted by Ada Lind.\n\n# Two\n\nNothing.\n"
    tree = StructureChunker(size=16)(Document("d", text, media_type="text/markdown"))
    made = MapReduce()(ASKED, tree)
    assert made.claims[0].at == Span("d", 0, text.index("# Two"))
