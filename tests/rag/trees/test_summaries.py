from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import leaf_texts, leaves, planted, shape, trees
from summary_models import Teller

from chunkers.structure import StructureChunker
from rag.indexing import index
from rag.models.calls import Calls, using
from rag.models.tokens import counter
from rag.notes import Note, note_text, noted, notes_of
from rag.trees.cascade import budget_of
from rag.trees.clusters import Clusters
from rag.trees.diff import difference
from rag.trees.summaries import Summaries
from rag.types import Document
from retrievers.bm25 import BM25

COUNT = counter("cl100k").count


def inner(tree):
    return [i for i, children in enumerate(tree.child_ids) if children]


@settings(max_examples=80, deadline=None)
@given(trees, st.integers(8, 60))
def test_every_note_is_a_slice_of_its_node_within_the_budget(tree, tokens):
    grown = Summaries(tokens=tokens)(tree)
    text = tree.document.text
    assert leaves(grown) == leaves(tree)
    assert set(grown.notes.get("summary", {})) == set(inner(grown))
    for i in inner(grown):
        for name in ("summary", "keywords"):
            for note in notes_of(grown, name, i):
                assert note.ok
                assert all(grown.start[i] <= a < b <= grown.end[i] for a, b in note.spans)
                assert note.text == text[slice(*note.spans[0])]
        spans = [span for note in notes_of(grown, "summary", i) for span in note.spans]
        assert spans == sorted(spans)
        assert COUNT(note_text(grown, "summary", i)) <= tokens


@settings(max_examples=60, deadline=None)
@given(leaf_texts, st.data())
def test_going_on_from_the_tree_before_gives_what_growing_anew_gives(rows, data):
    if not rows:
        return
    grow = Summaries(tokens=16)
    old = grow(Clusters(max_children=4)(planted(rows)))
    at = data.draw(st.integers(0, len(rows) - 1))
    edited = data.draw(st.sampled_from([[], [(rows[at][0], "Ship wall deep. ")], [rows[at], (0, "Harbour berth. ")]]))
    new = Clusters(max_children=4)(planted([*rows[:at], *edited, *rows[at + 1 :]]))
    assert grow.renew(new, old) == grow(new)


@pytest.mark.parametrize(
    ("depth", "height", "below", "budget"), [(1, 1, 0, 2), (1, 3, 8, 10), (2, 2, 8, 9), (3, 1, 1, 2), (1, 5, 1024, 26)]
)
def test_the_keyword_budget_is_the_published_formula(depth, height, below, budget):
    assert budget_of(depth, height, below) == budget


def test_what_stands_in_many_parts_is_a_key_phrase_of_the_whole():
    parts = [
        "Granite walls keep the storm out. ",
        "Granite walls were built by masons. ",
        "Masons cut granite walls by hand. ",
    ]
    tree = planted([(1, part * 1) for part in parts])
    assert "granite walls" in note_text(Summaries()(tree), "keywords", 0, ", ").lower()


def test_keywords_of_leaves_stay():
    tree = planted([(1, "Ship berth deep. "), (1, "Wall storm. ")])
    leaf = int(tree.leaf_ids[0])
    grown = Summaries()(noted(tree, "keywords", {leaf: [Note("ship")]}))
    assert note_text(grown, "keywords", leaf) == "ship"
    assert note_text(grown, "keywords", 0)


@pytest.mark.parametrize("text", ["", " \n\n ", "# Only\n\n## headings\n\n### here\n", "x" * 5000, "# One\n\nA text."])
def test_documents_with_little_to_say(text):
    tree = StructureChunker(size=16)(Document("d", text, media_type="text/markdown"))
    grown = Summaries()(tree)
    assert leaves(grown) == leaves(tree)
    assert bool(grown.notes.get("summary")) == bool(text.strip())


LONG = [
    (1 + i % 2, f"Part {i} tells of the berth {i} in the harbour. Ships of kind {i} lie there at night. " * 3)
    for i in range(12)
]


def test_a_model_is_asked_once_a_node_and_its_citations_are_ranges():
    tree, llm = planted(LONG), Teller()
    grown = Summaries(llm=llm, tokens=40)(tree)
    told = [n for i in inner(grown) for n in notes_of(grown, "summary", i) if n.by == llm.name]
    assert len(told) == len(llm.calls) > 5
    for note in told:
        assert note.ok
        cited = " ".join(tree.document.text[a:b] for a, b in note.spans)
        assert " ".join(note.text.split()) in " ".join(cited.split())


@pytest.mark.parametrize("habit", ["inventor", "liar", "babbler", "refused", "unavailable", "truncated"])
def test_a_model_that_cannot_be_used_gives_the_nodes_own_sentences_and_is_counted(habit):
    tree, llm = planted(LONG), Teller(habit)
    with using(Calls(retries=1, sleep=lambda seconds: None)) as calls:
        grown = Summaries(llm=llm, tokens=40)(tree)
    plain = Summaries(tokens=40)(tree)
    for name in ("summary", "keywords"):
        for i in inner(grown):
            said = [note._replace(by="") for note in notes_of(grown, name, i)]
            assert said == [note._replace(by="") for note in notes_of(plain, name, i)]
    assert calls.ledger.usage()["fallbacks"] == sum(
        any(n.by.startswith("trees/summaries") for n in notes_of(grown, "summary", i)) for i in inner(grown)
    ) - sum(COUNT(grown[i].text.strip()) <= 40 for i in inner(grown))


