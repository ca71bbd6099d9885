"""Budgets that are limits, not goals: enough is kept, and what was not needed is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compressor_cases import Broken, Lengths, characters, hit_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.adaptive import Adaptive
from compressors.edu import Edu
from rag.doctree import flat
from rag.errors import ModelError
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

NAME = "compressors/adaptive"
FILLER = "".join(f"Dogs of kennel {n} bark at night. " for n in range(12))
TEXT = "The sky is blue. Rent is due monthly. The tenant signs the lease. " + FILLER


def one(text: str, question: str) -> Hits:
    return Hits(Query("q", question), (Hit(flat(Document("d", text), [(0, len(text))]), 1, ((0, len(text)),), 1.0),))


@settings(deadline=None, max_examples=60)
@given(
    step=st.sampled_from([Adaptive(), Adaptive(scorer=Lengths(), stop=0.5, cover=False)]),
    hits=hit_lists(),
    budget=st.integers(0, 300),
    tokenizer=st.sampled_from(["chars", "words", "cl100k"]),
    data=st.data(),
)
def test_the_context_fits_and_is_the_same_for_any_order_of_the_input(
    step: Adaptive, hits: Hits, budget: int, tokenizer: str, data: st.DataObject
) -> None:
    step = replace(step, budget=budget, tokenizer=tokenizer)
    out = step(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert characters(out) <= characters(hits) <= characters(out) | dropped
    assert out == step(replace(hits, items=tuple(data.draw(st.permutations(hits.items)))))
    note = out.notes[NAME]
    if budget and note["stopped"]:
        assert note["unused"] == budget - (out.tokens or 0)


def test_it_stops_where_the_next_leaf_adds_too_little_and_says_what_is_unused() -> None:
    out = Adaptive(around=0.0, prior=0.0)(one(TEXT, "Who signs the lease, and when is rent due?"))
    assert render(out) == "[1]\nRent is due monthly. The tenant signs the lease."
    note = out.notes[NAME]
    assert (note["stopped"], note["unused"]) == (True, 1000 - (out.tokens or 0))
    assert {drop.reason for drop in out.drops} == {"adds too little"}


def test_it_goes_on_until_everything_that_is_named_is_there() -> None:
    text = "The lease is signed by the tenant of Vell. The lease is signed twice. Ada Lind lives in Oslo. " + FILLER
    question = "Who signed the lease of the tenant of Vell that Ada Lind knows?"
    short = Adaptive(around=0.0, prior=0.0, cover=False, stop=0.5)(one(text, question))
    assert "Ada Lind" not in render(short)
    assert "Ada Lind" in render(Adaptive(around=0.0, prior=0.0, stop=0.5)(one(text, question)))


def test_where_the_budget_is_the_limit_nothing_is_called_unused() -> None:
    out = Adaptive(budget=8, around=0.0)(one(TEXT, "Who signs the lease, and when is rent due?"))
    assert (out.notes[NAME]["stopped"], out.notes[NAME]["unused"]) == (False, 0)
    whole = Adaptive(stop=0.0)(one(TEXT, "dogs"))
    assert characters(whole) == characters(Edu(copies=1)(one(TEXT, "dogs")))


def test_odd_input_is_a_defined_result_or_an_error_that_names_the_stage() -> None:
    assert Adaptive()(Hits(Query("q", "x"))).items == ()
    assert Adaptive(budget=0)(one(TEXT, "lease")).items == ()
    with pytest.raises(ModelError, match="compressors/adaptive: broken must give"):
        Adaptive(scorer=Broken())(one(TEXT, "lease"))
