"""Names found by their capitals, and the keys under which two spellings meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrievers.names import key, names, spoken, subjects, title_keys


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The Prairie King", "the prairie king"),
        ("Ada Lind's", "Ada Lind"),
        ("Özgür Müller", "Ozgur Muller"),
        ("B. Reeves Eason", "B Reeves Eason"),
        ("Marks & Spencer", "Marks and Spencer"),
        ("Hohenlohe-Langenburg", "Hohenlohe Langenburg"),
    ],
)
def test_two_spellings_of_a_name_share_a_key(a: str, b: str) -> None:
    assert key(a) == key(b) != ""


def test_a_name_keeps_its_particles_initials_and_numbers() -> None:
    found = names("It was built by the Bank of England and J. R. Tolkien near Apollo 11.")
    assert {"bank of england", "j r tolkien", "apollo 11"} <= set(found)


def test_the_first_word_of_a_sentence_is_no_name_when_it_is_a_common_one() -> None:
    assert names("However, it rained. The harbour froze. In winter it snowed.") == []


def test_a_date_is_no_name() -> None:
    assert not {"may", "may 22", "22", "march 1904"} & set(names("He was born on May 22, 1904 and left in March 1904."))


def test_shorter_rows_inside_a_row_count_too() -> None:
    assert {"director john ford", "john ford"} <= set(names("It was made by Director John Ford."))


def test_a_name_with_an_initial_is_known_without_it() -> None:
    assert "ada lind" in names("It was directed by Ada M. Lind.")
    assert "world ii" not in names("It was built in World War II.")
    assert "apollo mission" not in names("Of the Apollo 1 Mission nothing is left.")


def test_a_title_is_known_without_its_parentheses_and_its_place() -> None:
    assert title_keys("Devotion (1929 film)") == ["devotion 1929 film", "devotion"]
    assert title_keys("Kirkland, Washington") == ["kirkland washington", "kirkland"]
    assert title_keys("&quot;Q&quot; Is for Quarry") == ["q is for quarry"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada Maria Lind (born 1871) was an engineer.", ["ada maria lind", "ada lind"]),
        ("The Prairie King is a film of 1927.", ["prairie king"]),
        ("Botswana is a country.", ["botswana"]),
        ("In 1995, the Rank Group bought it.", []),
        ("Soviet records show that he left.", []),
        ("he was born there.", []),
        ("", []),
    ],
)
def test_what_a_passage_begins_with_is_what_it_is_about(text: str, found: list[str]) -> None:
    assert subjects(text) == found


def test_a_question_says_names_in_any_case() -> None:
    assert "prairie king" in spoken("who directed the prairie king?")
    assert "the" not in spoken("of the and")


@given(st.text(max_size=400))
def test_any_text_gives_keys_that_are_keys_of_themselves(text: str) -> None:
    for one in (*names(text), *subjects(text), *title_keys(text), *spoken(text)):
        assert one == one.strip() != ""
        assert key(one) == one or one.startswith(("the ", "a ", "an "))


@given(st.integers(1, 400))
def test_the_work_for_a_row_of_capitals_is_bounded(n: int) -> None:
    assert len(names("Alpha " * n)) <= 24 * 6
    assert len(spoken("alpha beta " * n)) <= 400 * 10
