"""Asides of kept sentences give room to other sentences, and no fact goes with them."""

from __future__ import annotations

import itertools

from compressor_cases import Lengths, characters, hit_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.edu import Edu
from compressors.leaves import leaves
from compressors.shorten import KEPT, cuts
from rag.doctree import flat
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

ASIDE = "The tenant pays the rent (and, as is usual in the town, the cost of heating and of water). "


def one(text: str, question: str) -> Hits:
    return Hits(Query("q", question), (Hit(flat(Document("d", text), [(0, len(text))]), 1, ((0, len(text)),), 1.0),))


def gone(text: str, question: str = "who pays") -> list[str]:
    hits = one(text, question)
    found = leaves(hits.items, 500, counter("cl100k"), finer=False)
    made = cuts(question, hits.items, found, range(len(found.pool)), counter("cl100k"))
    return [text[a:b] for cut in made.values() for a, b in cut.goes]


def test_an_aside_goes_where_another_sentence_fits_then_and_the_gap_is_shown() -> None:
    text = ASIDE + "The agent pays nothing. Dogs bark."
    tight = Edu(budget=28, shorten=True, around=0.0)(one(text, "who pays the rent and nothing"))
    shown = render(tight)
    assert "The tenant pays the rent" in shown
    assert "heating" not in shown
    assert "The agent pays nothing." in shown
    assert "safe to leave out" in {drop.reason for drop in tight.drops}
    assert tight.notes["compressors/edu"]["shortened"] == 1
    wide = Edu(budget=200, shorten=True)(one(text, "who pays the rent and nothing"))
    assert render(wide) == "[1]\n" + text


def test_numbers_negations_quotations_and_words_of_the_question_stay() -> None:
    assert gone(ASIDE)
    assert not gone(ASIDE, "who pays the heating")
    for fact in ("the cost of 20 heaters", "not the cost of heating", 'the "cost" of heating', "the cost_of heating"):
        assert not gone(ASIDE.replace("the cost of heating", fact))


def test_a_clause_without_marks_at_both_its_ends_stays() -> None:
    assert not gone("The tenant pays the rent because the landlord who owns the house asked for it.")
    assert not gone("The landlord asked (in a letter to all of the tenants for the rent.")


@settings(deadline=None, max_examples=50)
@given(
    hits=hit_lists(),
    budget=st.integers(0, 120),
    tokenizer=st.sampled_from(["chars", "words", "cl100k"]),
    data=st.data(),
)
def test_the_budget_holds_and_nothing_goes_without_a_reason(
    hits: Hits, budget: int, tokenizer: str, data: st.DataObject
) -> None:
    step = Edu(budget=budget, shorten=True, tokenizer=tokenizer, scorer=data.draw(st.sampled_from([None, Lengths()])))
    out = step(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    for hit in out:
        assert all(a < b for a, b in hit.spans)
        assert all(x[1] < y[0] for x, y in itertools.pairwise(hit.spans))
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert characters(out) <= characters(hits) <= characters(out) | dropped
    safe = [d.hit.document.text[a:b] for d in out.drops if d.reason.startswith("safe") for a, b in d.hit.spans]
    assert not any(KEPT.search(text) for text in safe)
