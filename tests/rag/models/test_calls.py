import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rag import trace
from rag.errors import OverBudget, Refused, StoreError, Unavailable
from rag.models.calls import Calls, call, using
from rag.models.ledger import Budget, Price, spending
from rag.models.llm import Message, Reply
from rag.pool import ordered

ASK = [Message("user", "How many?")]


@dataclass
class Script:
    """A language model that says what it is told to, or raises it."""

    says: list = field(default_factory=lambda: ["four"])
    name: str = "script"
    version: str = "1"
    asked: list = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return f"script@{self.version}"

    def complete(self, messages, **settings) -> Reply:
        said = self.says[min(len(self.asked), len(self.says) - 1)]
        self.asked.append((list(messages), settings))
        if isinstance(said, Exception):
            raise said
        return Reply(said, 10, 2)


@dataclass
class Clock:
    """Time that passes only in `sleep`."""

    now: float = 0.0
    naps: list = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def exhaust(llm: Script) -> None:
    for _ in range(500):
        call(llm, ASK)


def timed(**settings) -> tuple[Calls, Clock]:
    clock = Clock()
    return Calls(sleep=clock.sleep, clock=clock, **settings), clock


def test_the_same_request_is_paid_once(tmp_path: Path) -> None:
    llm, file = Script(["four", "five"]), tmp_path / "sub" / "replies.sqlite"
    with using(Calls(cache=file)) as calls, spending() as book:
        first, second = call(llm, ASK), call(llm, ASK)
    assert (first.text, second.text, second.cached, len(llm.asked)) == ("four", "four", True, 1)
    assert book.usage()["cached"] == 1
    assert book.usage()["calls"] == 1
    assert calls.ledger.usage()["tokens_in"] == 10
    with using(Calls(cache=file)):
        assert call(llm, ASK).text == "four"


@pytest.mark.parametrize(
    "change", [{"max_tokens": 9}, {"seed": 1}, {"stop": ("x",)}, {"schema": {"type": "object"}}, {"version": "2"}]
)
def test_whatever_decides_an_answer_is_part_of_the_key(tmp_path: Path, change: dict) -> None:
    llm = Script(["four", "five"])
    with using(Calls(cache=tmp_path / "r")):
        assert call(llm, ASK).text == "four"
        assert call(llm, ASK, **change).text == "five"


def test_another_model_or_another_message_is_another_key(tmp_path: Path) -> None:
    with using(Calls(cache=tmp_path / "r")):
        call(Script(), ASK)
        assert not call(Script(version="2"), ASK).cached
        assert not call(Script(), [Message("system", "How many?")]).cached
        assert call(Script(), ASK).cached


def test_sampled_answers_are_not_cached_unless_asked(tmp_path: Path) -> None:
    llm = Script(["a", "b", "c"])
    with using(Calls(cache=tmp_path / "r")):
        assert [call(llm, ASK, temperature=1.0).text for _ in "12"] == ["a", "b"]
    with using(Calls(cache=tmp_path / "r", cache_samples=True)):
        assert [call(llm, ASK, temperature=1.0).text for _ in "12"] == ["c", "c"]


def test_a_file_that_is_no_cache_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"not a database at all, but long enough to look at" * 100)
    with using(Calls(cache=tmp_path / "r")), pytest.raises(StoreError, match="cannot be opened as a cache"):
        call(Script(), ASK)


def test_threads_that_ask_the_same_at_once_make_one_call(tmp_path: Path) -> None:
    inside = threading.Event()

    @dataclass
    class Slow(Script):
        def complete(self, messages, **settings) -> Reply:
            inside.wait(0.2)
            return super().complete(messages, **settings)

    llm = Slow()
    with using(Calls(cache=tmp_path / "r")):
        texts = list(ordered(lambda _: call(llm, ASK).text, range(4), workers=4))
    assert texts == ["four"] * 4
    assert len(llm.asked) == 1


def test_an_unavailable_model_is_asked_again_after_growing_waits() -> None:
    calls, clock = timed(seed=3)
    llm = Script([Unavailable("x"), Unavailable("x"), Unavailable("x"), "four"])
    with using(calls), spending() as book:
        assert call(llm, ASK).text == "four"
    assert len(clock.naps) == 3
    assert all(0 <= nap <= bound for nap, bound in zip(clock.naps, (0.5, 1.0, 2.0), strict=True))
    assert (
        book.usage() == {"calls": 4, "retries": 3, "tokens_in": 10, "tokens_out": 2, "seconds": 0}
        or book.usage()["retries"] == 3
    )
    again, other = timed(seed=3)
    with using(again):
        call(Script([Unavailable("x"), Unavailable("x"), Unavailable("x"), "four"]), ASK)
    assert other.naps == clock.naps


