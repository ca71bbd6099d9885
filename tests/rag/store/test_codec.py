from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import CODE, DocTree, flat
from rag.errors import RagError, StoreError
from rag.store.codec import document_digest, leaf_keys, pack_document, pack_tree, unpack_document, unpack_tree
from rag.types import Block, Document

TEXT = st.text(st.characters(), max_size=60)  # lone surrogates included
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
BOX = st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 4)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(TEXT)
    blocks = ()
    if text:
        page, box = draw(st.integers(0, 3)), draw(BOX)
        blocks = (Block(0, len(text), "text", 1, (0, len(text)), page, box),) * draw(st.integers(0, 2))
    return Document(draw(TEXT), text, draw(TEXT), "text/html", blocks, draw(st.dictionaries(TEXT, JSON, max_size=3)))


@st.composite
def trees(draw: st.DrawFn) -> DocTree:
    document = draw(documents())
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(document.text) - 1)), max_size=5)) | {0, len(document.text)})
    spans = [(a, b) for a, b in itertools.pairwise(cuts) if a < b <= len(document.text)]
    tree = flat(document, spans, tokens=range(len(spans)), tokenizer="words")
    notes = draw(st.dictionaries(TEXT, st.dictionaries(st.integers(0, len(spans)), JSON, max_size=3), max_size=2))
    return replace(tree, notes=notes, repeats={1: ((0, 1), (0, 0))} if spans else {})


@given(document=documents())
def test_a_document_comes_back_as_it_went_in(document: Document) -> None:
    assert unpack_document(document.id, pack_document(document)) == document


@given(tree=trees())
def test_a_tree_comes_back_as_it_went_in(tree: DocTree) -> None:
    again = unpack_tree(tree.document, pack_tree(tree))
    assert again == tree
    for name in ("start", "end", "parent", "kind", "level", "titles", "tokens"):
        array = getattr(again, name)
        assert array.dtype == getattr(tree, name).dtype
        assert array.flags.aligned
        assert not array.flags.writeable


def test_tuples_become_lists_and_order_of_keys_does_not_matter() -> None:
    one = pack_document(Document("a", "text", metadata={"b": (1, 2), "a": 1}))
    two = pack_document(Document("b", "text", metadata={"a": 1, "b": [1, 2]}))
    assert one == two
    assert document_digest(one) == document_digest(two)
    assert unpack_document("a", one).metadata == {"a": 1, "b": [1, 2]}


@pytest.mark.parametrize("metadata", [{"k": object()}, {"k": float("inf")}, {1: "a", "b": 2}, {"k": b"bytes"}])
def test_what_is_no_json_is_refused_by_name(metadata: Any) -> None:
    with pytest.raises(RagError, match="document 'a': metadata must be JSON values"):
        pack_document(Document("a", "text", metadata=metadata))
    with pytest.raises(RagError, match="document 'a': notes of its tree must be JSON values"):
        pack_tree(replace(flat(Document("a", "text"), [(0, 4)]), notes={"n": {1: metadata}}))


def test_bytes_of_something_else_are_refused() -> None:
    document = Document("a", "text")
    for packed in (b"", b"RTT1", pack_tree(flat(document, [(0, 4)]))):
        with pytest.raises(StoreError, match="not a packed document"):
            unpack_document("a", packed)


def sectioned(title: str = "T", head: str = "Head", body: str = "some body") -> DocTree:
    text = f"{head}\n{body}"
    at = len(head)
    return DocTree(
        Document("a", text, title),
        start=np.array([0, 0, 0, at]),
        end=np.array([len(text), len(text), at, len(text)]),
        parent=np.array([-1, 0, 1, 1]),
        kind=np.array([CODE["root"], CODE["section"], CODE["heading"], CODE["text"]], dtype=np.uint8),
        level=np.array([0, 1, 1, 1], dtype=np.int16),
        titles=np.array([[0, 0], [0, at], [0, 0], [0, 0]]),
        tokens=np.full(4, -1, dtype=np.int32),
    )


def test_a_key_tells_leaves_apart_by_all_that_a_retriever_sees() -> None:
    tree = sectioned()
    seen = [
        leaf_keys(one)[-1].tobytes()
        for one in (
            tree,
            sectioned(title="U"),
            sectioned(head="Held"),
            sectioned(body="some bodies"),
            replace(tree, repeats={3: ((0, 2),)}),
            replace(tree, repeats={3: ((0, 3),)}),
            replace(tree, notes={"summary": {3: "short"}}),
            replace(tree, notes={"summary": {3: "long"}}),
        )
    ]
    assert len(set(seen)) == len(seen)
    assert leaf_keys(tree).shape == (2, 2)


def test_a_key_does_not_see_the_document_s_name_nor_what_stands_elsewhere() -> None:
    tree = sectioned()
    for other in (
        replace(tree, document=replace(tree.document, id="b", metadata={"k": 1})),
        replace(tree, notes={"summary": {0: "of the root"}}),
    ):
        assert leaf_keys(other).tolist() == leaf_keys(tree).tolist()


def test_keys_and_digests_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from rag.doctree import flat; from rag.store.codec import *; from rag.types import Document; import hashlib;"
        "t = flat(Document('a', 'some text', 'T', metadata={'x': 1, 'y': [2]}), [(0, 4), (4, 9)]);"
        "print(leaf_keys(t).tolist(), document_digest(pack_document(t.document)), hashlib.sha256(pack_tree(t)).hexdigest())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != b""
