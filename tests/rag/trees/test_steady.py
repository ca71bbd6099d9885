"""After an edit, chunks whose text is the same are the same chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaf_texts, leaves, planted, shape

from chunkers.structure import StructureChunker
from rag.indexing import index
from rag.models.tokens import counter
from rag.trees.clusters import Clusters
from rag.trees.diff import difference
from rag.trees.shared import unchanged
from rag.trees.steady import Steady
from rag.types import Document
from retrievers.bm25 import BM25

COUNT = counter("cl100k").count
PROSE = " ".join(
    f"Ward {i} keeps its lantern lit{' and its gate shut' * (i * i % 5)} while the ferry waits." for i in range(600)
)
MARKDOWN = "\n\n".join(
    f"## Part {i}\n\n" + " ".join(f"Berth {i}-{j} is let to the pilot of ship {j * i % 9}." for j in range(20))
    + ("\n\n| a | b |\n| - | - |\n" + "| ship | berth |\n" * 60 if i % 4 == 0 else "")
    for i in range(12)
)  # fmt: skip


def cut(text: str, *, size: int = 60) -> Any:
    return StructureChunker(size=size)(Document("d", text, media_type="text/markdown"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab\n", max_size=6), max_size=8), st.lists(st.text("ab\n", max_size=6), max_size=8))
def test_unchanged_ranges_are_equal_ascending_and_disjoint(one: list[str], other: list[str]) -> None:
    old, new = "".join(one), "".join(other)
    reached = (0, 0)
    for a, b, n in unchanged(old, new):
        assert n > 0
        assert old[a : a + n] == new[b : b + n]
        assert a >= reached[0]
        assert b >= reached[1]
        reached = (a + n, b + n)
    if old == new and old:
        assert reached == (len(old), len(new))


edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 200), st.sampled_from(["", "Rain fell. ", "\n\n# New\n\nText. ", "x" * 900, "```\n"])),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([PROSE[:5000], MARKDOWN[:5000], "", "One line."]), edits)
def test_whatever_the_edit_the_tree_is_sound_and_no_chunk_is_larger(text: str, changes: list[Any]) -> None:
    new = text
    for place, cut_out, put_in in changes:
        at = int(place * len(new))
        new = new[:at] + put_in + new[at + cut_out :]
    old, fresh = cut(text), cut(new)
    made = Steady().renew(fresh, old)
    made.check()
    assert made.document == fresh.document
    most = max((leaf.tokens for tree in (old, fresh) for leaf in tree.leaves()), default=0)
    assert max((leaf.tokens for leaf in made.leaves()), default=0) <= most
    assert all(leaf.tokens == COUNT(leaf.text) for leaf in made.leaves() if not leaf.repeats)
    assert [n.title for n in made if n.kind == "section"] == [n.title for n in fresh if n.kind == "section"]
    assert {i: tuple(r) for i, r in zip(range(99), made.repeats.values())} == dict(enumerate(fresh.repeats.values()))  # noqa: B905
    assert Steady().renew(fresh, made).digest() == made.digest()


@settings(max_examples=60, deadline=None)
@given(leaf_texts, leaf_texts)
def test_any_two_trees_give_a_sound_one(one: Any, other: Any) -> None:
    old, new = planted(one), planted(other)
    made = Steady().renew(new, old)
    made.check()
    assert Steady()(new) is new
    assert leaves(Steady().renew(new, new)) == leaves(new)


@pytest.mark.parametrize("where", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("text", [PROSE, MARKDOWN], ids=["prose", "markdown"])
def test_one_more_sentence_makes_one_chunk_new_or_two(text: str, where: float) -> None:
    at = text.index("Berth " if text is MARKDOWN else "Ward ", int(where * len(text)))
    old, fresh = cut(text), cut(text[:at] + "Rain fell over the harbour at noon. " + text[at:])
    steady = difference(old, Steady().renew(fresh, old)).counts()
    assert 1 <= steady["added"] <= 2
    assert steady["added"] <= difference(old, fresh).counts()["added"]  # what the chunker alone would do


def test_an_edit_beside_a_table_leaves_the_table_and_far_chunks_as_they_are() -> None:
    table = "| a | b |\n| - | - |\n" + "".join(f"| ship {i} | berth {i * 7 % 5} |\n" for i in range(60))
    text = f"{PROSE[:6000]}\n\n{table}\n{PROSE[6000:12000]}\n"
    old = cut(text)
    assert any(leaf.repeats for leaf in old.leaves())
    for place in ("Ward 20 ", "Ward 70 ", "| ship 30 "):
        at = text.index(place)
        put_in = "| a new ship | berth 9 |\n" if place.startswith("|") else "Rain fell at noon. "
        fresh = cut(text[:at] + put_in + text[at:])
        made = Steady().renew(fresh, old)
        made.check()
        found = difference(old, made).counts()
        assert found["added"] <= (2 if put_in[0] == "R" else difference(old, fresh).counts()["added"])
        assert sum(bool(leaf.repeats) for leaf in made.leaves()) == sum(bool(leaf.repeats) for leaf in fresh.leaves())
        for leaf in made.leaves():
            assert all(made.document.text[a:b].startswith("| a |") for a, b in leaf.repeats[:1])


def test_two_far_edits_are_two_changes() -> None:
    new = PROSE.replace("Ward 100 keeps", "Ward 100 holds").replace("Ward 500 keeps", "Nobody in ward 500 keeps")
    old = cut(PROSE)
    by_lines = cut(PROSE.replace(". ", ".\n"))
    again = cut(new.replace(". ", ".\n"))
    assert difference(by_lines, Steady().renew(again, by_lines)).counts()["added"] <= 4
    made = Steady().renew(cut(new), old)
    made.check()


def test_trees_that_do_not_tile_or_were_counted_otherwise_stay_with_the_chunker() -> None:
    old, fresh = cut(PROSE), cut(PROSE + " More.")
    assert Steady().renew(fresh, replace(old, tokenizer="other")) is fresh
    assert Steady().renew(cut(""), old).leaves() == ()


def test_an_index_brought_up_to_date_embeds_one_leaf() -> None:
    args = (StructureChunker(size=60), (Steady(),), (BM25(),))
    store, _ = index(*args, [Document("d", PROSE)])
    at = PROSE.index("Ward 300 ")
    store, report = index(*args, [Document("d", PROSE[:at] + "Rain fell at noon. " + PROSE[at:])], base=store)
    assert report.new_leaves <= 2
    store, report = index(*args, [Document("d", PROSE)], base=store)
    assert report.new_leaves <= 2


@settings(max_examples=80, deadline=None)
@given(leaf_texts, st.integers(2, 5), st.data())
def test_groups_that_stay_keep_leaves_order_and_limits(rows: Any, most: int, data: Any) -> None:
    grow = Clusters(max_children=most, max_depth=6, steady=True)
    at = data.draw(st.integers(0, len(rows)))
    put_in = data.draw(leaf_texts.filter(lambda some: len(some) < 9))
    cut_out = data.draw(st.integers(0, 4))
    new = planted([*rows[:at], *put_in, *rows[at + cut_out :]])
    made = grow.renew(new, grow(planted(rows)))
    made.check()
    assert leaves(made) == leaves(new)
    assert [n.title for n in made if n.title] == [n.title for n in grow(new) if n.title]
    fresh, found = shape(grow(new)), shape(made)
    assert found[1] <= 6
    assert found[0] <= max(most, fresh[0])
    assert grow.renew(new, made) == made
    assert Clusters(max_children=most).renew(new, made) == Clusters(max_children=most)(new)


def test_with_groups_that_stay_an_edit_makes_its_own_path_stale() -> None:
    grow = Clusters(steady=True)
    rows = [(0, f"Part {i // 7} speaks of thing{i // 7} and of matter{i * i % 31}. ") for i in range(400)]
    tree = grow(planted(rows))
    for at in (0, 31, 200, 399):
        changed = grow.renew(planted([*rows[:at], (0, rows[at][1] + "More of it. "), *rows[at + 1 :]]), tree)
        found = difference(tree, changed).counts()
        assert found["added"] == found["removed"] == 1
        assert found["stale"] <= shape(changed)[1]
