"""Merging: idempotent, covering, within its budget, and never beyond the tree."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import CODE, DocTree
from rag.models.tokens import counter
from rag.testing import example_queries, indexed
from rag.types import Document, Hit, Query
from rerankers.mmr import MMR
from retrievers.bm25 import BM25
from retrievers.merge import Merge, merge, widened

COUNT = counter("cl100k").count


def tree(shape: Any, name: str = "d") -> DocTree:
    """A tree from nested lists; an int is a leaf of so many words."""
    text: list[str] = []
    rows: list[list[int]] = []

    def add(part: Any, parent: int, level: int) -> None:
        index = len(rows)
        rows.append([sum(map(len, text)), 0, parent, CODE["text" if isinstance(part, int) else "section"], level])
        if isinstance(part, int):
            text.append("word " * part)
        else:
            for one in part:
                add(one, index, level + 1)
        rows[index][1] = sum(map(len, text))

    add(shape, -1, 0)
    table = np.array(rows)
    made = DocTree(
        Document(name, "".join(text)),
        table[:, 0],
        table[:, 1],
        table[:, 2],
        table[:, 3].astype(np.uint8),
        table[:, 4].astype(np.int16),
        np.zeros((len(rows), 2), np.int64),
        np.full(len(rows), -1, np.int32),
    )
    made.check()
    return made


def hit(one: DocTree, node: int, score: float) -> Hit:
    return Hit(one, node, ((int(one.start[node]), int(one.end[node])),), score, {"x": score})


SHAPES = st.recursive(st.integers(1, 30), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=14).filter(
    lambda shape: isinstance(shape, list)
)


@settings(max_examples=150)
@given(data=st.data())
def test_merging_covers_what_it_merges_and_merging_again_changes_nothing(data: Any) -> None:
    trees = [tree(shape, f"d{i}") for i, shape in enumerate(data.draw(st.lists(SHAPES, min_size=1, max_size=2)))]
    found = [
        hit(one, node, data.draw(st.integers(-5, 5)) / 2)
        for one in trees
        for node in one.leaf_ids.tolist()
        if data.draw(st.booleans())
    ]
    how = {
        "rule": data.draw(st.sampled_from(["ratio", "adaptive"])),
        "ratio": data.draw(st.sampled_from([0.3, 0.5, 1.0])),
        "gaps": data.draw(st.booleans()),
        "sections": data.draw(st.sampled_from([0, 20, 60, 500])),
        "budget": data.draw(st.sampled_from([None, 0, 10, 60, 300])),
    }
    once = merge(found, **how)
    again = merge(once, **how)
    assert [(h.key, h.spans) for h in again] == [(h.key, h.spans) for h in once]
    assert [h.score for h in again] == [h.score for h in once]
    assert merge(found[::-1], **how) == once
    for a, b in itertools.permutations(once, 2):
        assert not (a.doc == b.doc and b.start <= a.start and a.end <= b.end)
    if how["budget"] is not None:
        assert sum(COUNT(h.text) for h in once) <= how["budget"]
    else:
        for h in found:
            assert any(o.doc == h.doc and o.start <= h.start and h.end <= o.end for o in once)
        assert max((h.score for h in once), default=0) >= max((h.score for h in found), default=0)
    assert all(COUNT(h.text) <= how["sections"] for h in once if h.view.children)


def test_a_section_stands_for_its_children_from_the_ratio_on() -> None:
    one = tree([[5, 5, 5, 5], 5])
    assert [h.node for h in merge([hit(one, 2, 2.0), hit(one, 4, 1.0)], gaps=False, sections=50)] == [1]
    assert len(merge([hit(one, 2, 2.0), hit(one, 4, 1.0)], ratio=0.6, gaps=False, sections=50)) == 2
    assert [h.node for h in merge([hit(one, 2, 2.0)], sections=50)] == [2], "one child alone is never merged"


def test_a_weak_sibling_does_not_sink_the_section() -> None:
    one = tree([[5, 5], 5, 5])
    found = merge([hit(one, 2, 10.0), hit(one, 3, 0.0), hit(one, 4, 9.0)], ratio=0.9, sections=50)
    assert [h.node for h in found][:1] == [1]
    assert found[0].score >= 10.0
    assert found[0].scores["x"] == 10.0


def test_a_gap_of_one_is_filled_with_the_lower_score() -> None:
    one = tree([5, 5, 5, 5, 5, 5, 5])
    found = merge([hit(one, 1, 3.0), hit(one, 3, 1.0), hit(one, 6, 0.5)], ratio=1.0, sections=20)
    assert {h.node: h.score for h in found} == {1: 3.0, 2: 1.0, 3: 1.0, 6: 0.5}
    assert next(h for h in found if h.node == 2).why == "fills a gap"


def test_the_adaptive_bar_rises_as_the_budget_fills() -> None:
    one = tree([[10, 10, 10, 10, 10], 60])
    held = [hit(one, 2, 3.0), hit(one, 3, 2.0)]  # two fifths of the section
    assert len(merge(held, rule="adaptive", gaps=False, sections=90, budget=1000)) == 1
    assert len(merge([*held, hit(one, 7, 5.0)], rule="adaptive", gaps=False, sections=90, budget=113)) == 3


def test_cut_hits_pass_unchanged() -> None:
    one = tree([5, 5, 5])
    cut = Hit(one, 1, ((0, 4),), 2.0)
    assert cut in merge([cut, hit(one, 2, 1.0), hit(one, 3, 1.0)], ratio=1.0, sections=50)


def test_it_merges_what_rerankers_ranked() -> None:
    chunker = StructureChunker(size=16, min_size=0)
    text = (
        "# A\n\n" + "\n\n".join(f"The oak number {i} stands here by the river." for i in range(4)) + "\n\n# B\n\nElm.\n"
    )
    docs = [Document("d", text, media_type="text/markdown")]
    plain = indexed(chunker, Merge(inner=BM25()), docs)(Query("q", "oak"))
    assert [h.view.title for h in plain] == ["A"]
    ranked = indexed(chunker, Merge(inner=BM25(), rerankers=(MMR(k=1),)), docs)(Query("q", "oak"))
    assert len(ranked) == 1
    assert not ranked[0].view.children
    assert ranked.notes["retrievers/merge"] == {"found": 1, "sections": 0, "hits": 1}


@pytest.mark.parametrize("query", example_queries(), ids=lambda q: q.id)
def test_budget_zero_gives_nothing(query: Query) -> None:
    made = indexed(StructureChunker(size=32), Merge(inner=BM25(), budget=0))
    assert made.budgeted
    assert not [h for h in made(query) if query.budget is None]


def test_leaves_beside_the_first_hits_are_taken_below_them() -> None:
    one = tree([5, 5, 5, [5, 5]])
    found = widened([hit(one, 2, 4.0), hit(one, 6, 2.0)], 1, 0.5)
    assert {h.node: h.score for h in found} == {2: 4.0, 1: 3.0, 3: 3.0, 6: 2.0}
    assert widened([], 3, 0.5) == ()
    again = widened([hit(one, 2, 4.0), hit(one, 3, 1.0)], 2, 0.5)
    assert {h.node: h.score for h in again} == {2: 4.0, 1: 2.5, 3: 2.5, 5: -0.5}
    assert [h.score for h in again] == sorted((h.score for h in again), reverse=True)
