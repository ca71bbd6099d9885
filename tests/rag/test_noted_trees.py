"""Notes stand beside the text, with where they came from, and survive the index."""

from rag.doctree import flat
from rag.notes import Note, note_text, noted, notes_of
from rag.store.codec import pack_tree, unpack_tree
from rag.types import Document

TEXT = "Rent is due monthly. The tenant pays."


def test_notes_come_back_as_they_were_also_from_an_index():
    tree = flat(Document("d", TEXT), [(0, 21), (21, len(TEXT))])
    made = noted(tree, "keywords", {1: [Note("rent", ((0, 4),), "trees/keywords", True)], 2: []})
    again = unpack_tree(made.document, pack_tree(made))
    for one in (made, again):
        assert notes_of(one, "keywords", 1) == (Note("rent", ((0, 4),), "trees/keywords", True),)
        assert notes_of(one, "keywords", 2) == notes_of(one, "summary", 1) == ()
    assert made.digest() == again.digest()
    assert tree.notes == {}


def test_notes_that_failed_verification_are_not_read_out():
    tree = flat(Document("d", TEXT), [(0, len(TEXT))])
    made = noted(
        tree, "summary", {1: [Note("Rent is due.", ((0, 21),), "llm", True), Note("Rent is 5.", (), "llm", False)]}
    )
    assert note_text(made, "summary", 1) == "Rent is due."