def test_the_last_try_raises_what_it_met() -> None:
    calls, clock = timed(retries=2)
    with using(calls), pytest.raises(Unavailable, match="down"):
        call(Script([Unavailable("down")]), ASK)
    assert len(clock.naps) == 2


def test_retry_after_is_the_least_wait_and_too_long_a_one_ends_the_tries() -> None:
    wait, forever = Unavailable("busy"), Unavailable("busy")
    wait.retry_after, forever.retry_after = 7.0, 3600.0
    calls, clock = timed()
    with using(calls):
        assert call(Script([wait, "four"]), ASK).text == "four"
        assert clock.naps == [7.0]
        with pytest.raises(Unavailable):
            call(Script([forever, "four"]), ASK)


def test_a_refusal_is_not_repeated() -> None:
    llm = Script([Refused("no")])
    calls, clock = timed()
    with using(calls), pytest.raises(Refused):
        call(llm, ASK)
    assert (len(llm.asked), clock.naps) == (1, [])


@pytest.mark.parametrize(
    ("budget", "word"),
    [
        (Budget(calls=1), "calls"),
        (Budget(tokens=290), "tokens"),
        (Budget(cost=0.0001), "cost"),
        (Budget(seconds=1), "seconds"),
    ],
)
def test_a_call_that_could_break_the_budget_is_not_made(budget: Budget, word: str) -> None:
    clock = Clock()

    @dataclass
    class Costly(Script):
        def complete(self, messages, **settings) -> Reply:
            clock.now += 1.5
            return super().complete(messages, **settings)

    llm = Costly()
    calls = Calls(budget=budget, prices={"script": Price(0, 0.3)}, clock=clock, sleep=clock.sleep)
    with using(calls):
        call(llm, ASK)
        with pytest.raises(OverBudget, match=f"budget of {word}") as caught:
            exhaust(llm)
    assert len(llm.asked) < 200
    assert "\n" not in str(caught.value)
    assert all(v == 0 for v in calls.ledger.reserved.values())


def test_costs_follow_the_price_table() -> None:
    with using(Calls(prices={"script": Price(1.0, 10.0)})), spending() as book:
        call(Script(), ASK)
    assert book.usage()["cost"] == pytest.approx((10 + 20) / 1e6)


def test_calls_and_tokens_a_minute_are_kept() -> None:
    calls, clock = timed(per_minute=2)
    with using(calls):
        for _ in range(5):
            call(Script(), ASK)
    assert clock.now == pytest.approx(120, abs=0.1)
    calls, clock = timed(tokens_per_minute=300)
    with using(calls):
        for _ in range(3):
            call(Script(), ASK, max_tokens=100)
    assert 60 <= clock.now <= 61


def test_no_more_calls_at_once_than_allowed() -> None:
    lock, state = threading.Lock(), {"now": 0, "most": 0}

    @dataclass
    class Watch(Script):
        def complete(self, messages, **settings) -> Reply:
            with lock:
                state["now"] += 1
                state["most"] = max(state["most"], state["now"])
            threading.Event().wait(0.01)
            with lock:
                state["now"] -= 1
            return Reply("x", 1, 1)

    llm = Watch()
    with using(Calls(concurrency=2)):
        list(ordered(lambda i: call(llm, ASK, seed=i), range(12), workers=6))
    assert state["most"] == 2


def test_ledgers_nest_and_cross_into_pool_threads() -> None:
    llm = Script()
    with spending() as outer:
        call(llm, ASK)
        with spending() as inner:
            list(ordered(lambda i: call(llm, ASK, seed=i), range(6), workers=3))
    assert (outer.usage()["calls"], inner.usage()["calls"]) == (7, 6)


def test_a_call_opens_a_trace_span_without_text() -> None:
    with trace.record() as spans:
        call(Script(), ASK)
    with trace.record(text=True) as told:
        call(Script(), ASK)
    assert [s.name for s in spans] == ["script"]
    assert spans[0].facts["tokens_in"] == 10
    assert "four" not in str(spans)
    assert told[0].facts["answer"] == "four"
