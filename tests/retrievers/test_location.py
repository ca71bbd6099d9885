"""Words of place: read by rule, resolved in the document, never at the cost of what plain search finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.testing import indexed
from rag.types import Block, Document, Query
from retrievers.bm25 import BM25
from retrievers.location import LocationRetriever
from retrievers.pages import Page, pages_of
from retrievers.places import Place, Places, number_of, places
from retrievers.regions import regions

PAGES = [
    "893\n\nTHE HARBOUR\n\nAbstract\n\nA short text on depth.\n\n1 Introduction\n\nShips came early.\n\nThey left late.\n\f",
    "894\n\n2 Methods\n\nWe used a rope. We used a lamp.\n\nTable 1. Depths by berth\nA 9 m\nB 12 m\n\nAs Table 2 shows, it is deep.\n\f",
    "895\n\n3 Results\n\nNothing was found.\n\nFigure 2: The outer wall\n\nTable 2. Costs\nwall 9000\n\nThe end of it all.\n",
]
TEXT = "".join(PAGES)
STARTS = [sum(map(len, PAGES[:i])) for i in range(4)]
PAPER = Document("paper", TEXT, metadata={"pages": [[STARTS[i], STARTS[i + 1]] for i in range(3)]})
LEASE = """# Lease

## Article I Parties

First of all. The owner is Ada.

The tenant is Bob.

## Article II Rent

It is due monthly.

### 2.1 Late fee

Twenty euro.

### 2.2 Deposit

Two months.

## Article III End

Either may leave.

