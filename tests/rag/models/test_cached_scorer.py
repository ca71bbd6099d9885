"""Scores kept on disk: same bytes, each pair read once, broken files told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import ConfigError, ModelError, StoreError
from rag.models.cached_scorer import CachedScorer
from rag.models.onnx import OnnxScorer


class Lengths:
    """Scores by length; notes what it was asked."""

    name = "lengths"

    def __init__(self, fingerprint: str = "lengths@1", bad: float | None = None) -> None:
        self.fingerprint = fingerprint
        self.bad = bad
        self.asked: list[tuple[str, str]] = []

    def score(self, query: str, texts: Sequence[str], /) -> Any:
        self.asked += [(query, text) for text in texts]
        return np.array([len(query) / 3 + len(t) / 7 if self.bad is None else self.bad for t in texts], np.float32)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "ab", ""]), st.lists(st.text(max_size=3), max_size=6)), max_size=5))
def test_a_cache_changes_no_score_and_each_pair_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, list[str]]]
) -> None:
    folder = tmp_path_factory.mktemp("scores")
    inner = Lengths()
    cached = CachedScorer(inner=inner, folder=folder)
    for query, texts in asked:
        assert cached.score(query, texts).tobytes() == Lengths().score(query, texts).tobytes()
    assert len(inner.asked) == len(set(inner.asked))
    again = Lengths()
    for query, texts in asked:
        other = CachedScorer(inner=again, folder=folder).score(query, texts)
        assert other.tobytes() == Lengths().score(query, texts).tobytes()
    assert again.asked == []


def test_another_fingerprint_is_another_score(tmp_path: Path) -> None:
    CachedScorer(inner=Lengths("a@1"), folder=tmp_path).score("q", ["text"])
    other = Lengths("b@1")
    CachedScorer(inner=other, folder=tmp_path).score("q", ["text"])
    assert other.asked == [("q", "text")]


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    inner = Lengths()
    cached = CachedScorer(inner=inner)
    cached.score("q", ["a"])
    cached.score("q", ["a"])
    assert len(inner.asked) == 2
    assert cached.name == "lengths"
    assert cached.fingerprint == "lengths@1"
    assert cached.ends("q", ["abc", ""]).tolist() == [3, 0]


def test_what_is_no_number_is_never_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be finite"):
        CachedScorer(inner=Lengths(bad=float("nan")), folder=tmp_path).score("q", ["a"])
    inner = Lengths()
    CachedScorer(inner=inner, folder=tmp_path).score("q", ["a"])
    assert inner.asked == [("q", "a")]


def test_a_file_that_is_no_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "scores.sqlite").write_bytes(b"no database, much too long to be an empty one" * 50)
    with pytest.raises(StoreError, match="cannot serve as a cache of scores"):
        CachedScorer(inner=Lengths(), folder=tmp_path).score("q", ["a"])


def test_a_thing_that_is_no_scorer_is_refused() -> None:
    with pytest.raises(ConfigError, match="scorers/cached: inner: must be a scorer"):
        CachedScorer(inner=3)


@pytest.mark.model
def test_the_embedded_scorer_gives_the_same_bytes_through_the_cache(tmp_path: Path) -> None:
    texts = ["Hamlet was written by Shakespeare.", "It rains in Paris."]
    bare = OnnxScorer().score("who wrote Hamlet", texts)
    for _ in range(2):
        kept = CachedScorer(folder=tmp_path).score("who wrote Hamlet", texts)
        assert kept.tobytes() == bare.tobytes()
