"""Searching again from what was found: by vectors, by words, and with a trained update."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.errors import ConfigError
from rag.models.embed import HashEmbedder
from rag.testing import indexed
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.gate import Gate
from retrievers.hop import Hop, moved
from retrievers.opening import opened_terms

DOCS = [
    Document("film", "The Prairie King is a western film of 1927 directed by Reeves Eason."),
    Document("eason", "Reeves Eason, born 1886 in Fryors Point, spent a life outdoors."),
    Document("town", "Fryors Point lies on a river and mills corn."),
    Document("other", "Sound came to every picture house in the thirties."),
]
QUESTION = Query("q", "Which western is The Prairie King?")


def embedder() -> HashEmbedder:
    return HashEmbedder(dim=256)


@pytest.mark.parametrize("inner", [BM25(), Dense(embedder=embedder())], ids=["words", "vectors"])
def test_a_hop_reaches_what_the_question_does_not_say(inner: Any) -> None:
    hits = indexed(StructureChunker(), Hop(inner=inner, hops=2), DOCS)(QUESTION)
    order = [hit.doc for hit in hits]
    assert order[0] == "film"
    assert order.index("eason") < 3
    why = {hit.doc: hit.why for hit in hits}
    assert why["eason"] == "from film" or isinstance(inner, Dense)
    assert hits.notes["retrievers/hop"]["searches"] >= 2


def test_without_hops_it_is_the_inner_search() -> None:
    inner = Dense(embedder=embedder())
    plain = [hit.doc for hit in indexed(StructureChunker(), inner, DOCS)(QUESTION)]
    assert [hit.doc for hit in indexed(StructureChunker(), Hop(inner=inner, hops=0), DOCS)(QUESTION)] == plain


@pytest.mark.parametrize("inner", [BM25(), Dense(embedder=embedder())], ids=["words", "vectors"])
def test_scope_is_kept_over_all_hops(inner: Any) -> None:
    found = indexed(StructureChunker(), Hop(inner=inner, hops=3), DOCS)(
        Query("q", QUESTION.text, scope=("film", "town"))
    )
    assert {hit.doc for hit in found} <= {"film", "town"}


def test_the_number_of_searches_is_bounded() -> None:
    hits = indexed(StructureChunker(), Hop(inner=BM25(), hops=4, width=2), DOCS)(QUESTION)
    assert hits.notes["retrievers/hop"]["searches"] <= 1 + 4 * 2 * 2


def test_words_that_a_passage_covers_are_not_asked_again() -> None:
    bm25 = indexed(StructureChunker(), BM25(), DOCS)
    asked = opened_terms(bm25, "Where was the director of The Prairie King born?", DOCS[0].text).split()
    assert "born" in asked
    assert "prairi" not in asked
    assert "eason" in asked


def test_over_other_retrievers_names_are_added() -> None:
    asked = opened_terms(Dense(embedder=embedder()), "Who made The Prairie King?", DOCS[0].text)
    assert "reeves eason" in asked


@given(st.integers(0, 50), st.floats(0.1, 2), st.floats(0.1, 2))
def test_a_moved_question_keeps_its_length_and_gains_only_what_is_new(seed: int, keep: float, add: float) -> None:
    rng = np.random.default_rng(seed)
    asked, passage = rng.normal(size=(2, 8)).astype(np.float32)
    asked, passage = asked / np.linalg.norm(asked), passage / np.linalg.norm(passage)
    rows = moved(asked, np.stack((passage, asked)), keep, add)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(rows[1], asked, atol=1e-4)
    assert rows[0] @ asked > 0


def arrays(d: int, h: int = 4) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    named = {name: rng.normal(size=(h, d)).astype(np.float32) for name in ("query", "key", "value")}
    square = {name: rng.normal(size=(h, h)).astype(np.float32) for name in ("skip", "mlp0", "mlp1", "mlp2")}
    return {**named, **square, "out": rng.normal(size=(d, h)).astype(np.float32)}


def test_a_trained_update_is_worked_out_as_published(tmp_path: Path) -> None:
    made = arrays(8)
    np.savez(tmp_path / "hop.npz", **made)
    gate = Gate.load(tmp_path / "hop.npz", 8, "here")
    q, c = np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32)
    score = (made["query"] @ q) * (made["key"] @ c) / 2
    share = np.exp(score) / np.exp(score).sum()
    gated = share * (made["value"] @ c)
    hidden = gated
    for name in ("mlp0", "mlp1", "mlp2"):
        hidden = hidden + np.maximum(made[name] @ hidden, 0)
    expected = q - c + made["out"] @ (gated + made["skip"] @ hidden)
    assert np.allclose(gate(q[None], c[None])[0], expected / np.linalg.norm(expected), atol=1e-4)


def test_trained_weights_are_used(tmp_path: Path) -> None:
    np.savez(tmp_path / "hop.npz", **arrays(256))
    inner = Dense(embedder=embedder())
    trained = indexed(StructureChunker(), Hop(inner=inner, weights=tmp_path / "hop.npz"), DOCS)(QUESTION)
    plain = indexed(StructureChunker(), Hop(inner=inner), DOCS)(QUESTION)
    assert [hit.score for hit in trained] != [hit.score for hit in plain]


@pytest.mark.parametrize("broken", ["none", "text", "shape", "nan"])
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "hop.npz"
    made = arrays(256)
    if broken == "text":
        file.write_text("no arrays")
    elif broken != "none":
        made["out"] = made["out"][:3] if broken == "shape" else made["out"] * np.nan
        np.savez(file, **made)
    hop = indexed(StructureChunker(), Hop(inner=Dense(embedder=embedder()), weights=file), DOCS)
    with pytest.raises(ConfigError, match="retrievers/hop: weights"):
        hop(QUESTION)


def test_weights_need_vectors() -> None:
    with pytest.raises(ConfigError, match="inner"):
        Hop(inner=BM25(), weights=Path("hop.npz"))


@pytest.mark.parametrize("question", ["", "   ", "???", "港", "a " * 500])
def test_any_question_is_answered_or_finds_nothing(question: str) -> None:
    for inner in (BM25(), Dense(embedder=embedder())):
        assert len(indexed(StructureChunker(), Hop(inner=inner, k=2), DOCS)(Query("q", question))) <= 2
