"""Leaves embedded from what they stand in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from rag.doctree import flat
from rag.errors import ConfigError
from rag.indexing import index
from rag.models.embed import HashEmbedder
from rag.models.onnx import OnnxEmbedder
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.testing import check_stage, example_documents, indexed
from rag.types import Document
from retrievers.dense import Dense
from retrievers.late import stretches

HASH = HashEmbedder(dim=64)
MANUAL = """# Boats

## Hull

The hull is steel. It is painted each spring. Rust is removed before.

## Sails

### Main

The main sail is white. It is sewn by hand.

### Fore

The fore sail is red. It tears in storms.
"""


def vectors(dense: Dense, trees) -> np.ndarray:
    store = in_memory(trees)
    part = store.part(part_key(dense))
    dense.build(store.corpus, part)
    return part.load("vectors")


@pytest.mark.parametrize("reads", ["section", "document"])
def test_it_keeps_the_contract_of_retrievers(reads) -> None:
    check_stage(indexed(StructureChunker(size=32), Dense(embedder=HASH, reads=reads)))


@pytest.mark.parametrize("size", [16, 40, 400])
def test_stretches_share_out_the_leaves_and_stay_within_the_room(size: int) -> None:
    for document in (*example_documents(), Document("manual", MANUAL, "Boat manual", "text/markdown")):
        if not document.text:
            continue
        tree = StructureChunker(size=16)(document)
        found = stretches(tree, "section", size, path=True)
        assert [i for one in found for i in range(one.low, one.high)] == list(range(len(tree.leaf_ids)))
        assert found[0].start == 0
        assert found[-1].end == len(document.text)
        assert all(a.end == b.start for a, b in pairwise(found))
        ((low, high, start, end, before),) = stretches(tree, "document", size, path=True)
        assert (low, high, start, end) == (0, len(tree.leaf_ids), 0, len(document.text))
        assert before.strip() == document.title or document.text.lstrip("# ").startswith(document.title)


def test_a_section_is_read_with_the_headings_above_it_once() -> None:
    tree = StructureChunker(size=16)(Document("m", MANUAL, "Manual", "text/markdown"))
    found = stretches(tree, "section", 30, path=True)
    told = {MANUAL[one.start : one.end].partition("\n")[0]: one.before for one in found}
    assert told["## Hull"] == "Manual\nBoats\n"
    assert told["## Sails"] == "Manual\nBoats\n"  # with both sails below it


@given(
    st.lists(st.sampled_from(["Rust. ", "The sail tears. ", "\n\n# Sea\n\n", "   ", "港は。"]), max_size=30).map(
        "".join
    )
)
@settings(max_examples=40, deadline=None)
def test_without_context_the_vector_is_the_mean_of_the_leafs_own_words(text: str) -> None:
    tree = SentenceChunker(size=16)(Document("d", text))
    found = vectors(Dense(embedder=HASH, reads="document", path=False), [tree])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    for leaf, row in zip(tree.leaves(), found, strict=True):
        parts = [part.rows for _, part in HASH.token_vectors([leaf.text])]
        total = np.concatenate(parts).sum(axis=0) if parts else np.zeros(64)
        wanted = total / np.linalg.norm(total) if total.any() else HASH.embed([leaf.text])[0]
        assert np.allclose(row, wanted, atol=1e-5)


def test_a_leaf_of_blanks_has_the_vector_of_its_text() -> None:
    tree = flat(Document("d", "   words"), [(0, 3), (3, 8)])
    found = vectors(Dense(embedder=HASH, reads="document"), [tree, flat(Document("e", "  "), [(0, 2)])])
    assert np.array_equal(found[0], HASH.embed(["   "])[0])
    assert np.array_equal(found[2], HASH.embed(["  "])[0])


class Noting:
    """A hash embedder that notes what it was given to read."""

    name, fingerprint, dim, max_tokens = "noting", "noting@1", 64, 40

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        return HASH.embed(texts)

    def token_vectors(self, texts: Sequence[str], *, before: Sequence[str] | None = None) -> Iterator[object]:
        self.seen += texts
        return HASH.token_vectors(texts, before=before)


def test_an_index_that_grew_equals_a_fresh_one_and_reads_only_what_changed() -> None:
    dense = Dense(embedder=Noting(), reads="section")
    boats = Document("boats", MANUAL, "Boats", media_type="text/markdown")
    other = Document("cars", "# Cars\n\nWheels turn. Doors close.\n", "Cars", media_type="text/markdown")
    changed = replace(boats, text=MANUAL.replace("red", "blue"))
    cut = StructureChunker(size=16)
    held, _ = index(cut, (), (dense,), [boats, other])
    dense.embedder.seen.clear()
    grown, _ = index(cut, (), (dense,), [changed], base=held)
    assert len(dense.embedder.seen) == 1  # the section with the word
    assert "blue" in dense.embedder.seen[0]
    fresh, _ = index(cut, (), (dense,), [changed, other])
    for name in ("vectors", "read-with"):
        rows = [one.part(part_key(dense)).load(name) for one in (grown, fresh)]
        order = [
            np.lexsort((one.corpus.node, [one.corpus.doc_ids[d] for d in one.corpus.doc])) for one in (grown, fresh)
        ]
        assert np.array_equal(rows[0][order[0]], rows[1][order[1]])


def test_embedders_without_states_and_prefixed_notes_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="needs an embedder whose vector is the mean of its states, got pooling 'cls'"
    ):
        Dense(embedder=OnnxEmbedder(), reads="document")
    with pytest.raises(ConfigError, match="form: vectors, or reads: leaf"):
        Dense(embedder=HASH, reads="section", fields=("context",))
    Dense(embedder=HASH, reads="section", fields=("context",), form="vectors")


@pytest.mark.model
def test_a_pronoun_is_found_by_what_it_stands_for() -> None:
    text = "Berlin is the capital of Germany. " + "It has more than three million inhabitants."
    tree = flat(Document("d", text), [(0, 34), (34, len(text))])
    embedder = OnnxEmbedder(pooling="mean")
    asked = embedder.embed(["Berlin"], query=True)[0]
    alone = vectors(Dense(embedder=embedder, path=False), [tree])[1] @ asked
    late = vectors(Dense(embedder=embedder, path=False, reads="document"), [tree])[1] @ asked
    assert late > alone


@pytest.mark.model
def test_reading_whole_documents_costs_at_most_three_times_what_leaves_cost() -> None:
    text = "".join(
        f"The boat of berth {i} has a steel hull. It is painted each spring, and rust is removed. " for i in range(150)
    )
    trees = [StructureChunker()(Document("d", text))]
    embedder = OnnxEmbedder(pooling="mean", threads=1)
    embedder.embed(["opens the weights"])
    spent = {}
    for reads in ("leaf", "document"):
        began = time.process_time()
        vectors(Dense(embedder=embedder, reads=reads), trees)
        spent[reads] = time.process_time() - began
    assert spent["document"] < 3 * spent["leaf"]
