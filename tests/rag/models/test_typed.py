import contextlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models.ledger import spending
from rag.models.llm import Message, Reply
from rag.models.typed import loose, typed

ASK = [Message("user", "Which?")]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@dataclass
class Says:
    """A language model with a list of answers."""

    answers: list
    asked: list = field(default_factory=list)
    finish: str = "stop"
    name: str = "says"

    @property
    def fingerprint(self) -> str:
        return "says@1"

    def complete(self, messages, **settings) -> Reply:
        self.asked.append(list(messages))
        return Reply(self.answers[len(self.asked) - 1], 1, 1, self.finish)


def number(value: dict) -> int:
    if value["n"] < 0:
        raise ValueError("n must be >= 0")
    return int(value["n"])


def ask(*answers: str):
    llm = Says(list(answers))
    with spending() as book:
        return typed(llm, ASK, schema=SCHEMA, parse=number, fallback=lambda: -1), llm, book.usage()


def test_strict_json_is_taken_at_once() -> None:
    found, llm, usage = ask('{"n": 3}')
    assert (found.value, found.way, len(llm.asked)) == (3, "strict", 1)
    assert "repairs" not in usage


@pytest.mark.parametrize(
    "text", ['Sure! {"n": 3} I hope', '```json\n{"n": 3}\n```', '{"n": 3,}', '{"n": 3, "t": "a\nb"}', '{ {"n": 3}']
)
def test_talk_fences_and_trailing_commas_are_forgiven(text: str) -> None:
    found, llm, _ = ask(text)
    assert (found.value, found.way, len(llm.asked)) == (3, "tolerant", 1)


@pytest.mark.parametrize("text", ["no idea", '{"m": 3}', '{"n": -4}', '{"n": "x"}', "[3]", '{"n": 3', "[" * 100_000])
def test_what_cannot_be_used_is_repaired_once_with_the_problem_named(text: str) -> None:
    found, llm, usage = ask(text, '{"n": 5}')
    assert (found.value, found.way) == (5, "repaired")
    assert llm.asked[1][:2] == [*ASK, Message("assistant", text)]
    assert found.problem in llm.asked[1][2].content
    assert usage["repairs"] == 1
    assert "fallbacks" not in usage


def test_a_second_failure_takes_the_declared_fallback_and_counts_it() -> None:
    found, llm, usage = ask("no", "still no")
    assert (found.value, found.way, len(llm.asked)) == (-1, "fallback", 2)
    assert (usage["repairs"], usage["fallbacks"]) == (1, 1)


def test_an_answer_that_was_cut_off_says_so() -> None:
    llm = Says(['{"n"', '{"n"'], finish="length")
    assert typed(llm, ASK, schema=SCHEMA, parse=number, fallback=lambda: 0).problem == "it was cut off before its end"


@given(st.text(alphabet='{}[]",:n3 \n`', max_size=60))
def test_the_tolerant_reading_gives_a_container_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(loose(text), (dict, list))
