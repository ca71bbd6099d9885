import pytest

from rag.readers.question import asked


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who signs the lease?", "person"),
        ("What city is the capital of France?", "place"),
        ("What is the name of the king?", "person"),
        ("how many lines of symmetry does it have", "number"),
        ("How long did the war last?", "span"),
        ("How does it work?", "manner"),
        ("In what year did he die?", "date"),
        ("Why is the sky blue?", "reason"),
        ("Is it raining?", "yes-no"),
        ("What percentage of people agree?", "number"),
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
