"""Routes by kind of question, headings as evidence, and tiers that say which search answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from chunkers.structure import StructureChunker
from rag.testing import indexed
from rag.types import Document, Query
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.headings import HeadingsRetriever, asks_for_headings
from retrievers.location import LocationRetriever
from retrievers.route import Route, kind_of_question
from retrievers.tiers import Tiers, covered

TEXT = """# Report

Opening words.

## Costs

Costs rose by nine percent.

### Labour

Wages grew.

### Energy

Gas grew.

## Outlook

The outlook is calm.
"""
REPORT = Document("report", TEXT, media_type="text/markdown")
CHUNKER = StructureChunker(size=16, min_size=0)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What are the main sections of the document?", "hierarchy"),
        ("How many chapters does the book contain?", "hierarchy"),
        ("Which subsections are there under Costs?", "hierarchy"),
        ("Show the table of contents.", "hierarchy"),
        ("What stands on page 3?", "location"),
        ("What does clause 7.3 say?", "location"),
        ("Who wrote the report?", "plain"),
        ("How many people have cats?", "plain"),
        ("", "plain"),
    ],
)
def test_kinds_of_questions(question: str, kind: str) -> None:
    assert kind_of_question(question) == kind
    assert asks_for_headings(question) == (kind == "hierarchy")


def test_headings_are_slices_of_the_source() -> None:
    made = indexed(CHUNKER, HeadingsRetriever(inner=BM25()), [REPORT])
    hit = made(Query("q", "What are the main sections of the report?", scope=("report",)))[0]
    assert hit.pieces == ("Costs", "Outlook")
    named = made(Query("q", 'What parts does the section "Costs" include?', scope=("report",)))[0]
    assert named.pieces == ("Labour", "Energy")


def test_a_document_without_headings_gives_passages_alone() -> None:
    made = indexed(CHUNKER, HeadingsRetriever(inner=BM25()), [Document("d", "Only sections of plain words. " * 9)])
    hits = made(Query("q", "What sections are in the document?"))
    assert hits.items
    assert hits.notes["retrievers/headings"] == {"outlines": 0}


def test_each_kind_of_question_goes_its_way_and_none_is_left_without_hits() -> None:
    route = Route(plain=BM25(), location=LocationRetriever(inner=BM25()), hierarchy=HeadingsRetriever(inner=BM25()))
    made = indexed(CHUNKER, route, [REPORT])
    ways = {
        "What are the main sections of the report?": "hierarchy",
        "What is the last paragraph about costs?": "location",
        "By how much did costs rise?": "plain",
    }
    for question, way in ways.items():
        hits = made(Query("q", question))
        assert hits.items
        assert hits.notes["retrievers/route"] == {"kind": way, "way": way}
    assert indexed(CHUNKER, Route(plain=BM25()), [REPORT])(Query("q", "costs on page 2")).notes["retrievers/route"] == {
        "kind": "location",
        "way": "plain",
    }


@dataclass(frozen=True)
class Fixed:
    """Gives every passage one score."""

    value: float

    @property
    def name(self) -> str:
        return "fixed"

    @property
    def fingerprint(self) -> str:
        return f"fixed@{self.value}"

    def score(self, query: str, texts: Sequence[str], /) -> Any:
        return np.full(len(texts), self.value, dtype=np.float32)


def tier(question: str, **settings: Any) -> tuple[str, bool]:
    made = indexed(CHUNKER, Tiers(**{"lexical": BM25(), "fused": None, **settings}), [REPORT])
    hits = made(Query("q", question))
    facts = hits.notes["retrievers/tiers"]
    assert all(hit.why.startswith(f"tier {facts['tier']}") for hit in hits)
    return facts["tier"], facts["sure"]


def test_the_cheapest_sure_tier_answers() -> None:
    assert tier("costs rose percent") == ("lexical", True)
    assert tier("costs rose zeppelin") == ("lexical", False)
    assert tier("costs rose zeppelin", fused=BM25(), lead=0.1) == ("fused", True)
    assert tier("costs rose zeppelin", fused=BM25(), lead=9.0) == ("fused", False)
    ranker = CrossEncoder(scorer=Fixed(1.0))
    assert tier("costs rose zeppelin", reranker=ranker) == ("reranker", True)
    assert tier("costs rose zeppelin", reranker=ranker, enough=2.0) == ("reranker", False)
    assert tier("costs rose zeppelin", reranker=ranker, enough=2.0, last=CrossEncoder(scorer=Fixed(0.0))) == (
        "last",
        True,
    )
    assert tier("costs rose percent", sure=2.0, likely=2.0) == ("lexical", False)


def test_nothing_found_is_never_sure() -> None:
    assert tier("zeppelin") == ("lexical", False)
    assert tier("") == ("lexical", False)
    assert tier("zeppelin", fused=BM25(), reranker=CrossEncoder(scorer=Fixed(1.0))) == ("reranker", False)


def test_covered_counts_each_word_once() -> None:
    made = indexed(CHUNKER, BM25(), [REPORT])
    hits = made(Query("q", "costs wages"))
    assert max(covered("costs wages", hits.items)) == 1.0
    assert covered("of the", hits.items) == [0.0] * len(hits)
