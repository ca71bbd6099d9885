from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaves, planted

from rag.errors import RagError
from rag.notes import notes_of
from rag.trees.clusters import Clusters
from rag.trees.outline import Outline, entries
from rag.types import Document

TEXT = [
    (0, "Intro words. "),
    (0, "Chapter one begins. "),
    (0, "More of it. "),
    (0, "Part 1.1 begins. "),
    (0, "Chapter two. "),
]


def given_outline(rows, texts=TEXT):
    tree = planted(texts)
    doc = tree.document
    from dataclasses import replace

    return replace(tree, document=Document(doc.id, doc.text, metadata={"outline": rows}))


def at(words):
    return "".join(text for _, text in TEXT).index(words)


LEVELS = [
    {"title": "Chapter one", "level": 1, "start": at("Chapter one")},
    {"title": "Part 1.1", "level": 2, "start": at("Part 1.1")},
    {"title": "The second", "level": 1, "start": at("Chapter two")},
]
IDS = [
    {**{k: v for k, v in row.items() if k != "level"}, "id": i, "parent": up}
    for i, (row, up) in enumerate(zip(LEVELS, (None, 0, None), strict=True))
]


@pytest.mark.parametrize("rows", [LEVELS, IDS])
def test_leaves_hang_below_the_sections_that_were_given(rows):
    grown = Outline(repair=False)(given_outline(rows))
    grown.check()
    assert [leaf.path for leaf in grown.leaves()] == [
        (),
        ("Chapter one",),
        ("Chapter one",),
        ("Chapter one", "Part 1.1"),
        (),
    ]
    last = grown.leaves()[-1].parent
    assert notes_of(grown, "title", last.index)[0].text == "The second"
    assert last.level == 1


def test_a_file_gives_outlines_by_id(tmp_path):
    file = tmp_path / "outlines.json"
    file.write_text(json.dumps({"d": LEVELS}))
    assert len(Outline(file=file)(planted(TEXT))) == len(planted(TEXT)) + 3
    file.write_text("[1]")
    with pytest.raises(RagError, match="must be an object"):
        Outline(file=file)(planted(TEXT))
    with pytest.raises(RagError, match="cannot be read"):
        Outline(file=tmp_path / "none.json")(planted(TEXT))


WRONG = {
    "a circle": (
        [{"title": "a", "start": 0, "id": 1, "parent": 2}, {"title": "b", "start": 20, "id": 2, "parent": 1}],
        "in a circle",
    ),
    "itself": ([{"title": "a", "start": 0, "id": 1, "parent": 1}], "in a circle"),
    "an unknown id": ([{"title": "a", "start": 0, "id": 1, "parent": "x"}], "no entry has the id 'x'"),
    "an id twice": ([{"title": "a", "start": 0, "id": 1}, {"title": "b", "start": 20, "id": 1}], "must differ"),
    "offsets that fall": ([{"title": "a", "start": 30}, {"title": "b", "start": 3}], "must ascend"),
    "an offset outside": ([{"title": "a", "start": 10_000}], "must be 0 to"),
    "a negative offset": ([{"title": "a", "start": -1}], "must be 0 to"),
    "an offset of words": ([{"title": "a", "start": "here"}], "must be 0 to"),
    "level zero": ([{"title": "a", "start": 0, "level": 0}], "must be >= 1"),
    "no object": (["a"], "must be an object"),
    "no list": ({"a": 1}, "must be a list"),
}


@pytest.mark.parametrize(("rows", "message"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_outline_is_an_error_or_repaired_with_a_note(rows, message):
    tree = given_outline(rows)
    with pytest.raises(RagError, match=message):
        Outline(repair=False)(tree)
    grown = Outline()(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)
    assert any(message in note.text for note in notes_of(grown, "repairs", 0))


rows = st.lists(
    st.fixed_dictionaries(
        {"title": st.sampled_from(["", "Intro", "x"]), "start": st.integers(-2, 80) | st.none()},
        optional={"level": st.integers(-1, 5), "id": st.integers(0, 4), "parent": st.integers(0, 4)},
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_whatever_is_given_no_leaf_and_no_title_is_lost(given_rows):
    tree = given_outline(given_rows)
    grown = Outline()(tree)
    grown.check()
    assert leaves(grown) == leaves(tree)
    used, _ = entries(given_rows, len(tree.document.text))
    titled = [one.title for one in used if one.title]
    shown = [n.title for n in grown if n.title]
    told = [note.text for i in range(len(grown)) for name in ("title", "headings") for note in notes_of(grown, name, i)]
    assert sorted(titled) == sorted([*shown, *(t for t in told if t)])
    Clusters(max_children=2, max_depth=4)(grown).check()


def test_a_hundred_thousand_entries_and_long_chains_take_linear_time():
    chain = [{"title": "t", "start": i // 2000, "id": i, "parent": i - 1 if i else None} for i in range(100_000)]
    began = time.process_time()
    found, problems = entries(chain, 1000)
    assert len(found) == 100_000
    assert not problems
    assert time.process_time() - began < 5


def test_without_an_outline_nothing_changes():
    tree = planted(TEXT)
    assert Outline()(tree) is tree