So it ends.
"""
DEED = Document("deed", LEASE, media_type="text/markdown")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is on page 3?", Places((Place("page", 3, "3"),))),
        ("What do pages 2 to 4 say?", Places(tuple(Place("page", n, str(n)) for n in (2, 3, 4)))),
        ("Who signs on the last page?", Places((Place("page", -1),))),
        ("What is on the second to last page?", Places((Place("page", -2),))),
        ("What does the penultimate slide show?", Places((Place("page", -2),))),
        ("Sum up the first section.", Places((Place("section", 1),))),
        ("last paragraph of chapter 2", Places((Place("paragraph", -1), Place("section", 2, "2")))),
        ("What is in the top right of page 1?", Places((Place("page", 1, "1"),), (0,), (2,))),
        ("What number is at the bottom-left corner of the page?", Places((), (2,), (0,))),
        ("the middle of page 896", Places((Place("page", 896, "896"),), (1,))),
        ("What does table 2 show?", Places((Place("table", 2, "2"),))),
        ("Explain Fig. 3.", Places((Place("figure", 3, "3"),))),
        ("What does clause 7.3 require?", Places((Place("section", 0, "7.3"),))),
        ("Summarise Article IV", Places((Place("section", 4, "iv"),))),
        ("What is in § 12?", Places((Place("section", 12, "12"),))),
        ("the third sentence of the second paragraph", Places((Place("sentence", 3), Place("paragraph", 2)))),
        ("What section is after the abstract?", Places((Place("section", 0, "", "abstract", 1),))),
        ('What does the section "Late fee" say?', Places((Place("section", 0, "", "late fee"),))),
        ("What is the date at the top of the document?", Places((Place("page", 1),), (0,))),
    ],
)
def test_words_of_place_are_read(question: str, expected: Places) -> None:
    assert places(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Who dredged the harbour?",
        "Which right does the tenant have?",
        "What is the bottom line for investors?",
        "Is the middle class growing?",
        "What part did Ada play?",
        "Where does the table stand in the house?",
        "How many people left the city?",
        "",
    ],
)
def test_plain_questions_name_no_place(question: str) -> None:
    assert not places(question)


@given(st.text(max_size=80))
def test_any_text_can_be_read_and_resolved(text: str) -> None:
    tree = StructureChunker(size=24)(PAPER)
    for start, end in regions(tree, places(text)):
        assert 0 <= start < end <= len(TEXT)


def test_numbers_come_as_digits_words_and_roman() -> None:
    assert [number_of(x) for x in ("7", "two", "iv", "xiv", "b", "7.3")] == [7, 2, 4, 14, 0, 0]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What is on page 2?", "We used a rope"),
        ("What is on page 895?", "Nothing was found"),
        ("What stands on the last page?", "Nothing was found"),
        ("What does table 2 show?", "Table 2. Costs"),
        ("What does Table 1 list?", "Depths by berth"),
        ("What is Figure 2?", "The outer wall"),
        ("What is at the top of page 1?", "THE HARBOUR"),
        ("What is at the bottom of page 3?", "The end of it all."),
    ],
)
def test_places_of_a_paged_text_are_found(question: str, found: str) -> None:
    tree = StructureChunker(size=24)(PAPER)
    ranges = regions(tree, places(question))
    assert found in "|".join(TEXT[a:b] for a, b in ranges)
    assert sum(b - a for a, b in ranges) < 0.6 * len(TEXT)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What does Article II say?", "It is due monthly."),
        ("What does clause 2.2 say?", "Two months."),
        ("What is the last paragraph of Article III?", "So it ends."),
        ("What is the second sentence of the first section?", "The owner is Ada."),
        ("What is in the last section?", "Either may leave."),
        ("Which section is after the section 2.1?", "Two months."),
        ('What does the section "Deposit" say?', "Two months."),
    ],
)
def test_sections_are_found_by_label_name_and_order(question: str, found: str) -> None:
    tree = StructureChunker(size=16, min_size=0)(DEED)
    text = "|".join(LEASE[a:b] for a, b in regions(tree, places(question)))
    assert found in text
    assert len(text) < len(LEASE) / 2


def test_boxes_decide_what_is_top_right() -> None:
    text = "left top\n\nright top\n\nbelow"
    blocks = (
        Block(0, 8, "text", page=1, box=(10, 10, 200, 40)),
        Block(10, 19, "text", page=1, box=(400, 10, 590, 40)),
        Block(21, 26, "text", page=1, box=(10, 700, 200, 740)),
    )
    tree = StructureChunker(size=16)(Document("d", text, blocks=blocks, metadata={"pages": [[0, 26, 600, 800]]}))
    assert regions(tree, places("What is in the top right corner of page 1?")) == [(10, 19)]
    assert regions(tree, places("What is at the bottom of page 1?")) == [(21, 26)]
    assert pages_of(tree).items == (Page(0, 26, 600.0, 800.0),)


def test_printed_page_numbers_are_understood_where_pages_agree() -> None:
    assert pages_of(StructureChunker()(PAPER)).offset == 892
    plain = Document("d", "one\ftwo\fthree")
    assert (len(pages_of(StructureChunker()(plain)).items), pages_of(StructureChunker()(plain)).offset) == (3, 0)


@pytest.mark.parametrize("pages", [[[0, 9999]], [[5, 1]], "x", [[0]], [], None, [[3, 7, "a", None]]])
def test_broken_page_tables_are_no_pages(pages: object) -> None:
    tree = StructureChunker()(Document("d", "one two", metadata={"pages": pages}))
    assert pages_of(tree).items == ()


def test_leaves_in_the_place_come_first_and_the_plain_ranking_behind() -> None:
    made = indexed(StructureChunker(size=16, min_size=0), LocationRetriever(inner=BM25()), [PAPER, DEED])
    hits = made(Query("q", "What does table 2 on page 3 say?"))
    assert hits[0].doc == "paper"
    assert hits[0].why == "in place"
    assert "Costs" in hits[0].text
    plain = made.inner(Query("q", "What does table 2 on page 3 say?"))
    assert {h.key for h in plain} <= {h.key for h in hits}


@pytest.mark.parametrize(
    ("question", "way"),
    [
        ("Who used a lamp?", "no place named"),
        ("What is on page 900?", "no document has that place"),
        ("What is in the ninth chapter?", "no document has that place"),
        ("What is on page 2 of chapter 99?", "no document has that place"),
    ],
)
def test_a_place_that_is_not_there_gives_the_plain_hits(question: str, way: str) -> None:
    made = indexed(StructureChunker(size=24), LocationRetriever(inner=BM25()), [PAPER])
    hits = made(Query("q", question))
    assert hits.notes["retrievers/location"] == {"way": way}
    assert [h.key for h in hits] == [h.key for h in made.inner(Query("q", question))]


@settings(max_examples=40)
@given(
    st.sampled_from(["first", "last", "third"]),
    st.sampled_from(["page", "section", "paragraph", "line", "item"]),
    st.integers(1, 5),
)
def test_what_plain_search_finds_at_the_top_is_kept_while_there_is_room(nth: str, noun: str, k: int) -> None:
    made = indexed(StructureChunker(size=24), LocationRetriever(inner=BM25(), k=100), [PAPER, DEED])
    query = Query("q", f"What does the {nth} {noun} say of the tenant and the rope?")
    assert {h.key for h in made.inner(query)} <= {h.key for h in made(query)}
    assert made(Query("q", query.text, scope=("deed",))).items
    assert {h.doc for h in made(Query("q", query.text, scope=("deed",)))} == {"deed"}
    assert k
