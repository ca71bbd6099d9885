from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from rag.errors import ConfigError, MissingExtra, MissingWeights
from rag.models.embed import Embedder
from rag.models.score import Scorer
from rag.models.torch import SentenceTransformersEmbedder, TorchCrossEncoder
from rag.models.weights import locate
from rag.optional import available

needs_torch = pytest.mark.skipif(not available("sentence_transformers"), reason="the extra is not installed")
loads_torch = pytest.mark.filterwarnings("ignore:::torch", "ignore:::transformers", "ignore:::sentence_transformers")


@pytest.mark.skipif(available("sentence_transformers"), reason="the extra is installed")
def test_a_missing_extra_is_named_with_its_pip_line(tmp_path):
    with pytest.raises(MissingExtra, match=r"pip install 'ragtree\[sentence-transformers\]'"):
        SentenceTransformersEmbedder(model=str(tmp_path)).embed(["text"])


@needs_torch
def test_no_hub_is_asked_unless_the_settings_permit_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RAGTREE_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match="rag models pull all-MiniLM-L6-v2"):
        SentenceTransformersEmbedder().embed(["text"])
    with pytest.raises(ConfigError, match=r"no model 'cross-encoder/ms-marco-MiniLM-L6-v2'.*only with `hub: true`"):
        TorchCrossEncoder(model="cross-encoder/ms-marco-MiniLM-L6-v2").score("q", ["text"])


def test_the_fingerprint_needs_no_weights_and_a_cross_encoder_needs_a_model():
    assert SentenceTransformersEmbedder().fingerprint.startswith("sentence-transformers/all-MiniLM-L6-v2@")
    permitted = TorchCrossEncoder(model="a/b", hub=True, revision="abc")
    assert permitted.fingerprint != TorchCrossEncoder(model="a/b", hub=True, revision="abd").fingerprint
    with pytest.raises(ValidationError):
        TorchCrossEncoder()


@needs_torch
@pytest.mark.model
@loads_torch
def test_minilm_gives_the_same_bytes_whatever_is_beside_a_text(capfd):
    embedder = SentenceTransformersEmbedder()
    assert isinstance(embedder, Embedder)
    texts = ["Both parties sign the lease.", "Rain fell all day.", "", "\ud800"]
    rows = embedder.embed(texts)
    assert rows.shape == (4, 384)
    assert embedder.dim == 384
    assert embedder.max_tokens == 256
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows.tobytes() == np.concatenate([embedder.embed([text]) for text in texts]).tobytes()
    batched = SentenceTransformersEmbedder(batch=4).embed(texts)
    assert np.abs(batched - rows).max() < 1e-6
    assert int(np.argmax(rows[:2] @ embedder.embed(["who signs?"], query=True)[0])) == 0
    assert capfd.readouterr() == ("", "")


@needs_torch
@pytest.mark.model
@loads_torch
def test_a_cross_encoder_in_a_folder_gives_raw_logits(tmp_path):
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=1
        )
        net = BertForSequenceClassification(config).eval()
    net.save_pretrained(tmp_path)
    tokenizer = BertTokenizerFast(vocab=str(locate("all-MiniLM-L6-v2") / "vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    scorer = TorchCrossEncoder(model=str(tmp_path))
    assert isinstance(scorer, Scorer)
    texts = ["Both parties sign the lease.", "Rain fell all day."]
    with torch.no_grad():
        expected = [float(net(**tokenizer("who signs?", text, return_tensors="pt")).logits) for text in texts]
    assert np.allclose(scorer.score("who signs?", texts), expected, atol=1e-5)
    assert scorer.score("who signs?", []).shape == (0,)
