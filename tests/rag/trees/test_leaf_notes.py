"""Growers of leaf notes: slices with their places, no leaf moved, the same bytes, linear, in any script."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import DocTree, flat
from rag.errors import ConfigError
from rag.notes import notes_of
from rag.store.codec import pack_tree, unpack_tree
from rag.testing import example_documents
from rag.trees.context import Context
from rag.trees.enrich import Enrich
from rag.trees.enrich_gist import Gist
from rag.trees.entities import Entities, entities
from rag.trees.keywords import Keywords
from rag.trees.kinds import DOCUMENTS, LEAVES, Kinds, kind_of_leaf
from rag.trees.questions import Questions, questions
from rag.types import Document

GROWERS = {
    "keywords": Keywords(),
    "entities": Entities(),
    "questions": Questions(),
    "context": Context(parts=("path", "lead", "names")),
    "gist": Gist(),
    "kind": Kinds(),
}
TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from(list(" .?#\n|-,1290$%ABcd是の。اבגม’“")), max_size=160
).map(lambda s: "# Vell\n\nVell is a harbour. It was dug in 1904 by Ada Lind.\n\n" + s)


def tree(text: str, size: int = 24) -> DocTree:
    return StructureChunker(size=size)(Document("d", text, "Harbours", "text/markdown"))


def shape(one: DocTree) -> list[tuple[int, int]]:
    return [(leaf.start, leaf.end) for leaf in one.leaves()]


@settings(max_examples=40)
@given(TEXT)
def test_notes_are_slices_with_their_places_and_no_leaf_moves(text):
    given_tree = tree(text)
    for field, grower in GROWERS.items():
        made = grower(given_tree)
        assert shape(made) == shape(given_tree)
        assert set(made.notes) == {field}
        assert grower(given_tree).digest() == made.digest()
        assert unpack_tree(made.document, pack_tree(made)).digest() == made.digest()
        for leaf in made.leaves():
            for note in notes_of(made, field, leaf.index):
                assert note.text.strip()
                assert note.by.startswith("trees/")
                assert all(0 <= a < b <= len(text) for a, b in note.spans)
                if field in ("keywords", "entities", "gist"):
                    assert all(leaf.start <= a < b <= leaf.end for a, b in note.spans)
                    assert text[slice(*note.spans[0])] == note.text
                if field == "context" and " › " not in note.text and note.text != "Harbours":
                    assert text[slice(*note.spans[0])] == note.text


@pytest.mark.parametrize("grower", [*GROWERS.values(), Enrich()], ids=[*GROWERS, "enrich"])
@pytest.mark.parametrize("text", ["", " \n\n", "...\n\n---\n\n!!!", "\ufeff", "1 2 3"])
def test_a_document_without_words_gets_no_notes_but_a_kind(grower, text):
    made = grower(StructureChunker()(Document("d", text)))
    assert {field for field, by_node in made.notes.items() if by_node} <= {"kind"}


@pytest.mark.parametrize("grower", [*GROWERS.values(), Enrich()], ids=[*GROWERS, "enrich"])
def test_a_documents_notes_depend_on_no_other_document(grower):
    trees = [StructureChunker(size=32)(one) for one in example_documents()]
    there, back = [grower(one) for one in trees], [grower(one) for one in reversed(trees)]
    assert [one.digest() for one in there] == [one.digest() for one in reversed(back)]


@pytest.mark.parametrize("grower", [*GROWERS.values(), Enrich()], ids=[*GROWERS, "enrich"])
def test_time_grows_with_the_leaves_and_not_faster(grower):
    def seconds(n: int) -> float:
        part = "The Pilot Office of Vell sells 12 maps in {}. A harbour is a basin for ships. "
        lines = [part.format(1900 + i % 99) for i in range(n)]
        ends, at = [], 0
        for line in lines:
            ends.append((at, at + len(line)))
            at += len(line)
        made = flat(Document("d", "".join(lines)), ends)
        gc.disable()  # its time grows with what other tests have left
        began = time.process_time()
        grower(made)
        spent = time.process_time() - began
        gc.enable()
        return spent

    seconds(50)
    few, many = (min(seconds(n) for _ in range(3)) for n in (400, 1600))
    assert many < 10 * max(few, 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("grower", GROWERS.values(), ids=list(GROWERS))
def test_a_hundred_thousand_leaves_take_under_two_minutes(grower):
    text = "".join(f"Clause {i} of Vell holds for ships. " for i in range(100_000))
    ends = [i + 2 for i, c in enumerate(text) if c == "."]
    made = flat(Document("d", text), list(zip([0, *ends[:-1]], ends, strict=True)))
    began = time.process_time()
    grower(made)
    assert time.process_time() - began < 120


def test_entities_have_kinds_and_a_sentence_does_not_open_with_a_name():
    text = "Ships wait. The harbour of Vell was dug on 4 March 1904 for $1.5 million by Ada Lind, see max_depth and RFC-2119."
    found = {(text[e.start : e.end], e.kind) for e in entities(text, 0, len(text))}
    assert found == {
        ("Vell", "name"),
        ("4 March 1904", "date"),
        ("$1.5 million", "amount"),
        ("Ada Lind", "name"),
        ("max_depth", "identifier"),
        ("RFC-2119", "identifier"),
    }
    with pytest.raises(ConfigError, match="kinds: must be of date"):
        Entities(kinds=("place",))


def test_right_to_left_text_gives_keywords_dates_and_no_false_names():
    text = "בית המשפט קבע ביום 04/03/2021 כי החוזה בטל. בית המשפט דחה את התביעה בסך $500."
    made = Entities()(Keywords()(tree(text, size=64)))
    assert {n.text for n in notes_of(made, "entities", 1)} == {"04/03/2021", "$500"}
    assert notes_of(made, "keywords", 1)


def test_questions_rest_on_the_sentence_that_answers_them():
    text = "A mole is a wall that keeps waves out. It is long. In 1911 a storm broke the wall. Who paid for it?"
    found = {asked.text: text[asked.start : asked.end] for asked in questions(text, 0, len(text))}
    assert found == {
        "What is a mole?": "A mole is a wall that keeps waves out.",
        "When did it happen that a storm broke the wall?": "In 1911 a storm broke the wall.",
        "Who paid for it?": "Who paid for it?",
    }


def test_a_heading_becomes_a_question():
    made = Questions()(tree("# Installing the server\n\nRun the script twice.\n"))
    assert notes_of(made, "questions", int(made.leaf_ids[0]))[0].text == "How do I install the server?"


def test_context_is_the_lead_for_leaves_without_it():
    text = "# Vell\n\nVell is a small harbour town. Its port is old.\n\n## Tides\n\nIt rises twice a day and falls as often again.\n"
    made = Context()(tree(text, size=16))
    said = {leaf.text: [n.text for n in notes_of(made, "context", leaf.index)] for leaf in made.leaves()}
    tides = next(v for k, v in said.items() if "rises" in k)
    assert "Vell is a small harbour town." in tides
    lead = next(v for k, v in said.items() if "small harbour" in k)
    assert "Vell is a small harbour town." not in lead


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("| a | b |\n| - | - |\n| 1 | 2 |\n", "table"),
        ("```python\nx = 1\n```\n", "code"),
        ("Warning: never open the lock gate.\n", "warning"),
        ("1. Install the pump.\n2. Open the valve.\n3. Start it.\n", "procedure"),
        ("A tide is the rise of the sea.\n", "concept"),
    ],
)
def test_kinds_of_leaves_come_from_a_closed_set(text, kind):
    made = Kinds()(tree(text, size=256))
    leaf = made.leaves()[0]
    assert kind_of_leaf(leaf) == kind
    assert kind in LEAVES
    assert notes_of(made, "kind", 0)[0].text in DOCUMENTS


def test_without_a_model_enrichment_is_what_the_rules_give():
    given_tree = tree(example_documents()[0].text)
    made = Enrich(fields=("keywords", "questions", "context"))(given_tree)
    for field in ("keywords", "questions"):
        assert made.notes[field] == GROWERS[field](given_tree).notes[field]
    assert made.notes["context"] == Context()(given_tree).notes["context"]
