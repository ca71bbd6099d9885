from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import sentence_spans

PIECES = st.sampled_from(
    ["Dr. Smith", "e.g.", "3.14", "U.S.", "A. B. Cee", "end.", "end?!", "”", "。", "！", "」", " ", "  ", "\n", "\n\n"]
    + ["\r\n", "\r\n\r\n", "\t", "\u00a0", "\ufeff", "http://a.b/c.d?e=f.", "no. 5", "...", "…", "1.", "é\u0301"]
    + ["👩\u200d👩\u200d👧", "Then", "the", "[3]", "。」と", "\x0b", "\u2028"]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200))


def cut(text: str) -> list[str]:
    return [text[a:b].strip() for a, b in sentence_spans(text)]


@given(TEXTS, st.integers(0, 50), st.integers(0, 400))
def test_sentences_tile_their_range(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    spans = sentence_spans(text, start, end)
    assert all(a < b for a, b in spans)
    assert [a for a, _ in spans] == ([start, *(b for _, b in spans[:-1])] if start < end else [])
    if spans:
        assert spans[-1][1] == end


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith paid $3.50 to Mr. J. R. Jones.", "He left."],
        ["See Fig. 3 and sec. 2.1 for more.", "It is no. 5 of the list."],
        ["He said no.", "Nobody heard."],
        ["It happened in the U.S. Supreme Court."],
        ["It happened in the U.S.", "The court agreed."],
        ["Smith et al. (2004) found it.", "Others, e.g. Jones, did not."],
        ["Read https://example.org/a.b?c=d.e for it.", "Then act."],
        ["“Is it true?” he asked.", "“It is.”", "She nodded."],
        ["Acme Inc. was sold.", "It was bought by Foo Corp.", "The price rose."],
        ["これは文です。", "次の文！", "「本当？」と彼は言った。"],
        ["这是第一句。", "这是第二句？", "第三句"],
        ["First...", "Second!?", "Third…", "and more"],
        ["A fact.[12]", "Another one.[3][4]", "Done."],
        ["Wait ... what is it?", "Nothing."],
        ["यह पहला वाक्य है।", "यह दूसरा है।"],
        ["He likes it **very much.**", "She does not."],
    ],
    ids=lambda s: s[0][:20],
)
def test_known_sentences_are_found(sentences: list[str]) -> None:
    text = "".join(s + ("" if s[-1] in "。！？" else " ") for s in sentences)
    if sentences[0].startswith("First"):  # a small letter never opens a sentence after a stop
        sentences = [*sentences[:-2], "Third… and more"]
    assert cut(text) == sentences


def test_a_number_that_opens_a_line_is_a_list_mark() -> None:
    assert cut("Steps:\n1. Open it. Wait.\n2. Close it.") == ["Steps:\n1. Open it.", "Wait.", "2. Close it."]


def test_a_blank_line_ends_a_sentence_without_a_stop() -> None:
    assert cut("A title\n\nSome text\nthat goes on\r\n\r\nMore") == ["A title", "Some text\nthat goes on", "More"]


@pytest.mark.parametrize("unit", [".", "!", "\n", " ", "。", ". ", "a", '."', "\n \n", "[1].", "Mr. "])
def test_time_is_linear_in_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        best = 9.0
        for _ in range(3):
            begin = time.perf_counter()
            sentence_spans(text)
            best = min(best, time.perf_counter() - begin)
        return best

    assert seconds(400_000) < 8 * seconds(100_000) + 0.05
