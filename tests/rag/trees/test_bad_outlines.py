"""Documents with strange headings go through every stage on trees: nothing is lost, all that is said is a slice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.notes import notes_of
from rag.readers.mapreduce import MapReduceReader
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.trees.clusters import Clusters
from rag.trees.mapreduce import MapReduce
from rag.trees.summaries import Summaries
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.headings import HeadingsRetriever
from retrievers.location import LocationRetriever
from retrievers.merge import Merge
from retrievers.tree import TreeRetriever

BODY = "The lamp of the harbour is lit at dusk. Oil is brought by the ferry in March. "
TEXTS = {
    "no heading": BODY * 40,
    "only headings": "".join(f"# Heading {i}\n\n" for i in range(50)),
    "one heading": f"# The harbour\n\n{BODY * 20}",
    "a heading at the end": f"{BODY * 20}\n\n# The harbour",
    "contradictory numbering": "".join(
        f"{'#' * level} {number} Harbour {i}\n\n{BODY * 3}\n\n"
        for i, (level, number) in enumerate(
            [
                (2, "1.2.5"),
                (1, "3"),
                (1, "2"),
                (3, "2"),
                (1, "1"),
                (2, "9.9"),
                (1, "1"),
                (2, "0"),
                (6, "-1"),
                (1, "iv)"),
            ]
        )
    ),
    "levels that jump": "".join(f"{'#' * (1 + 5 * (i % 2))} Harbour\n\n{BODY}\n\n" for i in range(12)),
    "the same heading again and again": f"# Harbour\n\n{BODY}\n\n" * 30,
    "a heading longer than a chunk": f"# {'harbour ' * 900}\n\n{BODY}",
}
QUESTIONS = (
    "When is the lamp of the harbour lit?",
    "Which sections mention the ferry?",
    "How many sections mention oil?",
    "What does section 2 say?",
    "Summarise the document.",
    "zeppelin quark",
)


@pytest.fixture(params=TEXTS, scope="module")
def tree(request: pytest.FixtureRequest) -> DocTree:
    grown = StructureChunker(size=64, min_size=0)(Document("d", TEXTS[request.param], media_type="text/markdown"))
    return Summaries(tokens=24)(Clusters(max_children=6, max_depth=5)(grown))


def test_the_leaves_still_tile_the_text_below_a_bounded_tree(tree: DocTree) -> None:
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == tree.document.text
    assert max(len(children) for children in tree.child_ids) <= 6
    assert max(len(leaf.ancestors) for leaf in tree.leaves()) <= 5


def test_no_summary_is_longer_than_its_source(tree: DocTree) -> None:
    for node in tree.notes.get("summary", {}):
        notes = notes_of(tree, "summary", node)
        assert sum(len(note.text) for note in notes) <= tree[node].end - tree[node].start
        for note in notes:
            assert all(tree.document.text[a:b] in tree[node].text for a, b in note.spans)


@pytest.mark.parametrize("question", QUESTIONS)
def test_map_reduce_says_slices_or_abstains(tree: DocTree, question: str) -> None:
    query = Query("q", question)
    made = MapReduce()(query, tree)
    assert all(tree.document.text[e.span.start : e.span.end] == e.quote for e in made.evidence)
    if "zeppelin" in question:
        assert made.status == "none"
    store = in_memory([tree])
    search = BM25()
    search.build(store.corpus, store.part(part_key(search)))
    answer = MapReduceReader(scorer=None)(search.bind(store)(query))
    assert answer.status in ("answered", "abstained")
    assert all(tree.document.text[c.start : c.end] == c.quote for c in answer.citations)


@pytest.mark.parametrize(
    "search",
    [
        TreeRetriever(inner=BM25()),
        TreeRetriever(inner=BM25(), strategy="beam", sections=200, bundle=2, documents=1),
        Merge(inner=BM25(), around=3),
        LocationRetriever(inner=BM25()),
        HeadingsRetriever(inner=BM25()),
    ],
    ids=["collapsed", "beam", "merge", "location", "headings"],
)
def test_every_search_gives_places_that_are_there_and_do_not_nest(tree: DocTree, search: Any) -> None:
    store = in_memory([tree])
    inner = search.inner
    for one in (inner, search):
        one.build(store.corpus, store.part(part_key(one)))
    ready = search.bind(store)
    for question in QUESTIONS:
        hits = ready(Query("q", question))
        ranges = sorted(span for hit in hits for span in hit.spans)
        assert all(0 <= a < b <= len(tree.document.text) for a, b in ranges)
        if not isinstance(search, HeadingsRetriever):  # which gives headings as a list, and the passages below them
            assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
