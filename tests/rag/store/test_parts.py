"""Part keys change with what shapes an index, and with nothing else."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from rag.doctree import flat
from rag.errors import RagError
from rag.models.embed import HashEmbedder
from rag.models.onnx import OnnxEmbedder
from rag.store.corpus import in_memory
from rag.store.parts import bound_to, part_key, store_of
from rag.types import Document
from retrievers.bm25 import BM25
from retrievers.dense import Dense

STORE = in_memory([flat(Document("d", "one two"), [(0, 7)])])


def test_a_setting_that_shapes_the_index_changes_the_key_and_others_do_not() -> None:
    assert part_key(BM25(k=5, stopwords="none")) == part_key(BM25())
    assert len({part_key(one) for one in (BM25(), BM25(k1=2), BM25(path=False), BM25(language="none"))}) == 4


def test_a_key_names_the_model_and_goes_by_its_fingerprint() -> None:
    small, large = Dense(embedder=HashEmbedder(dim=64)), Dense(embedder=HashEmbedder(dim=128))
    assert part_key(small).startswith("dense-hash-64-")
    assert part_key(small) != part_key(large)
    assert part_key(small) == part_key(replace(small, embedder=HashEmbedder(dim=64), k=3))


def test_a_key_is_letters_digits_and_dashes_and_stays_the_same_from_run_to_run() -> None:
    assert part_key(Dense(embedder=HashEmbedder())) == "dense-hash-512-5f9a0725922d"


@pytest.mark.model
def test_threads_of_a_model_do_not_change_the_key() -> None:
    assert part_key(Dense(embedder=OnnxEmbedder(threads=1))) == part_key(Dense(embedder=OnnxEmbedder(threads=2)))


def test_a_bound_copy_equals_the_retriever_and_pickles_unbound() -> None:
    bound = bound_to(BM25(k=3), STORE)
    assert bound == BM25(k=3)
    assert store_of(bound, "retrievers/bm25") is STORE
    with pytest.raises(RagError, match="retrievers/bm25: not bound to an index"):
        store_of(pickle.loads(pickle.dumps(bound)), "retrievers/bm25")
