"""The map-reduce reader: whole documents in, cited answers out, within its budget."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.models.tokens import counter
from rag.readers.mapreduce import MapReduceReader
from rag.readers.render import rendered
from rag.types import Answer, Document, Hit, Hits, Query

BOOK = """# Harbour book

## Spring

On March 4, 2031, the ferry Alma was painted by Ines Rook at Grey Pier. The crew sang.

## Summer

It was July 9, 2031. At Stone Quay the ferry Alma broke down. Olaf Borg mended it, and Borg was paid.

## Autumn

Apples were sold. The mayor slept at home. Nothing happened to any boat that season.

## Winter

On December 1, 2031, the ferry Alma sank near Black Rock.
"""


def tree(text: str = BOOK, doc: str = "book") -> DocTree:
    return StructureChunker(size=24, min_size=0)(Document(doc, text, media_type="text/markdown"))


def ask(question: str, *trees: DocTree, budget: int | None = None, **settings: object) -> Answer:
    made = trees or (tree(),)
    hits = [Hit(t, int(t.leaf_ids[0]), ((int(t.start[t.leaf_ids[0]]), int(t.end[t.leaf_ids[0]])),), 1.0) for t in made]
    answer = MapReduceReader(scorer=None, **settings)(Hits(Query("q", question, budget=budget), tuple(hits)))
    texts = {t.document.id: t.document.text for t in made}
    for one in answer.citations:
        assert texts[one.doc][one.start : one.end] == one.quote
    return answer


def test_a_list_joins_its_distinct_items_in_the_order_of_the_text_each_with_a_citation() -> None:
    answer = ask("On which dates did something happen to the ferry Alma?")
    assert answer.text == "March 4, 2031; July 9, 2031; December 1, 2031"
    assert len(answer.citations) == 3
    assert all(date in c.quote for date, c in zip(answer.text.split("; "), answer.citations, strict=True))


def test_chapters_are_named_by_their_headings_and_counted() -> None:
    assert ask("Which chapters mention the ferry Alma?").text == "Spring; Summer; Winter"
    assert ask("How many chapters mention the ferry Alma?").text == "3"


def test_people_and_places_are_told_apart() -> None:
    assert ask("List all the people who took care of the ferry Alma.").text.startswith("Ines Rook; Olaf Borg")
    assert "Grey Pier" in ask("List all the places where the ferry Alma was seen.").text


def test_only_retrieval_decides_which_documents_are_read_and_all_of_each_is() -> None:
    other = tree("# Log\n\nThe ferry Alma sailed on May 5, 2033.\n", "log")
    answer = ask("List all dates on which the ferry Alma was mentioned.", tree(), other)
    assert answer.text.endswith("May 5, 2033")
    assert {c.doc for c in answer.citations} == {"book", "log"}
    assert ask("Which documents mention Ines Rook?", tree(), other).text == "book"


def test_a_single_fact_is_answered_from_a_leaf_that_was_not_retrieved() -> None:
    answer = ask("Who mended the ferry?")
    assert answer.text == "Olaf Borg"
    assert answer.citations[0].quote == "Olaf Borg mended it, and Borg was paid."


def test_nothing_that_fits_is_an_abstention_with_its_reason() -> None:
    for question in ("Which chapters mention zebras?", "Who is the queen of Mongolia?", "List all people who saw Oz."):
        answer = ask(question)
        assert (answer.status, answer.text, answer.citations) == ("abstained", "", ())
        assert answer.notes["readers/mapreduce"]["abstained"]


def test_a_part_of_what_is_asked_for_is_no_answer() -> None:
    answer = ask("Which chapters mention Ines Rook at Stone Quay?")
    assert answer.status == "abstained"
    assert "a part" in answer.notes["readers/mapreduce"]["abstained"]


def test_summaries_and_comparisons_are_made_of_sentences_with_citations() -> None:
    answer = ask("Summarise the document.")
    assert answer.citations
    assert all(c.quote.split()[0] in answer.text for c in answer.citations)
    both = ask("Compare Ines Rook and Olaf Borg.")
    assert "Ines Rook" in both.text
    assert "Olaf Borg" in both.text


def test_documents_that_contradict_each_other_are_named() -> None:
    one, two = tree("The gate was painted by Ada Lind.\n", "a"), tree("The gate was painted by Olaf Borg.\n", "b")
    answer = ask("Who painted the gate?", one, two)
    told = answer.notes["readers/mapreduce"]["conflicts"]
    assert {row[0] for row in told} == {"Ada Lind", "Olaf Borg"}


@settings(max_examples=25)
@given(budget=st.integers(0, 160), asked=st.sampled_from(("List all dates of the ferry Alma.", "Summarise the book.")))
def test_context_and_citations_keep_to_the_budget(budget: int, asked: str) -> None:
    answer = ask(asked, budget=budget)
    assert answer.context is not None
    assert answer.context.tokens is not None
    assert answer.context.tokens == rendered(answer.context, counter("cl100k")).tokens <= budget
    shown = [span for hit in answer.context for span in hit.spans]
    assert all(any(a <= c.start and c.end <= b for a, b in shown) for c in answer.citations)
    left = answer.notes["readers/mapreduce"].get("over budget", 0)
    if answer.status == "answered" and "dates" in asked:
        assert len(answer.text.split("; ")) + left == 3


def test_an_empty_document_and_no_hits_are_abstentions() -> None:
    assert MapReduceReader(scorer=None)(Hits(Query("q", "Who?"))).status == "abstained"
    empty = tree("", "empty")
    hit = Hit(empty, 0, ((0, 0),), 1.0)
    assert MapReduceReader(scorer=None)(Hits(Query("q", "List all dates."), (hit,))).status == "abstained"
