"""Limits around a model hold whatever it does: retries and repairs count, a stall costs what was left."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import MissingWeights, ModelError, Refused, Unavailable
from rag.models.bounded import Meter
from rag.models.cached import CachedLLM
from rag.models.calls import Calls, using
from rag.models.ledger import Budget
from rag.models.llm import Message, Reply

ASK = [Message("user", "How many?")]
SCHEMA: Mapping[str, Any] = {"type": "object"}


@dataclass
class Says:
    """A model that says or raises what it is told to, one after the other; a number is a stall of that many seconds."""

    says: Sequence[Any] = ('{"n": 4}',)
    asked: list[int] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)
    name: str = "says"

    @property
    def fingerprint(self) -> str:
        return "says@1"

    def complete(self, messages: Sequence[Message], **settings: Any) -> Reply:
        said = self.says[min(len(self.asked), len(self.says) - 1)]
        self.asked.append(1)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, float):
            self.woken.wait(said)
            said = '{"n": 4}'
        return Reply(said, 10, 2)


def number(value: Any) -> int:
    return int(value["n"])


def ask(meter: Meter) -> Any:
    return meter.ask(ASK, schema=SCHEMA, parse=number, fallback=lambda: -1)


def test_answers_are_typed_and_their_ways_are_counted() -> None:
    meter = Meter(Says(('{"n": 4}', "talk", '{"n": 5}', "talk", "talk")), calls=10, seconds=60)
    assert [ask(meter).value for _ in range(3)] == [4, 5, -1]
    assert meter.facts() == {"calls": 5, "ways": {"fallback": 1, "repaired": 1, "strict": 1}}


@settings(max_examples=60, deadline=None)
@given(
    says=st.lists(
        st.sampled_from(['{"n": 4}', "talk", Unavailable("down"), Refused("no"), ModelError("broken")]), min_size=1
    ),
    calls=st.integers(0, 6),
    retries=st.integers(0, 3),
)
def test_calls_are_never_exceeded_whatever_the_model_does(says: list[Any], calls: int, retries: int) -> None:
    model = Says(says)
    meter = Meter(model, calls=calls, seconds=60)
    with using(Calls(retries=retries, sleep=lambda _: None)):
        found = [ask(meter).value for _ in range(8)]
    assert len(model.asked) == meter.made <= calls
    assert set(found) <= {4, -1}
    assert meter.reason or meter.made < calls


def test_a_stalling_model_costs_what_was_left_and_is_not_asked_again() -> None:
    model = Says((5.0,))
    meter = Meter(model, calls=9, seconds=0.05)
    began = time.monotonic()
    assert [ask(meter).way, ask(meter).way] == ["limit", "limit"]
    assert time.monotonic() - began < 2
    model.woken.set()
    assert (meter.reason, len(model.asked)) == ("seconds", 1)


def test_waits_between_tries_are_given_up_and_the_thread_left_behind_calls_nothing_more() -> None:
    model = Says((Unavailable("down"),))
    woken = threading.Event()
    with using(Calls(retries=3, sleep=lambda _: woken.wait(5) and None)):
        meter = Meter(model, calls=9, seconds=0.05)
        assert ask(meter).way == "limit"
    woken.set()
    time.sleep(0.05)
    assert len(model.asked) == 1


def test_two_errors_in_a_row_close_it_and_one_does_not() -> None:
    with using(Calls(retries=0)):
        meter = Meter(
            Says((Refused("no"), '{"n": 4}', Refused("no"), ModelError("x"), '{"n": 4}')), calls=9, seconds=60
        )
        assert [ask(meter).way for _ in range(5)] == ["failed", "strict", "failed", "failed", "limit"]
    assert meter.reason == "model failed"


def test_budgets_around_it_hold_and_are_the_reason() -> None:
    with using(Calls(budget=Budget(calls=1))):
        meter = Meter(Says(), calls=9, seconds=60)
        assert [ask(meter).way, ask(meter).way] == ["strict", "limit"]
    assert meter.reason == "budget"


def test_a_cached_answer_is_no_call_and_a_retry_inside_the_cache_is_one(tmp_path: Path) -> None:
    model = Says((Unavailable("down"), '{"n": 4}'))
    llm = CachedLLM(inner=model, folder=tmp_path)
    object.__setattr__(llm.calls, "sleep", lambda _: None)
    first, second = Meter(llm, calls=9, seconds=60), Meter(llm, calls=9, seconds=60)
    assert [ask(first).value, ask(second).value] == [4, 4]
    assert (first.made, second.made, len(model.asked)) == (2, 0, 2)


def test_missing_weights_and_no_model_are_told_apart() -> None:
    with pytest.raises(MissingWeights):
        ask(Meter(Says((MissingWeights("pull them"),)), calls=9, seconds=60))
    assert ask(Meter(None, calls=9, seconds=60)).way == "limit"


def test_a_plain_answer_comes_back_whole_or_not_at_all() -> None:
    meter = Meter(Says(("four",)), calls=1, seconds=60)
    said = meter.say(ASK)
    assert said is not None
    assert said.text == "four"
    assert meter.say(ASK) is None
