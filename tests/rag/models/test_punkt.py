from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.sentences import SentenceChunker
from rag.models.punkt import punkt_spans
from rag.sentences import sentence_spans
from rag.types import Document

DATA = Path(__file__).parents[2] / "data"


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("ab. \n!?A\u00a0.\u2028é"), max_size=80))
def test_sentences_tile_the_text(text: str) -> None:
    spans = punkt_spans(text)
    assert "".join(text[a:b] for a, b in spans) == text
    assert all(a < b for a, b in spans)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("ab. \n!?A"), max_size=200), size=st.integers(8, 40))
def test_chunks_of_its_sentences_keep_the_cap(text: str, size: int) -> None:
    tree = SentenceChunker(size=size, splitter="punkt")(Document("d", text))
    tree.check()
    assert all(leaf.tokens <= size for leaf in tree.leaves())


def test_abbreviations_do_not_end_sentences() -> None:
    text = "Dr. Smith left. He paid $3.50 in the U.S. yesterday!  Really? Yes."
    assert [text[a:b].strip() for a, b in punkt_spans(text)] == [
        "Dr. Smith left.",
        "He paid $3.50 in the U.S. yesterday!",
        "Really?",
        "Yes.",
    ]


@pytest.mark.parametrize("name", ["state_of_the_union.txt", "spy_in_the_elevator.txt"])
def test_rules_and_punkt_agree_on_most_sentences_of_real_text(name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8")
    mine, theirs = ({a for a, _ in spans(text)} for spans in (sentence_spans, punkt_spans))
    assert len(mine & theirs) > 0.9 * len(theirs)
