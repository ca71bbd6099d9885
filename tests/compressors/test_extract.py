import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.extract import Extract
from rag.doctree import flat
from rag.errors import ModelError
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

SENTENCES = [
    "The lease is signed by the tenant. ",
    "Rent is due monthly, on the first day; late rent costs 5 % more. ",
    "Dr. Smith owns the house in Paris, France.\n\n",
    "- first item of a list\n",
    "| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n\n",
    "雨が降る。 ",
    "Word " * 60 + ". ",
    "😀 ok! ",
    "\u00a0\ufeff\r\n",
]

texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8).map("".join)


@st.composite
def hit_lists(draw) -> Hits:
    question = draw(st.sampled_from(["who signs the lease", "rent of Bob", "", "zzz"]))
    hits = []
    for i, text in enumerate(draw(st.lists(texts, max_size=4))):
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=3))})
        leaves = list(itertools.pairwise(cuts))
        tree = flat(Document(f"d{i}", text, draw(st.sampled_from(["", "Lease"]))), leaves)
        for leaf, span in enumerate(leaves, start=1):
            if draw(st.booleans()):
                hits.append(Hit(tree, leaf, (span,), draw(st.sampled_from([0.0, 1.0, 2.5]))))
    return Hits(Query("q", question), tuple(draw(st.permutations(hits))))


def ranges(hits: Hits) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for hit in hits:
        found.setdefault(hit.doc, []).extend(hit.spans)
    return found


