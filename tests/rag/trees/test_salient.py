from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.models.tokens import counter
from rag.trees.salient import salient, sentences_of

DATA = Path(__file__).parents[2] / "data"
HARBOUR = (
    "The harbour of Vell was dredged in 1904 by the Norrland company. The works cost two million crowns."
    " It rained often. The dredged harbour of Vell lets large ships in, and the company still keeps it deep."
    " Somebody sneezed."
)
words = st.lists(st.sampled_from(["harbour", "ship", "the", "deep", "e", "2", "港", "ß", "\U0001f6a2"]), max_size=12)
texts = st.lists(
    st.one_of(
        words.map(lambda w: " ".join(w).capitalize() + "."),
        st.sampled_from(
            ["\n\n", "\n# Head\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "- item one\n- item two\n", "```\nx = 1\n```\n"]
        ),
        st.text(max_size=30),
    ),
    max_size=20,
).map(" ".join)


def joined(text, spans):
    return " ".join(text[a:b] for a, b in spans)


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(0, 60), st.one_of(st.none(), st.integers(0, 4)))
def test_sentences_are_ordered_slices_within_the_budget(text, tokens, k):
    spans = salient(text, [(0, len(text))], tokens=tokens, k=k)
    assert list(spans) == sorted(spans)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))
    assert all(text[a:b] == text[a:b].strip() for a, b in spans)
    assert counter("cl100k").count(joined(text, spans)) <= tokens
    assert k is None or len(spans) <= k


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_what_stands_around_a_passage_changes_nothing(before, text):
    inside = salient(text, [(0, len(text))], tokens=40)
    whole = f"{before}\n\n{text}\n\n{before}"
    first = len(before) + 2
    moved = salient(whole, [(first, first + len(text))], tokens=40)
    assert [(a - first, b - first) for a, b in moved] == list(inside)


def test_sentences_that_share_the_words_of_the_passage_come_before_asides():
    said = joined(HARBOUR, salient(HARBOUR, [(0, len(HARBOUR))], tokens=52))
    assert "dredged in 1904" in said
    assert "lets large ships in" in said
    assert "sneezed" not in said
    assert "rained" not in said


def test_a_sentence_said_twice_is_taken_once_where_there_is_another():
    text = "The dam holds back the river Ur. The dam holds back the river Ur. Farmers below it grow rice and beans."
    said = joined(text, salient(text, [(0, len(text))], tokens=22))
    assert said == "The dam holds back the river Ur. Farmers below it grow rice and beans."


def test_headings_tables_and_code_are_no_summary_while_there_is_prose():
    text = "# Depths\n\n| berth | depth |\n| --- | --- |\n| A | 9 m |\n\n```\ndepth = 9\n```\n\nBerth A is nine metres deep at low water.\n"
    assert joined(text, salient(text, [(0, len(text))], tokens=60)) == "Berth A is nine metres deep at low water."


def test_a_sentence_longer_than_the_budget_gives_its_first_clauses():
    text = "The wall, which was built of granite, stands to this day, although the storm of 1911 broke it twice over."
    assert joined(text, salient(text, [(0, len(text))], tokens=12)) == "The wall, which was built of granite,"
    assert salient("x" * 500, [(0, 500)], tokens=3)[0][0] == 0


@pytest.mark.parametrize("text", ["", "   \n ", "\n\n\n"])
def test_blank_text_has_no_sentence(text):
    assert salient(text, [(0, len(text))]) == ()
    assert len(sentences_of(text, [(0, len(text))])) == 0


def test_time_grows_with_the_length_of_the_text():
    book = (DATA / "spy_in_the_elevator.txt").read_text(encoding="utf-8")

    def seconds(text):
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            salient(text, [(0, len(text))])
            best = min(best, time.process_time() - began)
        return best

    one, eight = seconds(book), seconds(book * 8)
    assert eight < 8 * 2.5 * one + 0.05
