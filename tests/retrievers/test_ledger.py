"""The ledger: words of every claim stand in their source, withdrawn claims take others with them, and it stops."""

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
from rag.types import Hits, Query
from retrievers.bm25 import BM25
from retrievers.claims import facets
from retrievers.ledger import Ledger, printed

sys.path.append(str(Path(__file__).parent))
from steps_models import TOWNS, Model

ASKED = "Who is the mayor of the town where the engineer who dredged the harbour of Vell was born?"
TEXTS = {one.id: one.text for one in TOWNS}


def searching(**changes: Any) -> Any:
    return indexed(StructureChunker(), Ledger(**{"inner": BM25(), "each": 2, **changes}), TOWNS)


def told(found: Hits) -> Any:
    return found.notes["retrievers/ledger"]


def claim(text: str, source: int, quote: str) -> dict[str, Any]:
    return {"claim": text, "source": source, "quote": quote}


def honest(prompt: str) -> Any:
    """Notes what the passages say, then asks for what is missing."""
    if "At most 6 claims" in prompt:
        rows = []
        for doc, quote in (
            ("harbour", "dredged by Ada Lind"),
            ("lind", "born in the town of Orm"),
            ("orm", "mayor is Bo Reed"),
        ):
            if TEXTS[doc] in prompt:
                rows.append(claim(TEXTS[doc].partition(". ")[2] if doc != "harbour" else TEXTS[doc], 1, quote))
        return {"claims": rows}
    if "Bo Reed" in prompt:
        return {"answer": "Bo Reed", "uses": [1, 2, 3], "withdraw": [], "gaps": []}
    gap = "town of Orm mayor" if "Orm" in prompt else "Ada Lind born"
    return {"answer": "", "uses": [], "withdraw": [], "gaps": [gap]}


def test_gaps_lead_from_round_to_round_until_the_answer_rests_on_claims() -> None:
    found = searching(llm=Model(honest))(Query("q", ASKED))
    note = told(found)
    assert note["answer"] == "Bo Reed"
    assert {"harbour", "lind", "orm"} <= {one["place"][0] for one in note["claims"]}
    assert note["stopped"] in ("answered", "no gap", "nothing new")
    assert note["rounds"] >= 2
    for one in note["claims"]:
        doc, start, end = one["place"]
        assert TEXTS[doc][start:end] in TEXTS[doc]
        assert TEXTS[doc][start:end] in printed(found)


def test_a_claim_whose_words_stand_nowhere_is_rejected_unasked() -> None:
    def says(prompt: str) -> Any:
        if "At most 6 claims" in prompt:
            return {"claims": [claim("The mayor of Vell is Zed Poe.", 1, "The mayor of Vell is Zed Poe")]}
        raise AssertionError("there is no claim to judge")

    note = told(searching(llm=Model(says), rounds=1)(Query("q", ASKED)))
    assert (note["rejected"], note["claims"]) == (1, [])


def test_the_same_words_are_noted_once() -> None:
    def says(prompt: str) -> Any:
        row = claim("Ada Lind was an engineer.", 1, "Ada Lind was an engineer.")
        return (
            {"claims": [row] * 5}
            if "At most 6 claims" in prompt
            else {"answer": "", "uses": [], "withdraw": [], "gaps": []}
        )

    note = told(searching(llm=Model(says), rounds=1, each=5)(Query("q", "Which engineer met the mayor of Vell?")))
    assert [one["number"] for one in note["claims"]] == [1]


def test_what_leans_on_a_withdrawn_passage_is_looked_at_again() -> None:
    def says(prompt: str) -> Any:
        if "At most 6 claims" in prompt:
            return {
                "claims": [
                    claim("The mayor of Vell is Cy Dune.", 1, "The mayor of Vell is Cy Dune."),
                    claim("Vell has a castle and a famous mayor.", 1, "Vell has a castle."),
                    claim("Ada Lind was an engineer.", 1, "Ada Lind was an engineer."),
                ]
            }
        return {"answer": "Cy Dune", "uses": [1], "withdraw": [1], "gaps": []}

    found = searching(llm=Model(says), rounds=1, each=5)(
        Query("q", "Which engineer met the mayor of Vell at its castle?")
    )
    status = {one["number"]: one["status"] for one in told(found)["claims"]}
    assert status[1] == "withdrawn"
    assert status[2] in ("disputed", "supported")
    assert status[3] == "supported"
    assert told(found)["stopped"] != "answered"


def test_rules_keep_a_ledger_of_sentences_and_stop_after_two_rounds() -> None:
    found = searching()(Query("q", ASKED))
    note = told(found)
    assert note["calls"] == 0
    assert note["rounds"] <= 2
    assert note["claims"]
    assert {"harbour", "lind"} <= {hit.doc for hit in found}


def test_a_model_that_fails_leaves_what_the_rules_find() -> None:
    with using(Calls(retries=0)):
        found = searching(llm=Model(lambda _: Refused("no")))(Query("q", ASKED))
    assert found.items
    assert told(found)["claims"]
    assert told(found)["limit"] == "model failed"


def test_a_model_that_always_wants_more_is_stopped() -> None:
    def says(prompt: str) -> Any:
        if "At most 6 claims" in prompt:
            return {"claims": []}
        return {"answer": "", "uses": [], "withdraw": [], "gaps": [f"more {len(prompt)}", "and more", "#1 #1"]}

    note = told(searching(llm=Model(says), rounds=4)(Query("q", ASKED)))
    assert note["stopped"] in ("rounds", "passages", "nothing new", "no gap")
    assert note["rounds"] <= 4


TALK = ["talk", "{}", '{"claims": 3}', '{"claims": [{"claim": "a b c d", "source": 1, "quote": "Vell"}]}',
        '{"answer": "x", "uses": [1, 99, "a"], "withdraw": [1, 2], "gaps": ["harbour", "", 4]}',
        '{"answer": "", "uses": [], "withdraw": [], "gaps": ["mayor", "castle", "bread"]}']  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    says=st.lists(st.sampled_from(TALK), min_size=1, max_size=5),
    calls=st.integers(0, 8),
    passages=st.integers(1, 8),
    rounds=st.integers(1, 5),
)
def test_limits_hold_and_every_claim_is_a_slice(says: list[str], calls: int, passages: int, rounds: int) -> None:
    model = Model(lambda prompt: says[len(prompt) % len(says)])
    found = searching(llm=model, calls=calls, passages=passages, rounds=rounds)(Query("q", ASKED))
    note = told(found)
    assert len(model.asked) <= calls
    assert note["passages"] <= passages
    assert note["rounds"] <= rounds
    assert note["stopped"]
    for one in note["claims"]:
        doc, start, end = one["place"]
        assert 0 <= start < end <= len(TEXTS[doc])


@pytest.mark.parametrize("question", ["", "?", "the of and", "Wer ist der Bürgermeister?", "x " * 3000, "港は？"])
def test_odd_questions_end(question: str) -> None:
    assert told(searching()(Query("q", question)))["stopped"]


def test_facets_are_the_rows_of_words_between_small_ones() -> None:
    assert facets("Who is the mayor of the old town, Vell?") == (
        frozenset({"mayor"}), frozenset({"old", "town"}), frozenset({"vell"})
    )  # fmt: skip
    assert facets("the of") == ()


def test_no_ledger_prints_nothing() -> None:
    assert printed(Hits(Query("q", "x"))) == ""
