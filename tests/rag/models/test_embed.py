from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError, ModelError
from rag.models.embed import Embedder, HashEmbedder, adapt_embedder, to_llama_index, unit
from rag.models.score import logits
from rag.registry import find


@given(texts=st.lists(st.text(max_size=60), max_size=8), dim=st.integers(8, 600))
def test_rows_have_length_one_and_depend_on_no_other_row(texts, dim):
    embedder = HashEmbedder(dim=dim)
    rows = embedder.embed(texts)
    assert rows.shape == (len(texts), dim)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for row, text in zip(rows, texts, strict=True):
        assert row.tobytes() == embedder.embed([text])[0].tobytes()


@pytest.mark.parametrize("seed", ["0", "1"])
def test_hashed_vectors_are_the_same_bytes_in_every_process(seed):
    code = (
        "import hashlib; from rag.models.embed import HashEmbedder; "
        "print(hashlib.sha256(HashEmbedder().embed(['The lease, Zürich 2024.', '']).tobytes()).hexdigest()[:16])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert out.stdout.strip() == "6469723412003024"


def test_a_question_is_nearest_to_the_text_that_shares_its_words():
    texts = [
        "The landlord signs the lease in the presence of two witnesses.",
        "Rain fell over the harbour for most of the afternoon.",
        "Photosynthesis turns light into chemical energy.",
    ]
    embedder = HashEmbedder()
    for query, best in [("who signed leases?", 0), ("did it rain at the harbor", 1), ("photosynthetic energy", 2)]:
        assert int(np.argmax(embedder.embed(texts) @ embedder.embed([query], query=True)[0])) == best


def test_it_is_an_embedder_found_by_its_path():
    assert find("embedders/hash") is HashEmbedder
    assert isinstance(HashEmbedder(), Embedder)
    assert HashEmbedder(dim=64).fingerprint != HashEmbedder(dim=65).fingerprint
    assert HashEmbedder().embed([]).shape == (0, 512)


def test_our_embedder_works_inside_llama_index():
    from llama_index.core.base.embeddings.base import BaseEmbedding

    inner = HashEmbedder(dim=32)
    model = to_llama_index(inner)
    assert isinstance(model, BaseEmbedding)
    texts = ["one lease", "two leases"]
    assert np.array_equal(np.asarray(model.get_text_embedding_batch(texts), dtype=np.float32), inner.embed(texts))
    assert np.array_equal(np.asarray(model.get_query_embedding("lease"), dtype=np.float32), inner.embed(["lease"])[0])


def test_a_llama_index_embedder_becomes_ours_with_rows_of_length_one():
    from llama_index.core.embeddings import MockEmbedding

    ours = adapt_embedder(MockEmbedding(embed_dim=4))
    assert isinstance(ours, Embedder)
    assert ours.dim == 4
    assert np.allclose(ours.embed(["a", "b"]), 0.5)
    assert np.allclose(ours.embed(["a"], query=True), 0.5)
    assert ours.embed([]).shape == (0, 4)
    assert ours.fingerprint != adapt_embedder(MockEmbedding(embed_dim=5)).fingerprint


def test_there_and_back_again_gives_the_same_vectors():
    inner = HashEmbedder(dim=48)
    back = adapt_embedder(to_llama_index(inner))
    texts = ["the lease", "", "Zürich"]
    assert np.allclose(back.embed(texts), inner.embed(texts), atol=1e-7)
    assert adapt_embedder(inner) is inner
    assert inner.fingerprint in back.fingerprint


def test_what_is_no_embedder_is_refused():
    with pytest.raises(ConfigError, match="not an embedder: str"):
        adapt_embedder("bge-small-en-v1.5")


@pytest.mark.parametrize("bad", [[[0.0, 0.0]], [[float("nan"), 1.0]], [[float("inf"), 1.0]]])
def test_a_vector_without_a_direction_is_a_model_error(bad):
    with pytest.raises(ModelError, match="m: vector 0 of 1 has length"):
        unit(np.asarray(bad, dtype=np.float32), 1, "m")
    with pytest.raises(ModelError, match=r"must give 2 vectors of one length, got shape \(1, 2\)"):
        unit(np.ones((1, 2), dtype=np.float32), 2, "m")


def test_a_score_that_is_no_number_is_a_model_error():
    assert logits(np.asarray([[1.0], [2.0]], dtype=np.float32), 2, "m").tolist() == [1.0, 2.0]
    with pytest.raises(ModelError, match="score 1 of 2 is nan"):
        logits(np.asarray([1.0, np.nan], dtype=np.float32), 2, "m")
    with pytest.raises(ModelError, match=r"one score for each of 2 texts, got shape \(2, 2\)"):
        logits(np.ones((2, 2), dtype=np.float32), 2, "m")