def test_with_a_third_of_the_calls_failing_every_node_has_a_summary_and_says_whose():
    tree, llm = planted(LONG), Teller("third")
    with using(Calls(retries=0)):
        grown = Summaries(llm=llm, tokens=40)(tree)
    by = Counter(notes_of(grown, "summary", i)[0].by for i in inner(grown))
    assert set(by) == {"trees/summaries", "rule/third"}
    assert sum(by.values()) == len(inner(grown))


def test_a_run_that_was_cut_off_goes_on_from_its_cache(tmp_path):
    tree = planted(LONG)
    first, second = Teller(), Teller()
    with using(Calls(cache=tmp_path / "r.sqlite")):
        whole = Summaries(llm=first, tokens=40)(tree)
    with using(Calls(cache=tmp_path / "r.sqlite")) as calls:
        again = Summaries(llm=second, tokens=40)(tree)
    assert again == whole
    assert second.calls == []
    assert calls.ledger.usage()["cached"] == len(first.calls)


def book(sections=100, paragraphs=10):
    words = ["harbour", "granite", "storm", "pilot", "berth", "anchor", "lantern", "customs", "ferry", "dredger"]
    out = []
    for i in range(sections):
        out.append(f"## Section {i}\n")
        for j in range(paragraphs):
            a, b, c = words[i % 10], words[j % 10], words[(i * j + 3) % 10]
            out.append(
                f"The {a} of day {i} met the {b} of year {j}. "
                + f"Nobody in ward {i * j} had seen a {c} so close to the {a} before. " * 6
                + "\n"
            )
    return "# Book\n\n" + "\n".join(out)


@pytest.mark.parametrize("refresh", ["eager", "lazy"])
def test_one_edited_sentence_of_a_thousand_leaves_costs_its_path(refresh):
    llm = Teller()
    text = book()
    growers = (Clusters(), Summaries(llm=llm, refresh=refresh, keywords=False))
    chunker, ranker = StructureChunker(size=80), BM25()
    store, report = index(chunker, growers, (ranker,), [Document("d", text, media_type="text/markdown")])
    assert report.leaves >= 1000
    old = store.corpus.tree(0)
    calls = len(llm.calls)
    at = text.index("The granite of day 41 met the pilot")
    edited = text[:at] + text[at:].replace("met the pilot", "greeted the pilot", 1)
    store, report = index(chunker, growers, (ranker,), [Document("d", edited, media_type="text/markdown")], base=store)
    new = store.corpus.tree(0)
    found = difference(old, new).counts()
    depth = shape(new)[1]
    assert report.new_leaves <= 2
    assert found["stale"] <= depth
    assert 0 < len(llm.calls) - calls <= depth or (refresh == "lazy" and len(llm.calls) == calls)
    assert set(new.notes["summary"]) == set(inner(new))


@pytest.mark.parametrize(("habit", "again"), [("inventor", False), ("truncated", False), ("unavailable", True)])
def test_an_answer_of_no_use_is_not_asked_for_again_but_a_model_that_was_away_is(habit, again):
    tree, llm = planted(LONG), Teller(habit)
    grow = Summaries(llm=llm, tokens=40)
    with using(Calls(retries=0)):
        grown = grow(tree)
        before = len(llm.calls)
        assert before > 5
        assert grow.renew(tree, grown).notes == grown.notes
    assert (len(llm.calls) > before) == again


@pytest.mark.parametrize("given_again", [True, False])
def test_what_was_left_stale_is_asked_about_once_refresh_is_eager(given_again):
    llm, text = Teller(), book(12, 8)
    chunker, ranker = StructureChunker(size=80), BM25()

    def grown(refresh, documents, base=None, delete=()):
        growers = (Clusters(), Summaries(llm=llm, refresh=refresh, keywords=False))
        before = len(llm.calls)
        store, report = index(chunker, growers, (ranker,), documents, base=base, delete=delete)
        return store, len(llm.calls) - before, report

    store, first, _ = grown("eager", [Document("d", text, media_type="text/markdown"), Document("e", "Short. " * 3)])
    assert first > 8
    at = text.index("The granite of day 11 met the pilot")
    edited = Document(
        "d", text[:at] + text[at:].replace("met the pilot", "greeted the pilot", 1), media_type="text/markdown"
    )
    store, lazy, report = grown("lazy", [edited], store)
    assert lazy == 0
    assert report.recut
    again = [edited] if given_again else []
    store, eager, _ = grown("eager", again, store)
    assert 0 < eager <= 5 < first
    tree = store.corpus.tree(store.corpus.ordinals["d"])
    assert all(notes_of(tree, "summary", i) for i in inner(tree))
    store, more, _ = grown("eager", again, store)
    assert more == 0
