import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.readers.ranker import Piece, rank
from rag.readers.span_features import features, prepare, want
from rag.readers.spans import candidates, look, tokens

ANY = st.text(alphabet="aB é中ا9.,;:()\"'’“”%$€-–_|\n\u0301😀", max_size=80)


def spans(text: str) -> list[str]:
    words = tokens(text)
    return [text[words[i].start : words[j - 1].end] for i, j in candidates(words)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It rose by 2.8% in 1901.", "2.8%"),
        ("A 534-kilometre line was built.", "534-kilometre"),
        ("It grew to over 40 million people.", "over 40 million"),
        ("In the 11th century it fell.", "11th"),
        (
            "It sank because the hull was thin and the sea was rough.",
            "the hull was thin and the sea was rough",
        ),
        ('He wrote "To be or not to be" there.', "To be or not to be"),
        ("J. Cheever Cowdin led it.", "J. Cheever Cowdin"),
        ("The cost was $1,250 a month.", "$1,250 a month"),
        ("She lives with her two dogs.", "her two dogs"),
    ],
)
def test_what_may_answer_is_a_candidate(text: str, answer: str) -> None:
    assert answer in spans(text)


@given(ANY)
def test_candidates_are_ranges_of_words_each_once(text: str) -> None:
    words = tokens(text)
    found = list(candidates(words))
    assert len(found) == len(set(found))
    assert all(0 <= i < j <= len(words) for i, j in found)
    assert all(text[w.start : w.end] == w.text for w in words)
    assert all(look(words, i, j) for i, j in found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2.8%", "percent"),
        ("$1,250", "money"),
        ("3 May 2021", "date"),
        ("1870 to 1939", "range"),
        ("1914", "year"),
        ("two years", "time"),
        ("12 km", "unit"),
        ("42", "number"),
        ("Ann Miller", "name"),
        ("thin walls", "plain"),
    ],
)
def test_a_span_has_a_look(text: str, kind: str) -> None:
    words = tokens(text)
    assert look(words, 0, len(words)) == kind


@given(ANY, ANY)
def test_every_pair_of_question_and_text_has_finite_features_and_equal_ranks(question: str, text: str) -> None:
    pieces = [Piece(text, 0, len(text), "Head", 1.0)]
    found = rank(question, pieces, None)
    assert found == rank(question, pieces, None)
    assert all(text[s.start : s.end] and s.worth == round(s.worth, 9) for s in found)


def test_the_nearest_number_of_the_kind_asked_for_wins() -> None:
    text = "In 1901, of 711,988 inhabitants 56.2% were Catholics, 35.7% Jews, 5% Orthodox and 2.8% Protestants."
    found = rank(
        "What percentage of the population was Protestant in 1901?", [Piece(text, 0, len(text), "", 0.0)], None
    )
    best = max(found, key=lambda span: span.worth)
    assert "2.8%" in text[best.start : best.end]


def test_features_name_the_unit_that_was_left_out() -> None:
    words = tokens("It is 12 km long.")
    wanted = want("How long is it?")
    sentence = prepare(words, wanted)
    assert "real unit left out" in features(sentence, 2, 3, wanted)
    assert "real unit left out" not in features(sentence, 2, 4, wanted)


@pytest.mark.parametrize("number", ["16:15", "3:1", "1,234.5", "10:00:30"])
def test_a_clock_time_and_a_ratio_are_one_word(number: str) -> None:
    assert [token.text for token in tokens(f"It starts at {number}.")][3] == number
