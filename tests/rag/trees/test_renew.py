"""After an edit, what was said and computed of what did not change is used again."""

from __future__ import annotations

from typing import Any

import pytest
from counting_models import CountingEmbedder, FirstWords
from hypothesis import given, settings
from plants import leaf_texts, planted

from chunkers.structure import StructureChunker
from rag.indexing import index
from rag.notes import notes_of
from rag.store.parts import part_key
from rag.trees.context import Context
from rag.trees.diff import moved, same_leaves
from rag.trees.enrich import Enrich
from rag.trees.propositions import Propositions
from rag.types import Document
from retrievers.dense import Dense
from retrievers.notes import Notes

WORDS = "harbour granite storm pilot berth anchor lantern customs ferry dredger mooring quay".split()  # noqa: SIM905


def book(sections: int = 16, paragraphs: int = 8) -> str:
    out = ["# The harbour book\n"]
    for i in range(sections):
        out.append(f"## Section {i}\n")
        for j in range(paragraphs):
            a, b, c = WORDS[i % 12], WORDS[j % 12], WORDS[(i * j + 3) % 12]
            out.append(
                f"Ward {i}-{j} keeps the {a} beside the {b}, and nobody there has seen a {c} leave by night. " * 3
            )
            out.append("")
    return "\n".join(out)


TEXT = book()
EDITS = {
    "a sentence near the beginning": TEXT.replace("Ward 0-2 keeps", "Rain fell at noon. Ward 0-2 keeps", 1),
    "a word in the middle": TEXT.replace("Ward 14-3 keeps", "Ward 14-3 holds", 1),
    "a paragraph taken out": "\n".join(line for line in TEXT.split("\n") if not line.startswith("Ward 14-3 ")),
}


def update(growers: Any, retriever: Any, edited: str) -> tuple[Any, Any, Any]:
    """Store, report and embedded part after building TEXT and then the edited text."""
    args = (StructureChunker(size=60), growers, (retriever,))
    store, _ = index(*args, [Document("d", TEXT, media_type="text/markdown")])
    marks = [len(model.seen if hasattr(model, "seen") else model.asked) for model in models(growers, retriever)]
    again, report = index(*args, [Document("d", edited, media_type="text/markdown")], base=store)
    return again, report, marks


def models(growers: Any, retriever: Any) -> list[Any]:
    found = [getattr(one, "llm", None) for one in growers] + [getattr(retriever, "embedder", None)]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(
    "shape",
    [
        {"fields": ("context",), "form": "prefix"},
        {"fields": ("context",), "form": "vectors"},
    ],
    ids=["prefix", "vectors"],
)
def test_an_edit_embeds_the_leaves_it_touches_and_no_others(edit: str, shape: dict[str, Any]) -> None:
    embedder = CountingEmbedder(seen=[])
    dense = Dense(embedder=embedder, **shape)
    store, report, (before,) = update((Context(),), dense, EDITS[edit])
    assert report.leaves > 100
    assert report.new_leaves <= 2
    assert len(embedder.seen) - before <= 2 * (1 if shape.get("form") != "vectors" else 6)
    fresh, _ = index(
        StructureChunker(size=60),
        (Context(),),
        (dense,),
        [Document("d", EDITS[edit], media_type="text/markdown")],
    )
    for name in ("vectors", *(("note-leaves", "note-vectors") if shape.get("form") == "vectors" else ())):
        one, two = (s.part(part_key(dense)).load(name) for s in (store, fresh))
        assert one.tolist() == two.tolist()


@pytest.mark.parametrize("edit", EDITS)
def test_notes_of_leaves_that_stayed_keep_their_vectors(edit: str) -> None:
    embedder = CountingEmbedder(seen=[])
    notes = Notes(field="propositions", embedder=embedder)
    store, report, (before,) = update((Propositions(),), notes, EDITS[edit])
    tree = store.corpus.tree(0)
    of_leaf = max(len(notes_of(tree, "propositions", leaf)) for leaf in tree.leaf_ids.tolist())
    assert len(embedder.seen) - before <= report.new_leaves * of_leaf <= 2 * of_leaf
    fresh, _ = index(
        StructureChunker(size=60), (Propositions(),), (notes,), [Document("d", EDITS[edit], media_type="text/markdown")]
    )
    for name in ("note-leaf", "inner-vectors"):
        one, two = (s.part(part_key(notes)).load(name) for s in (store, fresh))
        assert one.tolist() == two.tolist()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("grower", [Enrich, Propositions])
def test_a_model_is_asked_about_changed_leaves_alone(grower: Any, edit: str) -> None:
    llm = FirstWords(asked=[])
    grow = grower(llm=llm, fields=("keywords",)) if grower is Enrich else grower(llm=llm, workers=1)
    field = "keywords" if grower is Enrich else "propositions"
    dense = Dense(embedder=CountingEmbedder(seen=[]))
    store, report, (before, _) = update((grow,), dense, EDITS[edit])
    assert before > 30
    assert len(llm.asked) - before <= max(report.new_leaves, 0) <= 2
    tree = store.corpus.tree(0)
    for leaf in tree.leaves():
        rows = notes_of(tree, field, leaf.index)
        assert rows
        assert all(note.by == llm.name and leaf.start <= a < b <= leaf.end for note in rows for a, b in note.spans)
        assert all(tree.document.text[slice(*note.spans[0])].startswith(note.text.split()[0]) for note in rows)


@settings(max_examples=60, deadline=None)
@given(leaf_texts, leaf_texts)
def test_the_same_leaf_has_the_same_text_below_the_same_headings(one: Any, other: Any) -> None:
    old, new = planted(one), planted(other)
    for leaf, twin in same_leaves(old, new).items():
        assert new[leaf].text == old[twin].text
        assert new[leaf].path == old[twin].path
        assert moved(old, "keywords", twin, 3) == ()
    assert same_leaves(new, new).keys() == set(new.leaf_ids.tolist())
