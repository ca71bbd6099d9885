"""Clarifying questions and plans of commands: bounded, checked, and never worse than a search when a model fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.errors import Refused
from rag.models.calls import Calls, using
from rag.testing import indexed
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25
from retrievers.clarify import Clarify
from retrievers.commands import COMMANDS, commands
from retrievers.explore import Explore

sys.path.append(str(Path(__file__).parent))
from steps_models import TOWNS, Model

PAGE = Document(
    "guide.md",
    "# Port\n\nPilots board at dawn.\n\n## Fees\n\nBerth fees are nine crowns.\n\nTugs cost more.\n\n"
    "### Late fees\n\nAfter a week the sum doubles.\n\n## Tides\n\nThe ebb is strong.\n",
    "Port guide",
    "text/markdown",
)
ASKED = "Who is the mayor of the town where Ada Lind was born?"


def searching(step: Any) -> Any:
    return indexed(StructureChunker(size=24), step, (*TOWNS, PAGE))


def clarify(**changes: Any) -> Any:
    return searching(Clarify(**{"inner": BM25(), **changes}))


def explore(**changes: Any) -> Any:
    return searching(Explore(**{"inner": BM25(), **changes}))


def note(found: Hits, name: str) -> Any:
    return found.notes[f"retrievers/{name}"]


def test_a_clarification_brings_in_what_the_question_does_not_say() -> None:
    def says(prompt: str) -> Any:
        if "clarifying" in prompt or "At most" in prompt:
            return {"questions": ["town of Orm mayor"] if "Orm" not in prompt else []}
        return {"verdicts": [{"source": i, "verdict": "yes"} for i in range(1, 4)]}

    found = clarify(llm=Model(says))(Query("q", ASKED))
    assert "orm" in {hit.doc for hit in found[:3]}
    assert note(found, "clarify")["asked"] == ["town of Orm mayor"]
    assert note(found, "clarify")["stopped"] == "nothing to ask"


def test_an_unhelpful_passage_falls_behind_and_is_not_lost() -> None:
    def says(prompt: str) -> Any:
        if "At most" in prompt:
            return {"questions": []}
        first = prompt.partition("[1] ")[2].partition("\n")[0]
        return {"verdicts": [{"source": 1, "verdict": "no"}]} if first else {"verdicts": []}

    asked = Query("q", "Who is the mayor of Vell?")
    plain = searching(BM25())(asked)
    found = clarify(llm=Model(says), least=0.0)(asked)
    assert found[0].key != plain[0].key
    assert {hit.key for hit in found} == {hit.key for hit in plain}


def test_verdicts_with_no_inside_a_word_drop_nothing() -> None:
    def says(prompt: str) -> Any:
        return {"questions": []} if "At most" in prompt else {"verdicts": [{"source": 1, "verdict": "not known"}]}

    assert note(clarify(llm=Model(says))(Query("q", ASKED)), "clarify")["ways"]["fallback"] == 1


def test_rules_clarify_without_a_model() -> None:
    found = clarify()(Query("q", ASKED))
    told = note(found, "clarify")
    assert told["calls"] == 0
    assert told["asked"]
    assert {"lind", "orm"} <= {hit.doc for hit in found[:4]}


SAYS = ["talk", "{}", '{"questions": ["mayor", "castle", 3]}', '{"verdicts": [{"source": 1, "verdict": "yes"}]}',
        '{"verdicts": [{"source": 99, "verdict": "maybe"}]}', '{"steps": [{"do": "search", "text": "mayor"}], "sure": 2}',
        '{"steps": [{"do": "section", "of": 1}], "sure": 1}',
        '{"steps": [{"do": "grep", "text": "castle"}, {"do": "neighbours", "of": 1}], "sure": "x"}']  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    says=st.lists(st.sampled_from(SAYS), min_size=1, max_size=5), calls=st.integers(0, 8), passages=st.integers(1, 9)
)
def test_limits_hold_whatever_a_model_says(says: list[str], calls: int, passages: int) -> None:
    for step, more in ((clarify, {"passages": passages}), (explore, {})):
        model = Model(lambda prompt: says[len(prompt) % len(says)])
        found = step(llm=model, calls=calls, **more)(Query("q", ASKED))
        assert len(model.asked) <= calls
        assert found.items
        scores = [hit.score for hit in found]
        assert scores == sorted(scores, reverse=True)
        assert all(hit.text == hit.document.text[hit.start : hit.end] for hit in found)


@pytest.mark.parametrize("step", [clarify, explore])
def test_a_model_that_fails_leaves_the_way_without_one(step: Any) -> None:
    with using(Calls(retries=0)):
        found = step(llm=Model(lambda _: Refused("no")))(Query("q", ASKED))
    assert [hit.key for hit in found] == [hit.key for hit in step()(Query("q", ASKED))]


def planning(*plans: Any, **changes: Any) -> Any:
    made = iter(plans)
    return explore(llm=Model(lambda _: next(made)), plans=len(plans), **changes)


def search(text: str) -> dict[str, Any]:
    return {"do": "search", "text": text}


def test_the_plan_that_others_agree_with_is_taken_though_another_is_surer() -> None:
    odd = {"steps": [search("bread yeast")], "sure": 1.0}
    even = {"steps": [search("mayor of Vell castle")], "sure": 0.4}
    found = planning(odd, even, {"steps": [search("Vell castle")], "sure": 0.3})(Query("q", "Vell?"))
    told = note(found, "explore")
    assert (told["way"], told["chosen"]) == ("model", 1)
    assert found[0].doc == "vell"


def test_commands_walk_the_tree() -> None:
    fees = {"do": "grep", "text": "berth crowns"}
    found = planning({"steps": [fees, {"do": "section", "of": 1}], "sure": 1})(Query("q", "zzz"))
    texts = " ".join(hit.text for hit in found)
    assert "nine crowns" in texts
    assert "sum doubles" in texts or "Tugs" in texts
    beside = planning({"steps": [fees, {"do": "neighbours", "of": 1}], "sure": 1})(Query("q", "zzz"))
    assert len(beside) > 1


@pytest.mark.parametrize(
    "steps",
    [
        [],
        "search",
        [{"do": "exec", "text": "rm"}],
        [{"do": "search"}],
        [{"do": "search", "text": " "}],
        [{"do": "search", "text": "x" * 999}],
        [{"do": "children", "of": 1}],  # itself
        [{"do": "search", "text": "a"}, {"do": "section", "of": 2}],
        [{"do": "search", "text": "a"}, {"do": "section", "of": True}],
        [{"do": "search", "text": "a"}] * 9,
        [3],
        [{"do": ["search"]}],
    ],
)
def test_steps_that_cannot_be_run_are_refused(steps: Any) -> None:
    with pytest.raises(ValueError, match="step"):
        commands(steps, 5)


def test_scope_holds_for_every_command() -> None:
    rows = [search("mayor"), {"do": "neighbours", "of": 1}, {"do": "section", "of": 2}, {"do": "children", "of": 3}]
    assert {row["do"] for row in rows} | {"grep"} == set(COMMANDS)
    found = planning({"steps": rows, "sure": 1})(Query("q", "mayor", scope=("vell",)))
    assert {hit.doc for hit in found} == {"vell"}


def test_rules_plan_without_a_model_and_lose_no_hit_of_the_search() -> None:
    for text in ("Who is the mayor of Vell?", "fees", "Ada Lind", "?"):
        plain = searching(BM25())(Query("q", text))
        found = explore()(Query("q", text))
        assert note(found, "explore")["way"] == "rules"
        assert {hit.key for hit in plain} <= {hit.key for hit in found}
