"""Steps are searched with the answers before them; plans and limits hold whatever a model says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.errors import Refused
from rag.models.bounded import Meter
from rag.models.calls import Calls, using
from rag.readers.extractive import Extractive
from rag.testing import indexed
from rag.types import Hits, Query
from retrievers.bm25 import BM25
from retrievers.plan import Step, checked, filled, planned
from retrievers.questions import Questions

sys.path.append(str(Path(__file__).parent))
from steps_models import HOPS, TOWNS, Model

READER = Extractive(scorer=None, form="span", threshold=-99.0)


def searching(**changes: Any) -> Any:
    return indexed(StructureChunker(), Questions(inner=BM25(), reader=READER, **changes), TOWNS)


def note(found: Hits) -> Any:
    return found.notes["retrievers/questions"]


PLAN = ["Who dredged the harbour of Vell?", "Where was #1 born?", "Who is the mayor of #2?"]


def by_plan(prompt: str) -> Any:
    """A model that plans well and answers from the sources."""
    if "Between 1 and" in prompt:
        return {"steps": PLAN}
    question = prompt.partition("Question: ")[2].partition("\n")[0]
    return "Ada Lind" if "dredged" in question else "town of Orm" if "born" in question else "unknown"


def test_a_chain_of_steps_reaches_a_passage_that_shares_no_word_with_the_question() -> None:
    plain = indexed(StructureChunker(), BM25(), TOWNS)(Query("q", "Who is the father of the engineer of the dredging?"))
    assert "orm" not in [hit.doc for hit in plain[:1]]
    found = searching(llm=Model(by_plan))(Query("q", HOPS))
    assert {hit.doc for hit in found[:3]} == {"harbour", "lind", "orm"}
    told = note(found)
    assert told["plan"] == "strict"
    assert [one["asked"] for one in told["steps"]] == [
        PLAN[0], "Where was Ada Lind born?", "Who is the mayor of Orm?"
    ]  # fmt: skip
    doc, start, end = told["steps"][0]["place"]
    source = next(one for one in TOWNS if one.id == doc)
    assert source.text[start:end] in ("Ada Lind", source.text)


def test_rules_take_the_steps_without_a_model() -> None:
    found = searching()(Query("q", "Who is the mayor of the town where Ada Lind was born?"))
    told = note(found)
    assert told["plan"] == "rules"
    assert len(told["steps"]) == 2
    assert told["calls"] == 0
    assert {"lind", "orm"} <= {hit.doc for hit in found[:3]}
    assert all(hit.why for hit in found)


def test_a_question_of_one_step_is_searched_plainly() -> None:
    asked = Query("q", "Who dredged the harbour in 1904?")
    plain = indexed(StructureChunker(), BM25(), TOWNS)(asked)
    assert searching()(asked).items == plain.items


@pytest.mark.parametrize(
    "steps",
    [
        ["What is #1?"],
        ["Who is #1?", "And #1?"],  # itself
        ["Who is #2?", "Who is #1?"],  # a circle
        ["What?", "Who is #9?"],
        ["What?"] * 99,
        [],
        ["", "x"],
        [3],
        "What?",
        None,
    ],
)
def test_a_plan_that_refers_in_circles_or_has_no_end_is_replaced_by_the_rules(steps: Any) -> None:
    model = Model(lambda prompt: {"steps": steps} if "Between 1 and" in prompt else "Ada Lind")
    found = searching(llm=model)(Query("q", "Who is the mayor of the town where Ada Lind was born?"))
    if steps == ["What is #1?"]:  # alone, a reference refers to nothing and is a word like any other
        assert note(found)["plan"] == "strict"
        return
    assert note(found)["plan"] == "rules"
    assert note(found)["problem"]
    assert len(note(found)["steps"]) == 2


def test_a_model_that_always_fails_costs_two_calls_and_nothing_else() -> None:
    model = Model(lambda _: Refused("no"))
    asked = Query("q", "Who is the mayor of the town where Ada Lind was born?")
    with using(Calls(retries=0)):
        found = searching(llm=model)(asked)
    assert [h.key for h in found] == [h.key for h in searching()(asked)]
    assert (len(model.asked), note(found)["limit"]) == (2, "model failed")


@settings(max_examples=30, deadline=None)
@given(
    calls=st.integers(0, 6),
    passages=st.integers(1, 12),
    steps=st.integers(1, 8),
    says=st.lists(
        st.sampled_from(["talk", '{"steps": ["a", "b #1", "c #2"]}', "unknown", "Ada Lind", "{}"]), min_size=1
    ),
)
def test_limits_hold(calls: int, passages: int, steps: int, says: list[str]) -> None:
    model = Model(lambda prompt: says[len(prompt) % len(says)])
    found = searching(llm=model, calls=calls, passages=passages, steps=steps)(Query("q", HOPS))
    assert len(model.asked) <= calls
    assert note(found)["passages"] <= passages
    assert len(note(found)["steps"]) <= steps
    assert found.items


def test_answers_from_memory_word_the_next_step_but_are_no_evidence() -> None:
    def says(prompt: str) -> Any:
        if "Between 1 and" in prompt:
            return {"steps": ["Who invented the zip?", "Where was #1 born?"]}
        return "unknown" if "numbered sources" in prompt else "Ada Lind"

    found = searching(llm=Model(says, probs=True), closed_book=True)(Query("q", "zip"))
    step = note(found)["steps"][0]
    assert (step["answer"], step["by"], "place" in step) == ("Ada Lind", "closed book", False)
    assert found[0].doc == "lind"


def test_scope_holds_for_every_step() -> None:
    found = searching(llm=Model(by_plan))(Query("q", HOPS, scope=("harbour", "orm")))
    assert {hit.doc for hit in found} <= {"harbour", "orm"}


def test_no_time_leaves_what_the_question_itself_finds() -> None:
    found = searching(seconds=1e-9)(Query("q", "Who is the mayor of the town where Ada Lind was born?"))
    assert found.items
    assert note(found)["limit"] == "seconds"


def test_references_are_filled_with_answers_and_unknown_ones_left_out() -> None:
    assert filled(Step("Who is the mayor of #1, #2?", (0, 1)), ["Orm", ""]) == "Who is the mayor of Orm, ?"
    assert filled(Step("What is #1?", ()), []) == "What is #1?"


def test_steps_that_hang_on_each_other_are_bounded() -> None:
    row = ["a", "b #1", "c #2", "d #3"]
    assert len(checked(row, 8, 4)) == 4
    with pytest.raises(ValueError, match="at most 3 steps"):
        checked(row, 8, 3)


def test_a_plan_in_another_language_than_english_is_one_step() -> None:
    plan = planned("Wer ist der Bürgermeister von Orm?", Meter(None, calls=0, seconds=9), 6, 3)
    assert len(plan.steps) == 1
