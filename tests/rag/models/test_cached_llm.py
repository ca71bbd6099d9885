"""The way a model is called can be written beside it: cache, retries and budget hold, and nothing is counted twice."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from rag import config
from rag.errors import ConfigError, OverBudget, Unavailable
from rag.models.cached import CachedLLM
from rag.models.calls import Calls, call, using
from rag.models.embedded import EmbeddedLLM
from rag.models.ledger import Budget, spending
from rag.models.llm import Message, Reply
from rag.models.typed import typed
from rag.stage import stage
from rag.trace import record

ASKED = [Message("user", "How deep is it?")]


@stage
class Echo:
    """Says how often it was asked; fails the first `fails` times."""

    times: ClassVar[list[str]] = []
    fails: int = 0
    text: str = ""

    @property
    def name(self) -> str:
        return "echo/1"

    @property
    def fingerprint(self) -> str:
        return "echo/1@1"

    def complete(self, messages: list[Message], **settings: Any) -> Reply:
        self.times.append(messages[-1].content)
        if len(self.times) <= self.fails:
            raise Unavailable("echo/1: busy")
        return Reply(self.text or str(len(self.times)), 10, 5)


@pytest.fixture(autouse=True)
def _fresh():
    Echo.times.clear()


def test_the_second_of_two_equal_calls_comes_from_the_folder_also_in_another_object(tmp_path):
    first = call(CachedLLM(inner=Echo(), folder=tmp_path), ASKED)
    again = call(CachedLLM(inner=Echo(), folder=tmp_path), ASKED)
    assert (first.text, again.text, again.cached) == ("1", "1", True)
    assert (tmp_path / "replies.sqlite").is_file()
    assert call(CachedLLM(inner=Echo(), folder=tmp_path), ASKED, version="2").text == "2"
    assert call(CachedLLM(inner=Echo()), ASKED).text == "3"


def test_a_call_is_counted_once_in_every_ledger_and_once_in_the_trace(tmp_path):
    llm = CachedLLM(inner=Echo(), folder=tmp_path, price={"tokens_in": 1e6})
    outer = Calls()
    with using(outer), spending() as open_ledger, record() as spans:
        call(llm, ASKED)
        call(llm, ASKED)
    for ledger in (llm.calls.ledger, outer.ledger, open_ledger):
        found = ledger.usage()
        assert (found["calls"], found["cached"], found["tokens_in"], found["cost"]) == (1, 1, 10, 10)
    assert [span.name for span in spans] == ["echo/1", "echo/1"]
    assert sum(span.facts.get("tokens_out", 0) for span in spans) == 5


def test_the_budget_of_the_file_and_that_of_the_program_both_hold(tmp_path):
    llm = CachedLLM(inner=Echo(), folder=tmp_path, budget={"calls": 1})
    call(llm, ASKED)
    with pytest.raises(OverBudget, match="budget of calls is 1"):
        call(llm, [Message("user", "And wide?")])
    assert call(llm, ASKED).cached
    with using(Calls(budget=Budget(calls=0))), pytest.raises(OverBudget, match="budget of calls is 0"):
        call(CachedLLM(inner=Echo()), ASKED)
    assert len(Echo.times) == 1


def test_an_unavailable_model_is_tried_again():
    llm = CachedLLM(inner=Echo(fails=1), retries=1)
    assert call(llm, ASKED).text == "2"
    assert llm.calls.ledger.usage()["retries"] == 1
    Echo.times.clear()
    with pytest.raises(Unavailable):
        call(CachedLLM(inner=Echo(fails=1), retries=0), ASKED)


def test_repairs_and_fallbacks_stand_in_its_ledger():
    llm = CachedLLM(inner=Echo(text="no"))
    made = typed(llm, ASKED, schema={}, parse=lambda value: value["x"], fallback=lambda: 7)
    assert (made.value, made.way) == (7, "fallback")
    found = llm.calls.ledger.usage()
    assert (found["calls"], found["repairs"], found["fallbacks"]) == (2, 1, 1)


def test_asked_directly_it_answers_in_the_same_way(tmp_path):
    llm = CachedLLM(inner=Echo(), folder=tmp_path)
    assert llm.complete(ASKED).text == llm.complete(ASKED).text == "1"
    assert (llm.name, llm.fingerprint, llm.context) == ("echo/1", "echo/1@1", None)


def test_it_can_be_written_in_a_pipeline_file(tmp_path):
    file = tmp_path / "pipe.yaml"
    file.write_text(
        "version: 1\nchunker: {use: chunkers/structure}\ngrowers:\n  - use: trees/enrich\n    fields: [keywords]\n"
        "    llm: {use: llms/cached, inner: {use: llms/embedded}, folder: replies, budget: {calls: 9, cost: 0.5},"
        " price: {tokens_in: 0.1, tokens_out: 0.4}}\nstages: [{use: retrievers/bm25}]\n"
    )
    llm = config.load(file).growers[0].llm
    assert llm == CachedLLM(
        inner=EmbeddedLLM(),
        folder="replies",
        budget={"calls": 9, "cost": 0.5},
        price={"tokens_in": 0.1, "tokens_out": 0.4},
    )
    assert llm.calls.budget == Budget(calls=9, cost=0.5)
    assert config.rebuilt(llm) == llm
    assert json.dumps(config.spec(llm))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": {"call": 3}}, "budget: must give calls, tokens, cost, seconds"),
        ({"budget": {"calls": -1}}, "got 'calls': -1"),
        ({"price": {"out": 3}}, "price: must give tokens_in, tokens_out"),
        ({"inner": 3}, "llms/cached: inner: must be a language model"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        CachedLLM(**{"inner": Echo(), **settings})
