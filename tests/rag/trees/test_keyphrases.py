"""Key phrases: slices inside their range, the same each time, in linear time, in any script."""

from __future__ import annotations

import gc
import time

from hypothesis import given
from hypothesis import strategies as st

from rag.lexical import stem
from rag.trees.keyphrases import background_of, keyphrases, words

TEXT = (
    "The harbour pilot boards every tanker. The harbour pilot knows the sand bank. A tanker waits for the harbour"
    " pilot, and the tide waits for nobody."
)


def test_the_phrase_that_is_repeated_comes_first_with_every_place_where_it_stands():
    first = keyphrases(TEXT, 0, len(TEXT), k=3)[0]
    assert first.text == "harbour pilot"
    assert [TEXT[a:b] for a, b in first.spans] == ["harbour pilot"] * 3


def test_a_word_that_stands_in_every_passage_tells_less_than_a_rare_one():
    text = "Clause about rent. Clause about notice. Clause about repairs."
    ranges = [(0, 18), (19, 39), (40, len(text))]
    telling = background_of(text, ranges)
    assert telling[stem("rent")] > telling[stem("clause")] > 0
    assert keyphrases(text, *ranges[1], k=1, background=telling)[0].text == "notice"


@given(
    st.text(st.characters() | st.sampled_from(list(" .,的了学習アイ東京אבגمرحกขabcAB’-_\n")), max_size=120), st.data()
)
def test_phrases_are_distinct_slices_of_the_range_and_weights_fall(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = keyphrases(text, start, end, k=5, background=background_of(text, [(0, len(text))]))
    assert len(found) <= 5
    assert [p.weight for p in found] == sorted((p.weight for p in found), reverse=True)
    assert all(text[a:b] and start <= a < b <= end for p in found for a, b in p.spans)
    assert all(text[slice(*p.spans[0])] == p.text for p in found)
    assert all(list(p.spans) == sorted(p.spans) for p in found)
    stems = [word.stem for p in found for word in words(p.text, 0, len(p.text)) if not word.empty]
    assert found == keyphrases(text, start, end, k=5, background=background_of(text, [(0, len(text))]))
    assert len(found) <= len(stems)


@given(st.text(max_size=80))
def test_words_stand_in_order_inside_their_text(text):
    ends = [0, *(point for word in words(text, 0, len(text)) for point in (word.start, word.end)), len(text)]
    assert ends == sorted(ends)


def test_chinese_japanese_arabic_and_hebrew_give_phrases():
    for text, wanted in (
        ("深度学习是机器学习的分支。深度学习在图像中。", "深度学习"),
        ("東京大学は国立大学である。東京大学は古い。", "東京大学"),
        ("قانون العمل ينظم العلاقة. قانون العمل قديم.", "قانون العمل"),
        ("בית המשפט קבע כי הדין. בית המשפט דחה.", "בית המשפט"),
    ):
        assert wanted in [p.text for p in keyphrases(text, 0, len(text), k=3)]


def test_nothing_comes_from_a_text_without_words():
    for text in ("", " \n", "... --- !!!", "12 34 5.6", "the of and it"):
        assert keyphrases(text, 0, len(text), k=8) == []


def test_time_grows_with_the_text_and_not_faster():
    def seconds(size: int) -> float:
        text = " ".join(f"word{i % 977} and term{i % 31}" for i in range(size))
        gc.disable()  # its time grows with what other tests have left
        began = time.process_time()
        keyphrases(text, 0, len(text), k=8)
        spent = time.process_time() - began
        gc.enable()
        return spent

    seconds(1000)
    few, many = (min(seconds(size) for _ in range(3)) for size in (4_000, 16_000))
    assert many < 12 * max(few, 0.005)
    long = "a" * 200_000 + " " + "-" * 200_000 + "的" * 100_000
    began = time.process_time()
    keyphrases(long, 0, len(long), k=8)
    assert time.process_time() - began < 3
