from __future__ import annotations

import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from rag.errors import ConfigError, MissingWeights, ModelError
from rag.models.embed import Embedder
from rag.models.onnx import OnnxEmbedder, OnnxScorer
from rag.models.score import Scorer
from rag.models.weights import locate
from rag.registry import find

TEXT = "the lease of a harbour house is signed by both parties before a witness in Zürich 2024 ; rain fell"
WORDS = TEXT.split()


def passages(count: int, seed: int = 0) -> list[str]:
    pick = random.Random(seed)
    return [" ".join(pick.choices(WORDS, k=pick.randint(0, 60))) for _ in range(count)]


def test_the_constructor_opens_nothing_and_the_first_call_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path))
    embedder, scorer = OnnxEmbedder(), OnnxScorer()
    assert isinstance(embedder, Embedder)
    assert isinstance(scorer, Scorer)
    assert embedder.dim == 384
    assert embedder.fingerprint.startswith("onnx/bge-small-en-v1.5@")
    with pytest.raises(MissingWeights, match="rag models pull bge-small-en-v1.5"):
        embedder.embed(["text"])
    with pytest.raises(MissingWeights, match="rag models pull ms-marco-MiniLM-L12-v2"):
        scorer.score("question", ["text"])


def test_settings_are_checked_and_an_unknown_model_is_named():
    with pytest.raises(ValidationError):
        OnnxEmbedder(threads=0)
    with pytest.raises(ConfigError, match="no model 'bge-large'"):
        OnnxEmbedder(model="bge-large").embed(["text"])
    assert find("embedders/onnx") is OnnxEmbedder
    assert find("scorers/onnx") is OnnxScorer


def test_a_folder_without_a_model_is_a_model_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="holds no whole ONNX model and tokenizer") as caught:
        OnnxEmbedder(model=str(tmp_path)).embed(["text"])
    assert "\n" not in str(caught.value)


def test_the_fingerprint_holds_what_shapes_a_vector_and_nothing_else():
    first = OnnxEmbedder()
    assert replace(first, threads=1).fingerprint == first.fingerprint
    assert replace(first, pooling="mean").fingerprint != first.fingerprint
    assert replace(first, query_prefix="").fingerprint != first.fingerprint
    assert OnnxScorer(query_tokens=64).fingerprint != OnnxScorer().fingerprint


@pytest.mark.model
def test_vectors_are_the_same_bytes_whatever_is_beside_a_text():
    texts = passages(40)
    rows = OnnxEmbedder().embed(texts)
    assert rows.shape == (40, 384)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    alone = np.concatenate([OnnxEmbedder(threads=1).embed([text]) for text in texts])
    assert rows.tobytes() == alone.tobytes()
    assert OnnxEmbedder(threads=3).embed(texts[::-1])[::-1].tobytes() == rows.tobytes()


@pytest.mark.model
def test_vectors_are_those_of_the_bare_network():
    import onnxruntime as ort
    import tokenizers

    folder = locate("bge-small-en-v1.5")
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "The lease is signed by both parties."
    ids = np.asarray([tokenizer.encode(text).ids])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    state = session.run(None, feed)[0][0, 0]
    assert np.allclose(OnnxEmbedder().embed([text])[0], state / np.linalg.norm(state), atol=1e-6)


@pytest.mark.model
def test_questions_get_the_prefix_and_find_their_passage():
    texts = ["Both parties sign the lease.", "Rain fell all day.", "The harbour was rebuilt in 1904."]
    embedder = OnnxEmbedder()
    query = embedder.embed(["Who signs the contract?"], query=True)
    assert int(np.argmax(embedder.embed(texts) @ query[0])) == 0
    prefix = "Represent this sentence for searching relevant passages: "
    assert query.tobytes() == embedder.embed([prefix + "Who signs the contract?"]).tobytes()
    assert query.tobytes() != embedder.embed(["Who signs the contract?"]).tobytes()


@pytest.mark.model
def test_long_texts_are_cut_at_their_end_and_odd_ones_pass():
    embedder = OnnxEmbedder()
    long = " ".join(["lease"] * 3_000)
    assert embedder.embed([long]).tobytes() == embedder.embed([" ".join(["lease"] * 510)]).tobytes()
    assert embedder.embed([long]).tobytes() != embedder.embed([" ".join(["lease"] * 509)]).tobytes()
    assert np.isfinite(embedder.embed(["", "\x00", "\ud800", "😀" * 50, "a" * 10_000])).all()
    assert embedder.embed([]).shape == (0, 384)


@pytest.mark.model
def test_scores_are_the_same_bytes_whatever_is_beside_a_text():
    texts = passages(24)
    scores = OnnxScorer().score("who signs the lease?", texts)
    assert scores.shape == (24,)
    assert scores.dtype == np.float32
    alone = [OnnxScorer(threads=1).score("who signs the lease?", [text])[0] for text in texts]
    assert scores.tolist() == alone
    assert OnnxScorer().score("who signs the lease?", texts[::-1])[::-1].tolist() == scores.tolist()
    assert OnnxScorer().score("who?", []).shape == (0,)


@pytest.mark.model
def test_scores_are_those_of_the_bare_network_on_the_tokenizers_own_pairs():
    import onnxruntime as ort
    import tokenizers

    folder = locate("ms-marco-MiniLM-L12-v2")
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512, strategy="only_second")
    query = "who signs the lease in Zürich?"
    texts = ["Both parties sign the lease.", "", " ".join(WORDS * 100)]
    expected = []
    for text in texts:
        pair = tokenizer.encode(query, text)
        names = ("input_ids", "attention_mask", "token_type_ids")
        values = (pair.ids, pair.attention_mask, pair.type_ids)
        feed = {name: np.asarray([value]) for name, value in zip(names, values, strict=True)}
        expected.append(session.run(None, feed)[0].item())
    assert np.allclose(OnnxScorer().score(query, texts), expected, atol=1e-4)


@pytest.mark.model
def test_the_best_answer_scores_highest_and_a_long_question_is_cut_last():
    texts = ["Bananas are yellow.", "Paris is the capital of France.", "France has many rivers."]
    assert int(np.argmax(OnnxScorer().score("What is the capital of France?", texts))) == 1
    scorer = OnnxScorer(query_tokens=16)
    assert scorer.score("lease " * 16, texts).tolist() == scorer.score("lease " * 400, texts).tolist()
    assert np.isfinite(OnnxScorer(query_tokens=256).score("lease " * 1_000, ["house " * 1_000])).all()


@pytest.mark.model
def test_a_pickle_carries_settings_and_no_weights():
    embedder = OnnxEmbedder(threads=2)
    before = embedder.embed(["lease"])
    packed = pickle.dumps(embedder)
    assert len(packed) < 2_000
    assert pickle.loads(packed).embed(["lease"]).tobytes() == before.tobytes()
