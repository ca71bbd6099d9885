"""Notes are searched one by one and give back the leaf they were made from."""

from __future__ import annotations

import pytest

from chunkers.structure import StructureChunker
from rag.models.embed import HashEmbedder
from rag.notes import Note, noted, notes_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.testing import check_stage, example_documents, example_queries
from rag.trees.propositions import Propositions
from rag.types import Document, Query
from retrievers.notes import Notes


def ready(retriever: Notes, trees: list) -> Notes:
    store = in_memory(trees)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    return retriever.bind(store)


TREES = [Propositions()(StructureChunker(size=32)(d)) for d in example_documents()]


@pytest.mark.parametrize("embedder", [None, HashEmbedder(dim=256)])
@pytest.mark.parametrize("spans", ["leaf", "note"])
def test_it_keeps_the_contract(embedder: HashEmbedder | None, spans: str) -> None:
    found = ready(Notes(embedder=embedder, spans=spans), TREES)
    check_stage(found)
    best = found(example_queries()[0])[0]
    assert "Ada Lind" in best.text
    assert best.view.kind != "root"
    assert best.why.startswith("propositions [")


def test_a_leaf_counts_once_with_its_best_note() -> None:
    tree = StructureChunker(size=64)(Document("a", "Ships come. " * 30 + "\n\n" + "Walls fall. " * 30))
    leaves = tree.leaf_ids.tolist()
    tree = noted(tree, "questions", {
        leaves[0]: [Note("who repairs the crane"), Note("where is the crane", ok=False), Note("where is the crane kept")],
        leaves[-1]: [Note("where is the wall", ((int(tree.start[leaves[-1]]), int(tree.start[leaves[-1]]) + 5),))],
    })  # fmt: skip
    asked = ready(Notes(field="questions"), [tree])
    hits = asked(Query("q", "where is the crane kept?"))
    assert [hit.node for hit in hits] == [leaves[0]]
    assert hits.notes["retrievers/notes"]["notes"] == 3  # the one that failed verification is not searched
    only = ready(Notes(field="questions", spans="note"), [tree])(Query("q", "the wall"))
    assert [hit.pieces for hit in only] == [(tree.document.text[only[0].start : only[0].start + 5],)]


def test_trees_without_notes_find_nothing() -> None:
    asked = ready(Notes(field="nothing"), TREES)
    assert not asked(example_queries()[0]).items


def test_every_document_maps_back_to_its_own_leaves() -> None:
    texts = [f"The {word} stands in the north. It was built by {word} masons; the {word} is old and tall." for word in
             ("abbey", "bridge", "castle", "dome")]  # fmt: skip
    trees = [Propositions()(StructureChunker(size=16)(Document(f"d{i}", t))) for i, t in enumerate(texts)]
    asked = ready(Notes(), trees)
    for i, word in enumerate(("abbey", "bridge", "castle", "dome")):
        hits = asked(Query("q", f"the {word}"))
        assert {hit.doc for hit in hits} == {f"d{i}"}
        assert all(notes_of(hit.tree, "propositions", hit.node) for hit in hits)