@settings(deadline=None, max_examples=150)
@given(hits=hit_lists(), budget=st.integers(0, 300), tokenizer=st.sampled_from(["chars", "words", "cl100k"]))
def test_the_rendered_context_never_exceeds_the_budget(hits: Hits, budget: int, tokenizer: str) -> None:
    out = Extract(budget=budget, tokenizer=tokenizer)(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget


@settings(deadline=None, max_examples=100)
@given(hits=hit_lists(), budget=st.integers(0, 200))
def test_what_is_kept_lies_in_the_input_in_source_order(hits: Hits, budget: int) -> None:
    out = Extract(budget=budget)(hits)
    given_ranges = ranges(hits)
    for doc, spans in ranges(out).items():
        assert spans == sorted(spans)
        assert all(a < b for a, b in spans)
        assert all(x[1] <= y[0] for x, y in itertools.pairwise(spans))
        assert all(any(s <= a and b <= e for s, e in given_ranges[doc]) for a, b in spans)


@settings(deadline=None, max_examples=60)
@given(hits=hit_lists(), budget=st.integers(0, 120))
def test_every_range_left_out_is_dropped_with_a_reason(hits: Hits, budget: int) -> None:
    out = Extract(budget=budget)(hits)
    whole = {(h.doc, i) for h in hits for s, e in h.spans for i in range(s, e) if not h.document.text[i].isspace()}
    kept = {(h.doc, i) for h in out for s, e in h.spans for i in range(s, e)}
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert whole <= kept | dropped
    assert all(d.reason and d.stage == "compressors/extract" for d in out.drops)


@settings(deadline=None, max_examples=60)
@given(hits=hit_lists(), budget=st.integers(1, 200), data=st.data())
def test_the_order_of_the_input_has_no_effect(hits: Hits, budget: int, data) -> None:
    other = replace(hits, items=tuple(data.draw(st.permutations(hits.items))))
    assert Extract(budget=budget)(hits) == Extract(budget=budget)(other)


def one(text: str, question: str, score: float = 1.0) -> Hits:
    return Hits(Query("q", question), (Hit(flat(Document("d", text), [(0, len(text))]), 1, ((0, len(text)),), score),))


TEXT = "The sky is blue. Rent is due monthly. Dogs bark at night. The tenant signs the lease. Cats sleep a lot."


def test_the_sentence_that_answers_is_kept_and_gaps_are_shown() -> None:
    out = Extract(budget=18)(one(TEXT, "Who signs the lease, and when is rent due?"))
    assert render(out) == "[1]\nRent is due monthly. … The tenant signs the lease."


def test_a_large_budget_keeps_everything() -> None:
    out = Extract(budget=1000)(one(TEXT, "lease"))
    assert out.items[0].spans == ((0, len(TEXT)),)
    assert out.drops == ()


def test_the_budget_of_the_query_goes_first() -> None:
    hits = one(TEXT, "lease")
    assert Extract(budget=1000)(replace(hits, query=replace(hits.query, budget=0))).items == ()
    assert len(Extract(budget=0)(replace(hits, query=replace(hits.query, budget=500)))) == 1


def test_budget_zero_drops_all_with_reasons() -> None:
    out = Extract(budget=0)(one(TEXT, "lease"))
    assert (out.items, out.tokens, len(out.drops)) == ((), 0, 1)


def test_a_table_row_keeps_its_header() -> None:
    text = "Prices follow.\n\n| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n| Eve | 900 |\n"
    out = Extract(budget=30, around=0.0)(one(text, "rent of Bob"))
    assert "| name | rent |\n|---|---|\n" in render(out)
    assert "| Bob | 700 |" in render(out)
    assert "Eve" not in render(out)


def test_a_sentence_said_twice_is_kept_once() -> None:
    text = "Rent is due monthly. "
    hits = Hits(
        Query("q", "rent"),
        tuple(Hit(flat(Document(d, text), [(0, len(text))]), 1, ((0, len(text)),), 1.0) for d in "ab"),
    )
    out = Extract()(hits)
    assert [h.doc for h in out] == ["a"]
    assert [(d.hit.doc, d.reason) for d in out.drops] == [("b", "said by another sentence")]
    assert len(Extract(distinct=False)(hits)) == 2


def test_a_sentence_longer_than_the_budget_is_cut_into_clauses() -> None:
    text = "The tenant pays the rent, " * 30 + "and leaves."
    out = Extract(budget=20)(one(text, "rent"))
    assert 0 < out.tokens <= 20
    assert all(text[e - 2 : e] == ", " or e == len(text) for _, e in out.items[0].spans)


def test_overlapping_hits_give_no_character_twice() -> None:
    tree = flat(Document("d", TEXT), [(0, 60), (40, len(TEXT))])
    hits = Hits(Query("q", "lease"), (Hit(tree, 1, ((0, 60),), 1.0), Hit(tree, 2, ((40, len(TEXT)),), 2.0)))
    spans = sorted(s for h in Extract()(hits) for s in h.spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert sum(e - s for s, e in spans) == len(TEXT)


@dataclass(frozen=True)
class Broken:
    """A scorer that gives what it should not."""

    bad: float = float("nan")
    extra: int = 0
    name: str = "broken"
    fingerprint: str = "broken"

    def score(self, query: str, texts) -> np.ndarray:
        return np.full(len(texts) + self.extra, self.bad, dtype=np.float32)


@pytest.mark.parametrize("scorer", [Broken(), Broken(bad=1.0, extra=1)])
def test_a_scorer_that_gives_nonsense_is_an_error(scorer: Broken) -> None:
    with pytest.raises(ModelError, match="compressors/extract: broken must give 5 finite scores"):
        Extract(scorer=scorer)(one(TEXT, "lease"))


def test_two_processes_with_other_hash_seeds_give_the_same_bytes() -> None:
    code = (
        "from compressors.extract import Extract;from rag.doctree import flat;from rag.types import *;"
        f"t={TEXT!r};"
        "h=[Hit(flat(Document(d,t+d),[(0,len(t)+1)]),1,((0,len(t)+1),),1.0) for d in 'cab'];"
        "o=Extract(budget=40)(Hits(Query('q','rent lease sky'),tuple(h)));print(o.spans(),o.tokens,o.drops and o.drops[0].reason)"
    )
    outs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outs) == 1
    assert outs.pop().strip()
