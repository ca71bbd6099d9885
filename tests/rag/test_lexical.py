import numpy as np
import pytest

from rag.lexical import match, stem, terms


@pytest.mark.parametrize(
    ("word", "same"),
    [("leases", "lease"), ("signed", "sign"), ("cities", "city"), ("running", "run"), ("glass", "glass")],
)
def test_inflected_words_share_a_stem(word: str, same: str) -> None:
    assert stem(word) == stem(same)


def test_words_without_meaning_are_no_terms() -> None:
    assert terms("Who is the Tenant of it?") == ["tenant"]


def test_rare_words_weigh_more_and_headings_count_half() -> None:
    texts = ["the lease and the dog", "the lease and the cat", "the lease ends", "rain"]
    scores = match("lease of the cat", texts)
    assert np.argmax(scores) == 1
    assert scores[3] == 0
    above = match("rain", ["dry", "dry"], ["Rain", ""])
    assert above[0] > above[1] == 0


def test_words_side_by_side_count_again() -> None:
    scores = match("blue house", ["the blue house", "blue is the big house", "sky"])
    assert scores[0] > scores[1] > scores[2]


def test_no_words_no_scores() -> None:
    assert match("", ["a"]).tolist() == [0.0]
    assert match("lease", []).shape == (0,)
