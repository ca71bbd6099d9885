"""Questions are taken apart by rule: steps in order, references to earlier ones only, bounded for any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrievers.decompose import MOST, decompose, references


@pytest.mark.parametrize(
    ("question", "steps"),
    [
        ("Who is the spouse of the director of Jump for Glory?",
         ("Who is the director of Jump for Glory?", "Who is the spouse of #1?")),
        ("Where was the place of death of Isabel Moctezuma's father?",
         ("Who is the father of Isabel Moctezuma?", "Where was the place of death of #1?")),
        ("What is the capital of the country where the Bubye River is found?",
         ("In which country the Bubye River is found?", "What is the capital of #1?")),
        ("When did the country Dai Jitao is from sign the treaty?",
         ("What country is Dai Jitao from?", "When did #1 sign the treaty?")),
        ("Who is older, David Dzakhov or Sid Haig?",
         ("Who is older: David Dzakhov?", "Who is older: Sid Haig?", "Who is older, #1 or #2?")),
        ("Were Joe Gallivan and John Loone from the same country?",
         ("What is known of Joe Gallivan: from country?", "What is known of John Loone: from country?",
          "Were #1 and #2 from the same country?")),
        ("When did the country of Izgoy's performer invade Manchuria?",
         ("Who is the performer of Izgoy?", "What is the country of #1?", "When did #2 invade Manchuria?")),
    ],
)  # fmt: skip
def test_forms_of_english_are_taken_apart(question: str, steps: tuple[str, ...]) -> None:
    assert decompose(question) == steps


@pytest.mark.parametrize(
    "question",
    [
        "Who dredged the harbour?",
        "Wer ist der Vater des Direktors?",
        "港はいつ浚渫されましたか？",
        "What is #1 of #2's #1?",  # a reference in the question itself refers to nothing
        "",
        "?",
    ],
)
def test_a_question_of_no_known_form_is_one_step(question: str) -> None:
    assert decompose(question) == (question,)


WORDS = [
    "the",
    "of",
    "where",
    "is",
    "A",
    "Bb Cc's",
    "or",
    "and",
    "#1",
    "director",
    ",",
    "which",
    "both",
    "Are",
    "?",
    '"',
]


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join) | st.text(max_size=80), st.integers(1, MOST))
def test_steps_refer_to_earlier_ones_only_and_are_few(question: str, most: int) -> None:
    steps = decompose(question, most)
    assert 1 <= len(steps) <= max(most, 1)
    if len(steps) > 1:
        for i, step in enumerate(steps):
            assert all(1 <= one <= i for one in references(step))
        assert references(steps[-1])


@pytest.mark.parametrize("part", ["the director of ", "A's ", "Aa or Bb ", "where the ", "Are Aa and ", '"', "Aa, "])
def test_long_and_odd_questions_take_no_time(part: str) -> None:
    began = time.process_time()
    for times in (40, 90, 5000):
        decompose("Who is " + part * times + "Xx?")
    assert time.process_time() - began < 1
