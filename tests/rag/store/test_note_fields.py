"""Fields of notes: counted apart, united and split again, and read out without what failed verification."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import flat
from rag.notes import Note, noted
from rag.store import fields
from rag.store.corpus import MemoryPart, in_memory
from rag.store.terms import Analyzer
from rag.types import Document

WORDS = st.lists(st.sampled_from(["oak", "elm", "ash", "fir", "yew"]), max_size=6).map(" ".join)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=6))
def test_united_counts_split_into_the_same_counts(rows):
    apart = [Analyzer().count([row[i] for row in rows]) for i in range(3)]
    part = MemoryPart()
    fields.save(part, fields.unite(apart))
    again = fields.split(fields.load(part))
    for before, after in zip(apart, again, strict=True):
        counts = {
            (term, leaf): n
            for i, term in enumerate(before.terms)
            for leaf, n in zip(
                before.text[before.indptr[i] : before.indptr[i + 1]].tolist(),
                before.count[before.indptr[i] : before.indptr[i + 1]].tolist(),
                strict=True,
            )
        }
        for i, term in enumerate(after.terms):
            mine = slice(after.indptr[i], after.indptr[i + 1])
            for leaf, n in zip(after.text[mine].tolist(), after.count[mine].tolist(), strict=True):
                assert counts.pop((term, leaf)) == n
        assert not counts
        np.testing.assert_array_equal(before.length, after.length)


def test_a_field_is_read_out_without_its_failed_notes_and_each_note_once():
    tree = flat(Document("d", "one two three", title="Trees"), [(0, 7), (7, 13)])
    tree = noted(tree, "context", {1: [Note("Of oaks.", (), "x", True), Note("Of 99 elms.", (), "x", False)]})
    tree = noted(tree, "gist", {1: [Note("Of oaks.", (), "x", None), Note("  ", (), "x", None)]})
    corpus = in_memory([tree]).corpus
    assert list(fields.field_texts(corpus, None, "context")) == ["Of oaks.", ""]
    assert list(fields.field_texts(corpus, None, "path")) == ["Trees", "Trees"]
    assert list(fields.field_texts(corpus, [1], "nothing")) == [""]
    assert list(fields.note_rows(corpus, [0, 1], ("context", "gist", "path"), 8)) == [
        (0, "Of oaks."),
        (0, "Trees"),
        (1, "Trees"),
    ]
    assert list(fields.note_rows(corpus, [0], ("context", "path"), 1)) == [(0, "Of oaks.")]


def test_a_prefix_stands_between_the_headings_and_the_text_and_keeps_its_cap():
    tree = flat(Document("d", "one two three", title="Trees"), [(0, 13)])
    tree = noted(tree, "context", {1: [Note("Of oaks.", (), "x", True), Note("many words " * 50, (), "x", True)]})
    corpus = in_memory([tree]).corpus
    texts = fields.prefixed(corpus, [0], ("context",), path=True, tokens=16)
    assert list(texts) == ["Trees\nOf oaks.\none two three"]
    assert list(fields.prefixed(corpus, [0], ("none",), path=False, tokens=16)) == ["one two three"]
