"""Terms: words of every script are found, folded and counted, one by one or many at once."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.store.terms import LONGEST, Analyzer

PLAIN, ENGLISH = Analyzer("none"), Analyzer()
TEXTS = st.lists(st.text(st.sampled_from("abcABC äÄßéﬁİ 東京大学ไทย हिन्दी 1２_-.'\n\ud800"), max_size=40), max_size=6)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The RUNNING dogs", ["the", "run", "dog"]),
        ("snake_case don't", ["snake", "case", "don", "t"]),
        ("Ｆｕｌｌ ﬁne", ["full", "fine"]),
        ("Łódź café STRASSE straße", ["łodz", "cafe", "strass", "strass"]),
        ("東京大学", ["東京", "京大", "大学"]),
        ("水", ["水"]),
        ("iPhone東京15台", ["iphon", "東京", "15", "台"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("", []),
        ("!? — …", []),
    ],
)
def test_words_become_these_terms(text: str, terms: list[str]) -> None:
    assert ENGLISH.terms(text) == terms


def test_thai_without_spaces_gives_pairs_of_characters_with_their_vowel_signs() -> None:
    assert PLAIN.terms("ที่นี่") == ["ที", "ี่", "่น", "นี", "ี่"]


def test_composed_and_decomposed_letters_are_the_same_term() -> None:
    for text in ("Café", "한국어", "Việt Nam"):
        assert PLAIN.terms(unicodedata.normalize("NFD", text)) == PLAIN.terms(unicodedata.normalize("NFC", text))


def test_an_endless_word_is_cut_and_an_endless_chinese_line_is_not() -> None:
    assert PLAIN.terms("a" * 60_000) == ["a" * LONGEST]
    assert len(PLAIN.terms("水" * 60_000)) == 59_999


def test_another_language_has_its_own_stems() -> None:
    assert Analyzer("german").terms("Häuser") == Analyzer("german").terms("Haus")


@given(TEXTS)
def test_counting_many_texts_is_counting_each(texts: list[str]) -> None:
    counted = ENGLISH.count(texts)
    each = [Counter(ENGLISH.terms(text)) for text in texts]
    assert list(counted.terms) == sorted({term for bag in each for term in bag})
    assert counted.length.tolist() == [sum(bag.values()) for bag in each]
    for i, term in enumerate(counted.terms):
        entries = slice(counted.indptr[i], counted.indptr[i + 1])
        found = dict(zip(counted.text[entries].tolist(), counted.count[entries].tolist(), strict=True))
        assert found == {row: bag[term] for row, bag in enumerate(each) if term in bag}
        assert np.all(np.diff(counted.text[entries]) > 0)


def test_more_repetitions_than_two_bytes_hold_count_as_the_most_that_do() -> None:
    assert PLAIN.count(["x " * 70_000]).count.tolist() == [65_535]
