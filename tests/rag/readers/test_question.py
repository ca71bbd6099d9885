import pytest

from rag.readers.question import asked, english


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who signs the lease?", "person"),
        ("What city is the capital of France?", "place"),
        ("What is the name of the king?", "person"),
        ("how many lines of symmetry does it have", "number"),
        ("How long did the war last?", "span"),
        ("How does it work?", "manner"),
        ("In what year did he die?", "year"),
        ("Why is the sky blue?", "reason"),
        ("Is it raining?", "yes-no"),
        ("What percentage of people agree?", "percent"),
        ("How much does it cost?", "amount"),
        ("Which organization runs it?", "group"),
        ("What is a widget?", "thing"),
        ("", "thing"),
        ("how", "manner"),
    ],
)
def test_the_question_word_and_its_noun_tell_what_is_asked(question: str, kind: str) -> None:
    assert asked(question).kind == kind


def test_the_noun_asked_for_is_the_focus() -> None:
    assert asked("Which river flows there?").focus == "river"
    assert asked("How many dogs are there?").focus == "dog"


def test_a_definition_is_told_from_a_question_for_a_fact() -> None:
    assert asked("What is ownership?").form == asked("What is a dangling pointer?").form == "definition"
    assert asked("What is a dangling pointer?").subject == ("dangl", "pointer")
    assert asked("What does the match operator do?").form == "tells"
    facts = ("What is the rent?", "What is the capital of France?", "What is a word for dogs?", "Who is Ann?", "")
    assert {asked(question).form for question in facts} == {"fact"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who wrote Così fan tutte?", True),
        ("capital poland 1901", True),
        ("", True),
        ("Was ist die Hauptstadt von Polen?", False),
        ("¿Cuál es la capital de Polonia?", False),
        ("波兰的首都是哪里?", False),
        ("Столица Польши?", False),
    ],
)
def test_small_words_and_letters_tell_english(question: str, answer: bool) -> None:
    assert english(question) is answer
