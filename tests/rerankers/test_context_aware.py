"""Context-aware: the stated sum, headings, documents, strange scores; nothing depends on scale or order."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import flat
from rag.lexical import terms
from rag.types import Document, Hit, Hits, Query
from rerankers.context_aware import ContextAware, document_mass, heading_match, spread

TREE = flat(Document("d", "abcdefgh" * 4), [(i * 4, i * 4 + 4) for i in range(8)])
OTHER = flat(Document("e", "stuvwxyz" * 4, "The lease of Vell"), [(i * 4, i * 4 + 4) for i in range(8)])
PLAIN = {"near": 0.0, "document": 0.0, "heading": 0.0}


def hit(leaf: int, score: float, tree: Any = TREE) -> Hit:
    return Hit(tree, leaf + 1, ((leaf * 4, leaf * 4 + 4),), score)


def ranked(step: ContextAware, *hits: Hit, question: str = "?") -> dict[tuple[str, int], float]:
    return {(h.doc, h.node - 1): h.score for h in step(Hits(Query("q", question), hits))}


def test_scores_add_up_as_stated() -> None:
    hits = (hit(0, 10), hit(1, 0), hit(5, 5), hit(1, 5, OTHER))
    assert ranked(ContextAware(**PLAIN), *hits) == {("d", 0): 1.0, ("d", 5): 0.5, ("e", 1): 0.5, ("d", 1): 0.0}
    near = ranked(ContextAware(**PLAIN | {"near": 0.5, "reach": 1.0}), *hits)
    assert near == pytest.approx(
        {
            ("d", 0): 1 + 0.5 * 0.5 * math.exp(-5),
            ("d", 1): 0.5 * (math.exp(-1) + 0.5 * math.exp(-4)),
            ("d", 5): 0.5 + 0.5 * math.exp(-5),
            ("e", 1): 0.5,
        },
        abs=1e-8,
    )
    assert ranked(ContextAware(**PLAIN | {"document": 0.3}), *hits)["d", 5] == pytest.approx(0.8)
    led = ranked(ContextAware(**PLAIN | {"heading": 1.0}), *hits, question="Who signs the lease?")
    assert led["e", 1] > led["d", 5] == 0.5


def test_a_passage_that_names_its_country_in_a_heading_alone_is_found() -> None:
    text = "# Rules\n\n## Norway\n\nThe fee is 40 crowns a day.\n\n## Chile\n\nThe fee is 90 pesos a day.\n"
    tree = StructureChunker(size=16, min_size=0)(Document("d", text, media_type="text/markdown"))
    hits = Hits(
        Query("q", "fee in Chile"),
        tuple(Hit(tree, leaf.index, ((leaf.start, leaf.end),), 1.0) for leaf in tree.leaves()),
    )
    assert "90 pesos" in ContextAware(k=1)(hits)[0].text


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.floats(-9, 9, allow_subnormal=False), st.booleans()),
        max_size=12,
        unique_by=lambda row: (row[0], row[2]),
    ),
    st.data(),
)
def test_neither_order_nor_scale_matters_and_every_drop_has_a_reason(rows: Any, data: Any) -> None:
    hits = tuple(hit(leaf, score, OTHER if other else TREE) for leaf, score, other in rows)
    step = ContextAware(k=data.draw(st.integers(1, 12)))
    query = Query("q", "lease of Vell")
    found = step(Hits(query, hits))
    assert found == step(Hits(query, tuple(data.draw(st.permutations(hits)))))
    moved = step(Hits(query, tuple(replace(h, score=h.score * 4 + 2) for h in hits)))
    assert [h.score for h in moved] == pytest.approx([h.score for h in found], abs=1e-6)
    assert len(found) == min(len(hits), step.k)
    assert len(found) + len(found.drops) == len(hits)
    assert all(drop.reason for drop in found.drops)
    assert all(h.why.startswith("own") or h.score >= 0 for h in found)


@given(st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, 3e300, -3e300]), min_size=1, max_size=8))
def test_scores_that_are_no_numbers_have_a_place(scores: list[float]) -> None:
    out = ContextAware()(Hits(Query("q", "x"), tuple(hit(i, s) for i, s in enumerate(scores))))
    assert len(out) == len(scores)
    assert all(math.isfinite(h.score) for h in out)


def test_with_nothing_around_it_a_ranking_stays() -> None:
    trees = [flat(Document(f"d{i}", "abcd"), [(0, 4)]) for i in range(5)]
    hits = tuple(Hit(tree, 1, ((0, 4),), float(i)) for i, tree in enumerate(trees))
    out = ContextAware()(Hits(Query("q", "?"), hits))
    assert [h.doc for h in out] == ["d4", "d3", "d2", "d1", "d0"]
    same = ContextAware()(Hits(Query("q", "?"), tuple(replace(h, score=1.0) for h in hits)))
    assert [h.doc for h in same] == ["d0", "d1", "d2", "d3", "d4"]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=15))
def test_the_sums_equal_plain_loops(rows: list[tuple[float, int, int]]) -> None:
    own = np.array([r[0] for r in rows])
    docs = np.unique([r[1] for r in rows], return_inverse=True)[1]
    places = np.array([r[2] for r in rows])
    slow = [
        sum(
            own[j] * math.exp(-abs(int(places[i]) - int(places[j])) / 2)
            for j in range(len(rows))
            if j != i and docs[i] == docs[j]
        )
        for i in range(len(rows))
    ]
    assert spread(own, docs, places, 2.0) == pytest.approx(slow)
    mass = document_mass(own, docs)
    assert len(mass) == docs.max() + 1
    assert float(mass.min()) == 0
    assert float(mass.max()) in (0, 1)


def test_a_word_that_stands_above_few_hits_weighs_more() -> None:
    above = [frozenset(terms(head)) for head in ("Lease: rent", "Lease", "The lease", "")]
    found = heading_match("rent of the lease", above)
    assert found[0] == 1.0
    assert 0 < found[1] == found[2] < 0.5
    assert found[3] == 0
    assert not heading_match("the of", above).any()


def test_a_hundred_candidates_cost_less_than_the_bound() -> None:
    leaves = [(i * 40, i * 40 + 40) for i in range(50)]
    trees = [
        flat(Document(f"d{i}", "The rent is due in May, says the lease. " * 50, f"Lease {i}"), leaves) for i in range(4)
    ]
    hits = Hits(
        Query("q", "when is the rent of lease 3 due"),
        tuple(Hit(tree, i * 2 + 1, (leaves[i * 2],), float(i % 7)) for tree in trees for i in range(25)),
    )
    step = ContextAware()
    step(hits)
    best = math.inf
    for _ in range(20):
        begin = time.process_time()
        step(hits)
        best = min(best, time.process_time() - begin)
    assert best < 0.002
