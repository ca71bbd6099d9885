import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ConfigError
from rag.readers.extractive import Extractive
from rag.types import Document, Hit, Hits, Query

LEASE = (
    "This lease was written in Boston. It begins on 3 May 2021 and ends after two years. "
    "The tenant is Ann Miller. The rent is $1,250 a month. Dogs are not allowed because the walls are thin."
)


def hits(question: str, *texts: str) -> Hits:
    items = []
    for i, text in enumerate(texts):
        tree = flat(Document(f"d{i}", text), [(0, len(text))] if text else [])
        if text:
            items.append(Hit(tree, 1, ((0, len(text)),), 1.0))
    return Hits(Query("q", question), tuple(items))


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        ("Who is the tenant?", "Ann Miller", "The tenant is Ann Miller."),
        ("What is the rent?", "$1,250 a month", "The rent is $1,250 a month."),
        ("In which city was the lease written?", "Boston", "This lease was written in Boston."),
    ],
)
def test_the_answer_is_a_span_and_its_citation_the_sentence(question: str, answer: str, sentence: str) -> None:
    found = Extractive(scorer=None)(hits(question, LEASE))
    assert (found.status, found.text) == ("answered", answer)
    assert [c.quote for c in found.citations] == [sentence]
    assert LEASE[found.citations[0].start : found.citations[0].end] == sentence


def test_the_sentence_itself_can_be_the_answer() -> None:
    found = Extractive(scorer=None, form="sentence")(hits("Who is the tenant?", LEASE))
    assert found.text == "The tenant is Ann Miller."


def test_a_yes_no_question_is_answered_by_its_sentence() -> None:
    found = Extractive(scorer=None)(hits("Are dogs allowed?", LEASE))
    assert found.text == "Dogs are not allowed because the walls are thin."


@pytest.mark.parametrize("question", ["What is the wavelength of ultraviolet light?", "", "   "])
def test_a_question_the_evidence_does_not_answer_is_abstained(question: str) -> None:
    found = Extractive(scorer=None)(hits(question, LEASE))
    assert (found.status, found.text, found.citations) == ("abstained", "", ())
    assert "abstained" in found.notes["readers/extractive"]


def test_no_evidence_is_abstained() -> None:
    found = Extractive(scorer=None)(hits("Who?"))
    assert found.notes["readers/extractive"]["abstained"] == "no evidence"


@settings(max_examples=150)
@given(
    st.lists(st.text(alphabet="aAbB 19.,\n!é😀。$%()\"'-", max_size=120), max_size=3),
    st.sampled_from(["who a b", "how many 19", "why aA", "é", "is a b?", "when"]),
)
def test_every_citation_is_a_slice_and_holds_the_answer(texts: list[str], question: str) -> None:
    given_hits = hits(question, *texts)
    found = Extractive(scorer=None, threshold=-1.0)(given_hits)
    documents = {h.doc: h.document for h in given_hits}
    for citation in found.citations:
        assert documents[citation.doc].text[citation.start : citation.end] == citation.quote
    assert (found.status == "answered") == bool(found.citations)
    if found.status == "answered":
        assert found.text
        assert found.text in found.citations[0].quote
    assert found == Extractive(scorer=None, threshold=-1.0)(given_hits)


@pytest.mark.model
def test_the_embedded_model_answers_and_abstains() -> None:
    found = Extractive()(hits("Who is the tenant?", LEASE))
    assert found.text == "Ann Miller"
    assert 0 < found.confidence < 1
    assert Extractive()(hits("What is the wavelength of ultraviolet light?", LEASE)).status == "abstained"


def test_what_is_no_scorer_is_refused_when_the_stage_is_made() -> None:
    with pytest.raises(ConfigError, match="readers/extractive: scorer: must be a scorer"):
        Extractive(scorer="ms-marco")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Why are dogs not allowed?", "Dogs are not allowed because the walls are thin."),
        ("What is a lease?", "A lease is a contract about the use of a thing."),
        ("What does the landlord do?", "The landlord mows the lawn every week in summer."),
    ],
)
def test_a_reason_a_definition_and_a_deed_are_answered_by_a_sentence(question: str, sentence: str) -> None:
    text = "A lease of a lease needs consent. " + LEASE + " A lease is a contract about the use of a thing."
    text += " The landlord mows the lawn every week in summer."
    assert Extractive(scorer=None, threshold=0.0)(hits(question, text)).text == sentence


def test_an_unsure_span_gives_way_to_its_sentence() -> None:
    text = "The green box lies near red chairs, old lamps, thin books, broad tables, warm coats and tall plants."
    asked = hits("What thing near the box?", text)
    auto, span = (Extractive(scorer=None, threshold=0.0, form=form)(asked) for form in ("auto", "span"))
    assert span.notes["readers/extractive"]["sure"] < 0.15
    assert (auto.text, auto.text != span.text) == (text, True)


def test_of_a_long_sentence_the_clauses_around_the_answer_are_quoted() -> None:
    text = ", ".join(f"the room number {n} was painted white by its owner" for n in range(30))
    text += ", the tower was built by Ann Miller in 1901, " + text + "."
    found = Extractive(scorer=None, threshold=0.0, form="span")(hits("Who built the tower?", text))
    (citation,) = found.citations
    assert found.text in citation.quote
    assert "tower was built" in citation.quote
    assert len(citation.quote) <= 400


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("谁签署了租约？", "租约由李明签署。租金是每月五百元。"),
        ("من وقع العقد؟", "وقع العقد أحمد في عام 1901. الإيجار خمسمائة."),
        ("ใครเซ็นสัญญา", "สมชายเซ็นสัญญาเช่า ค่าเช่าเดือนละห้าร้อย"),
        ("Кто подписал договор?", "Договор подписал Иван Петров в 1901 году."),
    ],
)
def test_questions_in_other_languages_are_answered_or_abstained(question: str, text: str) -> None:
    found = Extractive(scorer=None, threshold=0.0)(hits(question, text))
    assert found.status == "abstained" or found.text == found.citations[0].quote
    assert all(found.text in c.quote and text[c.start : c.end] == c.quote for c in found.citations)
