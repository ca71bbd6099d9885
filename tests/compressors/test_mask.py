"""A mask over passages: units scored where they stand, every unit read, nothing kept because it was not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from compressor_cases import characters, hit_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.edu import Edu
from compressors.mask import Mask
from compressors.masking import masked
from rag.doctree import flat
from rag.errors import ConfigError, ModelError
from rag.models.keep import Marks
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query
from rag.units import units

TEXT = "The sky is blue. Rent is due monthly. Dogs bark at night. The tenant signs the lease. Cats sleep a lot."


@dataclass(frozen=True)
class Words:
    """A keep model without weights: words of the question, and those beside them, are kept; reads `reads` words."""

    reads: int = 512
    wrong: str = ""
    name: str = "words"
    fingerprint: str = "words@1"

    def keep(self, query: str, texts: Sequence[str], /) -> list[Marks]:
        """Log-odds 3 for a word of the question, -3 for others."""
        asked = set(re.findall(r"\w+", query.lower()))
        found = []
        for text in texts:
            words = list(re.finditer(r"\w+", text))[: self.reads]
            odds = np.array([3.0 if w.group().lower() in asked else -3.0 for w in words])
            if self.wrong == "nan":
                odds = odds * np.nan
            starts = np.array([w.start() for w in words], dtype=np.int64)
            ends = np.array([w.end() for w in words], dtype=np.int64) + 10_000 * (self.wrong == "outside")
            found.append(Marks(starts, ends, odds[:-1] if self.wrong == "fewer" else odds))
        return found[1:] if self.wrong == "texts" else found

    def score(self, query: str, texts: Sequence[str], /) -> np.ndarray:
        """float32 (n,)."""
        return np.array(
            [one.odds.mean() if len(one.odds) else -20 for one in self.keep(query, texts)], dtype=np.float32
        )


def one(text: str, question: str) -> Hits:
    return Hits(Query("q", question), (Hit(flat(Document("d", text), [(0, len(text))]), 1, ((0, len(text)),), 1.0),))


@settings(deadline=None, max_examples=100)
@given(
    hits=hit_lists(),
    budget=st.integers(0, 300),
    reads=st.sampled_from([1, 3, 20, 512]),
    least=st.sampled_from([0.0, 0.3]),
    tokenizer=st.sampled_from(["chars", "words", "cl100k"]),
    data=st.data(),
)
def test_the_context_fits_whatever_the_model_reads_and_the_order_of_the_input_has_no_effect(
    hits: Hits, budget: int, reads: int, least: float, tokenizer: str, data: st.DataObject
) -> None:
    step = Mask(keeper=Words(reads), budget=budget, least=least, tokenizer=tokenizer)
    out = step(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert characters(out) <= characters(hits) <= characters(out) | dropped
    assert out == step(replace(hits, items=tuple(data.draw(st.permutations(hits.items)))))


def test_what_is_below_the_floor_goes_though_there_is_room() -> None:
    out = Mask(keeper=Words(), least=0.2)(one(TEXT, "when rent due, who signs lease"))
    assert render(out) == "[1]\nRent is due monthly. … The tenant signs the lease."
    assert {drop.reason for drop in out.drops} == {"below 0.2 of the mask"}
    assert Mask(keeper=Words(), least=0.2, budget=10)(one(TEXT, "rent due")).tokens <= 10


def test_a_passage_longer_than_the_model_reads_is_read_on_with_an_overlap_of_one_unit() -> None:
    text = "".join(f"Unit {n} says word{n}. " for n in range(40))
    hits = one(text, "word3 word37")
    pool = units(hits.items)
    whole, parts = (masked("m", hits.query.text, hits.items, pool, Words(reads)) for reads in (512, 18))
    assert whole.passes == 1 < parts.passes
    assert parts.mean.tolist() == whole.mean.tolist()
    assert parts.top.tolist() == whole.top.tolist()
    assert np.flatnonzero(whole.top > 0).tolist() == [3, 37]


def test_a_unit_longer_than_the_model_reads_counts_as_far_as_it_is_read() -> None:
    text = "Rent " * 50 + "ends. Dogs bark."
    hits = one(text, "rent")
    found = masked("m", "rent", hits.items, units(hits.items), Words(10))
    assert found.mean.tolist() == [3.0, -3.0]


def test_compressors_that_score_units_take_a_mask_as_their_scorer() -> None:
    out = Edu(scorer=Words(), budget=18, around=0.0)(one(TEXT, "when rent due, who signs lease"))
    assert render(out) == "[1]\nRent is due monthly. … The tenant signs the lease."
    assert out.notes["compressors/edu"]["scorer"] == "words"


@pytest.mark.parametrize("wrong", ["nan", "fewer", "outside", "texts"])
def test_marks_that_do_not_fit_are_an_error_that_names_stage_and_model(wrong: str) -> None:
    with pytest.raises(ModelError, match=r"compressors/mask: words (must|marks)"):
        Mask(keeper=Words(wrong=wrong))(one(TEXT, "rent"))


def test_a_model_that_marks_nothing_is_refused_when_it_is_set() -> None:
    with pytest.raises(ConfigError, match="compressors/mask: keeper: must be a keep model"):
        Mask(keeper="words")  # type: ignore[arg-type]


def test_no_evidence_and_no_budget_give_nothing() -> None:
    assert Mask(keeper=Words())(Hits(Query("q", "rent"))).items == ()
    none = Mask(keeper=Words(), budget=0)(one(TEXT, "rent"))
    assert (none.items, len(none.drops)) == ((), 1)
