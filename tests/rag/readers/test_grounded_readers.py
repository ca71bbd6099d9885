"""Readers that quote before they answer: what cannot be found or borne out never reaches the reader of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import Refused, Unavailable
from rag.models.calls import Calls, using
from rag.models.llm import Message, Reply
from rag.readers.contrastive import Contrastive
from rag.readers.evidence import Evidence
from rag.readers.extractive import Extractive
from rag.readers.grounded import Place, borne_out, quoted
from rag.types import Answer, Document, Hit, Hits, Query

TEXTS = (
    "The harbour of Vell was dredged in 1904. Ada Lind led the work for three years.",
    "The castle of Orm was built in 1310. Ada Moor kept its books.",
)
ASKED = "Who led the dredging of the harbour of Vell?"
PLAIN = Extractive(scorer=None, threshold=-99.0)


def hits(*texts: str, question: str = ASKED) -> Hits:
    made = [flat(Document(f"d{i}", text), [(0, len(text))]) for i, text in enumerate(texts or TEXTS)]
    return Hits(
        Query("q", question), tuple(Hit(t, 1, ((0, len(t.document.text)),), 1.0 / (i + 1)) for i, t in enumerate(made))
    )


@dataclass
class Model:
    """Says what a function makes of the prompt and the number of the call."""

    says: Callable[[str, int], Any]
    asked: list[str] = field(default_factory=list)
    name: str = "model"

    @property
    def fingerprint(self) -> str:
        return "model@1"

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None, **_: Any) -> Reply:
        self.asked.append("\n".join(m.content for m in messages))
        said = self.says(self.asked[-1], len(self.asked))
        if isinstance(said, Exception):
            raise said
        return Reply(said if isinstance(said, str) else json.dumps(said), 9, 9)


def says(*values: Any) -> Model:
    return Model(lambda _, n: values[min(n, len(values)) - 1])


def evidence(*values: Any, **changes: Any) -> tuple[Answer, Model]:
    model = says(*values)
    return Evidence(**{"llm": model, "plain": PLAIN, **changes})(hits()), model


def cite(source: int, quote: str) -> dict[str, Any]:
    return {"source": source, "quote": quote}


def reply(answer: str, *cited: dict[str, Any]) -> dict[str, Any]:
    return {"evidence": list(cited), "explanation": "so", "answer": answer}


GOOD = cite(1, "Ada Lind led the work")


def test_one_call_is_enough_where_quotation_and_answer_stand() -> None:
    answer, model = evidence(reply("Ada Lind", GOOD))
    assert (answer.text, answer.status, len(model.asked)) == ("Ada Lind", "answered", 1)
    assert answer.citations[0].quote == "Ada Lind led the work for three years."
    assert answer.notes["readers/evidence"]["way"] == "evidence"
    assert answer.usage["calls"] == 1


def test_an_invented_quotation_asks_again_over_what_stood_and_is_never_shown() -> None:
    answer, model = evidence(
        reply("Bo Reed", cite(1, "Bo Reed led the work"), cite(2, "Ada Lind led the work")), reply("Ada Lind", GOOD)
    )
    assert (answer.text, len(model.asked)) == ("Ada Lind", 2)
    assert "castle" not in model.asked[1]  # the second call sees the best hit and the evidence alone
    told = answer.notes["readers/evidence"]
    assert (told["dropped"], told["moved"], told["way"]) == (1, 1, "second call")


def test_an_answer_that_nothing_bears_out_gives_way_to_the_plain_reader() -> None:
    lie = reply("Bo Reed of Tamland", cite(1, "Bo Reed of Tamland led it"))
    answer, _ = evidence(lie, lie)
    assert answer.text == PLAIN(hits()).text
    assert answer.notes["readers/evidence"]["way"] == "fallback"


def test_sentences_that_are_not_borne_out_are_dropped_and_counted() -> None:
    said = reply("Ada Lind led the work. She died in Tamland of a fever.", GOOD)
    answer, _ = evidence(said, said)
    assert answer.text == "Ada Lind led the work."
    assert answer.notes["readers/evidence"]["unsupported"] == 1


def test_a_model_may_say_that_there_is_no_answer() -> None:
    answer, _ = evidence(reply("unanswerable"))
    assert (answer.status, answer.text, answer.citations) == ("abstained", "", ())


def test_no_answer_beside_invented_quotations_is_not_believed() -> None:
    said = reply("unanswerable", cite(1, "..."), cite(2, "nowhere"))
    answer, _ = evidence(said, said)
    assert answer.text == PLAIN(hits()).text
    assert answer.notes["readers/evidence"]["way"] == "fallback"


def test_where_the_plain_reader_abstains_no_call_is_made_unless_asked_for() -> None:
    careful = Extractive(scorer=None, threshold=99.0)
    answer, model = evidence(reply("Ada Lind", GOOD), plain=careful)
    assert (answer.status, len(model.asked)) == ("abstained", 0)
    answer, model = evidence(reply("Ada Lind", GOOD), plain=careful, gate=False)
    assert (answer.text, len(model.asked)) == ("Ada Lind", 1)


def contrast(**changes: Any) -> dict[str, Any]:
    return {
        "relevant": [{**GOOD, "why": "names the leader"}],
        "irrelevant": [{"source": 2, "why": "another place"}],
        "explanation": "x",
        "answer": "Ada Lind",
    } | changes


def contrasted(value: Any, **changes: Any) -> Answer:
    return Contrastive(**{"llm": says(value), "plain": PLAIN, **changes})(hits())


def test_contrast_keeps_both_sides_with_their_reasons() -> None:
    answer = contrasted(contrast())
    told = answer.notes["readers/contrastive"]
    assert (answer.text, told["relevant"], told["irrelevant"]) == (
        "Ada Lind", [[0, "names the leader"]], [[1, "another place"]]
    )  # fmt: skip


def test_a_source_called_both_is_relevant_by_its_quotation_and_unknown_numbers_are_nothing() -> None:
    both = [{"source": 1, "why": "x"}, {"source": 99, "why": "y"}, {"source": -3, "why": "z"}]
    told = contrasted(contrast(irrelevant=both)).notes["readers/contrastive"]
    assert ([i for i, _ in told["relevant"]], told["irrelevant"]) == ([0], [])


def test_without_a_model_the_sides_are_what_is_cited_and_what_is_not() -> None:
    answer = Contrastive(plain=PLAIN)(hits())
    told = answer.notes["readers/contrastive"]
    assert told["way"] == "plain"
    assert sorted(i for side in ("relevant", "irrelevant") for i, _ in told[side]) == [0, 1]


@pytest.mark.parametrize("reader", [Evidence, Contrastive])
@pytest.mark.parametrize("error", [Refused("no"), Unavailable("down")])
def test_a_model_that_fails_leaves_the_plain_answer(reader: Any, error: Exception) -> None:
    model = says(error)
    with using(Calls(retries=9, sleep=lambda _: None)):
        answer = reader(llm=model, plain=PLAIN)(hits())
    assert answer.text == PLAIN(hits()).text
    assert len(model.asked) <= reader(plain=PLAIN).calls


@pytest.mark.parametrize("reader", [Evidence, Contrastive])
def test_no_hits_and_no_question_abstain(reader: Any) -> None:
    model = says(reply("Ada Lind", GOOD))
    for given_hits in (Hits(Query("q", ASKED)), hits(question=" ")):
        assert reader(llm=model, plain=PLAIN)(given_hits).status == "abstained"


PIECES = ["Ada Lind", "led the work", "Bo Reed", "unanswerable", "The castle … 1310", "…", "", "1904.", "yes"]
CITED = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.integers(-2, 4) | st.sampled_from(["1", "x", 1e400, None, [1], 2.5]),
            "quote": st.sampled_from(PIECES),
        },
        optional={"why": st.just("w")},
    ),
    max_size=4,
)
REPLIES = st.one_of(
    st.fixed_dictionaries({"evidence": CITED, "answer": st.sampled_from(PIECES)}),
    st.fixed_dictionaries({"relevant": CITED, "irrelevant": CITED, "answer": st.sampled_from(PIECES)}),
    st.sampled_from(["talk", "[]", '{"answer": 3}', '{"answer": "x", "evidence": "y", "relevant": 1}', '{"answer":']),
)


@settings(max_examples=80, deadline=None)
@given(replies=st.lists(REPLIES, min_size=1, max_size=4), calls=st.integers(0, 4), budget=st.integers(0, 60))
def test_whatever_a_model_says_citations_are_slices_of_the_evidence(
    replies: list[Any], calls: int, budget: int
) -> None:
    for reader in (Evidence, Contrastive):
        model = says(*replies)
        answer = reader(llm=model, plain=PLAIN, calls=calls, budget=budget)(hits())
        assert len(model.asked) <= calls
        assert answer.status in ("answered", "abstained")
        assert (answer.status == "answered") == bool(answer.citations)
        for one in answer.citations:
            assert TEXTS[int(one.doc[1:])][one.start : one.end] == one.quote
        assert answer.context is not None
        assert (answer.context.tokens or 0) <= budget


def test_places_and_support_are_what_they_say() -> None:
    found = quoted([(2, "Ada Lind led … three years"), (1, "nowhere at all")], hits().items)
    assert [TEXTS[p.hit][p.start : p.end] for p in found.places] == ["Ada Lind led", "three years"]
    assert (found.whole, found.dropped, found.moved) == (False, 1, 1)
    text, used, gone = borne_out("Yes. Ada Lind. Bo Reed!", ASKED, found.places, hits().items, 0.6)
    assert (text, gone) == ("Yes. Ada Lind.", 1)
    assert set(used) <= set(found.places)
    assert borne_out("Yes", ASKED, (), hits().items, 0.6) == ("", (), 1)
    assert Place(0, 1, 2) not in used
