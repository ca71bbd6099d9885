"""Leaves of the evidence tree under a budget: closed, exact, in order, and the same bytes for any order of the input."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compressor_cases import QUESTIONS, SENTENCES, Broken, Lengths, characters, hit_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from compressors.edu import Edu
from compressors.extract import Extract
from compressors.leaves import leaves
from compressors.regions import aggregate
from rag.doctree import flat
from rag.errors import ConfigError, ModelError
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

STEPS: list[Any] = [
    Edu(),
    Edu(grain="edu"),
    Edu(select="regions"),
    Edu(grain="edu", select="regions", scorer=Lengths()),
    Edu(scorer=Lengths(), copies=1, around=0.0),
]
steps = st.sampled_from(STEPS)
tokenizers = st.sampled_from(["chars", "words", "cl100k"])


def one(text: str, question: str, media: str = "text/plain") -> Hits:
    tree = StructureChunker(size=300, min_size=0)(Document("d", text, "", media))
    return Hits(Query("q", question), tuple(Hit(tree, n.index, ((n.start, n.end),), 1.0) for n in tree.leaves()))


@settings(deadline=None, max_examples=100)
@given(step=steps, hits=hit_lists(), budget=st.integers(0, 300), tokenizer=tokenizers)
def test_the_context_fits_lies_in_the_input_and_every_loss_has_a_reason(
    step: Any, hits: Hits, budget: int, tokenizer: str
) -> None:
    out = replace(step, budget=budget, tokenizer=tokenizer)(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    for hit in out:
        assert all(a < b for a, b in hit.spans)
        assert all(x[1] < y[0] for x, y in itertools.pairwise(hit.spans))
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert characters(out) <= characters(hits) <= characters(out) | dropped
    assert all(drop.reason and drop.stage == "compressors/edu" for drop in out.drops)


@settings(deadline=None, max_examples=50)
@given(step=steps, hits=hit_lists(), budget=st.integers(1, 200), data=st.data())
def test_the_order_of_the_input_has_no_effect(step: Any, hits: Hits, budget: int, data: st.DataObject) -> None:
    other = replace(hits, items=tuple(data.draw(st.permutations(hits.items))))
    assert replace(step, budget=budget)(hits) == replace(step, budget=budget)(other)


@settings(deadline=None, max_examples=40)
@given(hits=hit_lists(), budget=st.integers(1, 200), tokenizer=tokenizers)
def test_no_leaf_is_kept_without_what_it_needs(hits: Hits, budget: int, tokenizer: str) -> None:
    step = Edu(grain="edu", budget=budget, tokenizer=tokenizer)
    kept = characters(step(hits))
    ranked = sorted(hits.items, key=lambda hit: (-hit.score, hit.key, hit.spans))
    found = leaves(ranked, budget, counter(tokenizer), finer=True)

    def there(i: int) -> bool:
        unit = found.pool[i]
        hit = ranked[unit.hit]
        return any((hit.doc, at) in kept for at in range(unit.start, unit.end))

    for i, mine in enumerate(found.needs):
        assert not there(i) or all(there(k) for k in mine)
    for i, unit in enumerate(found.pool):
        if unit.needs is not None and there(i):
            assert all(
                (ranked[unit.hit].doc, at) in kept
                for at in range(*unit.needs)
                if not ranked[unit.hit].document.text[at].isspace()
            )


@settings(deadline=None, max_examples=60)
@given(hits=hit_lists(), budget=st.integers(1, 100), finer=st.booleans())
def test_leaves_tile_what_the_hits_hold(hits: Hits, budget: int, finer: bool) -> None:
    ranked = sorted(hits.items, key=lambda hit: (-hit.score, hit.key, hit.spans))
    found = leaves(ranked, budget, counter("words"), finer=finer)
    seen = [(ranked[u.hit].doc, i) for u in found.pool for i in range(u.start, u.end)]
    assert len(seen) == len(set(seen))
    text = {hit.doc: hit.document.text for hit in ranked}
    assert {(doc, i) for doc, i in seen if not text[doc][i].isspace()} == characters(hits)
    assert len(found.sentence) == len(found.paragraph) == len(found.pool)
    assert all(b - a in (0, 1) for a, b in itertools.pairwise(found.paragraph))


def test_a_subordinate_clause_comes_with_its_host_and_not_the_other_way_round() -> None:
    text = "The pilot boards the ship because the wall is low. Dogs bark."
    out = Edu(grain="edu", budget=100)(one(text, "why board"))
    assert render(out) == "[1]\n" + text
    tight = Edu(grain="edu", budget=12, around=0.0)(one(text, "Is the wall low?"))
    shown = render(tight)
    assert "because" not in shown or "The pilot boards the ship because" in shown
    host = Edu(grain="edu", budget=12, around=0.0, tokenizer="words")(one(text, "Who boards the ship?"))
    assert "The pilot boards the ship" in render(host)


def test_a_table_row_keeps_its_header() -> None:
    text = "Prices follow.\n\n| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n| Eve | 900 |\n"
    for step in (Edu(budget=27, around=0.0), Edu(budget=27, around=0.0, grain="edu", select="regions")):
        shown = render(step(one(text, "rent of Bob", "text/markdown")))
        assert "| Bob | 700 |" in shown
        assert "| name | rent |\n|---|---|" in shown
        assert "Eve" not in shown


def test_the_same_words_stand_as_often_as_allowed_and_no_more() -> None:
    trees = [flat(Document(d, "Rent is due monthly."), [(0, 20)]) for d in "abcd"]
    hits = Hits(Query("q", "rent"), tuple(Hit(tree, 1, ((0, 20),), 1.0) for tree in trees))
    for copies in (1, 2, 3):
        out = Edu(copies=copies)(hits)
        assert len(out) == copies
        assert {drop.reason for drop in out.drops} == {"said by others"}


def test_a_whole_region_is_taken_where_its_best_leaves_carry_it() -> None:
    good = "Rent is due monthly. The rent is 500. Rent rises yearly. "
    text = good + "Dogs bark.\n\n" + "Cats sleep. The rent of cats is nothing. Birds sing. Fish swim."
    out = Edu(budget=24, select="regions", around=0.0, focus=1.0, tokenizer="words")(one(text, "rent"))
    assert text[: len(good)].strip() in render(out)
    assert aggregate([0.1, 0.9, 0.5, 0.4]) == pytest.approx(0.6)
    assert aggregate([0.3]) == 0.3


def test_a_sentence_longer_than_the_budget_is_cut_never_inside_a_word() -> None:
    text = "The tenant pays the rent, " * 30 + "and leaves."
    out = Edu(budget=20)(one(text, "rent"))
    assert 0 < (out.tokens or 0) <= 20
    assert all(not text[e - 1].isalnum() or e == len(text) or not text[e].isalnum() for _, e in out.items[0].spans)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_scorer_that_gives_nonsense_is_an_error_that_names_stage_and_unit(extra: int) -> None:
    with pytest.raises(ModelError, match="compressors/edu: broken must give"):
        Edu(scorer=Broken(extra))(one("Rent is due. Dogs bark.", "rent"))
    with pytest.raises(ConfigError, match="compressors/edu: scorer: must be a scorer"):
        Edu(scorer="broken")  # type: ignore[arg-type]


def test_an_empty_input_or_budget_gives_nothing_and_says_why() -> None:
    hits = one("Rent is due. Dogs bark.", "rent")
    none = Edu(budget=0)(hits)
    assert (none.items, none.tokens) == ((), 0)
    assert {drop.reason for drop in none.drops} == {"not within 0 tokens"}
    assert Edu()(replace(hits, items=())).items == ()
    assert Edu(budget=1)(hits).items == ()
    assert Edu(budget=10**9)(hits).spans() == hits.spans()


def test_a_leaf_is_worth_its_own_score_its_hits_and_its_better_neighbours() -> None:
    hits = one("Rent is due monthly. Dogs bark. Cats sleep.", "rent due")
    found = leaves(hits.items, 100, counter("words"), finer=False)
    worth = Edu(around=0.5, prior=1.0).worth("rent due", hits.items, found)
    assert worth.tolist() == pytest.approx([2 / 2.5, 1.5 / 2.5, 1 / 2.5])
    assert isinstance(worth, np.ndarray)


def test_choosing_costs_little_beside_the_scorer() -> None:
    text = "".join(f"Sentence {n} of the report names the tenant and the rent of house {n}. " for n in range(200))
    cuts = range(0, len(text), len(text) // 20)
    tree = flat(Document("d", text), list(itertools.pairwise([*cuts[:20], len(text)])))
    hits = Hits(
        Query("q", "who pays the rent of house 7"),
        tuple(Hit(tree, k, ((int(tree.start[k]), int(tree.end[k])),), 1.0 / k) for k in range(1, 21)),
    )

    def seconds(step: Any) -> float:
        step(hits)
        times = []
        for _ in range(5):
            began = time.process_time()
            step(hits)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(Edu(scorer=Lengths(), budget=512)) < 3 * seconds(Extract(scorer=Lengths(), budget=512)) + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["chars", "words", "cl100k"])
def test_no_budget_is_ever_exceeded(tokenizer: str) -> None:
    rng = random.Random(7)
    for case in range(10_000):
        hits = []
        for d in range(rng.randint(1, 3)):
            text = "".join(rng.choices(SENTENCES, k=rng.randint(1, 6)))
            cuts = sorted({0, len(text), *(rng.randrange(len(text)) for _ in range(rng.randint(0, 3)))})
            tree = flat(Document(f"d{d}", text, rng.choice(["", "Lease"])), list(itertools.pairwise(cuts)))
            hits += [Hit(tree, k, (pair,), rng.random()) for k, pair in enumerate(itertools.pairwise(cuts), 1)]
        asked = Query("q", rng.choice(QUESTIONS), budget=rng.choice([0, 1, 5, 12, 40, 90, 400]))
        step = replace(STEPS[case % len(STEPS)], tokenizer=tokenizer, shorten=case % 3 == 0)
        out = step(Hits(asked, tuple(hits)))
        assert out.tokens == cost(out, counter(tokenizer)) <= (asked.budget or 0)
