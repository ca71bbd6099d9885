from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.boundaries import drops, max_min
from chunkers.kernel import directions
from chunkers.semantic import SemanticChunker
from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.errors import ConfigError
from rag.models.embed import HashEmbedder
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.types import Document

STRATEGIES = ["cluster", "percentile", "max-min"]
PARTS = [
    "# Title\n\n", "## Part\n\n", "The sea is blue. Ships sail on it. Is it deep?\n\n", "A cat sleeps. A cat eats fish. ",
    "word " * 40, "x" * 300, "- item\n", "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20, "日本語の文です。" * 20, "Same. " * 30,
    "```\n" + "y = 1\n" * 40 + "```\n", "\n\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=10).map("".join)
HASH = HashEmbedder(dim=32)


class Zeros:
    """An embedder that has nothing to say."""

    name = fingerprint = "zeros"
    dim, max_tokens = 8, 100

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        return np.zeros((len(texts), 8), dtype=np.float32)


def check(tree: DocTree, cap: int) -> None:
    tree.check()
    count = counter(tree.tokenizer).count
    for leaf in tree.leaves():
        assert leaf.tokens == count(leaf.text)
        assert leaf.tokens + sum(count(tree.document.text[a:b]) for a, b in leaf.repeats) <= cap


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, strategy=st.sampled_from(STRATEGIES), size=st.sampled_from([16, 40]))
def test_every_tree_tiles_its_text_within_the_cap(text: str, strategy: str, size: int) -> None:
    chunker = SemanticChunker(strategy=strategy, embedder=HASH, size=size)
    tree = chunker(Document("d", text))
    check(tree, chunker.cap)
    assert tree == chunker(Document("d", text))


@settings(max_examples=30, deadline=None)
@given(text=TEXTS)
def test_without_weight_on_the_rule_the_chunks_are_those_of_structure(text: str) -> None:
    mine = SemanticChunker(rule=0, embedder=HASH, size=40)(Document("d", text))
    theirs = StructureChunker(size=40)(Document("d", text))
    assert [(n.start, n.end) for n in mine.leaves()] == [(n.start, n.end) for n in theirs.leaves()]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_change_of_subject_is_where_the_cut_falls(strategy: str) -> None:
    sea = "The blue sea carries ships across the water. " * 3
    cat = "My small cat eats fish and sleeps all day. " * 3
    made = partial(SemanticChunker, strategy=strategy, embedder=HashEmbedder(), size=64, min_size=8)
    starts = [leaf.start for leaf in made(around=0, percentile=80, rule=4.0)(Document("d", sea + cat)).leaves()]
    assert starts == [0, len(sea)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_vectors_of_zeros_leave_structure_and_are_recorded(strategy: str) -> None:
    text = "The sea is blue. Ships sail on it. " * 40
    tree = SemanticChunker(strategy=strategy, embedder=Zeros(), size=40)(Document("d", text))
    check(tree, 60)
    assert "have a vector of zeros" in notes_of(tree, "chunker", 0)[0].text


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "text",
    ["x" * 200_000, "All the same. " * 3_000, "# h\n" * 10_000, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 3_000]
    + ["```\n" + "x = 1\n" * 4_000 + "```\n", "word " * 10_000],
    ids=["unbroken", "identical", "headings", "table", "code", "words"],
)  # fmt: skip
def test_bad_texts_are_cut_within_the_cap(text: str, strategy: str) -> None:
    check(SemanticChunker(strategy=strategy, embedder=HASH)(Document("d", text)), 240)


@pytest.mark.slow
def test_ten_megabytes_without_a_blank_and_a_million_headings() -> None:
    for text in ("x" * 10_000_000, "# h\n" * 1_000_000):
        check(SemanticChunker(embedder=HashEmbedder(dim=8))(Document("d", text)), 240)


def test_a_stretch_longer_than_what_is_held_at_once_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chunkers.vectors.SPAN", 64)
    text = "".join(f"Sentence number {i} says {i * i}. " for i in range(500))
    check(SemanticChunker(embedder=HASH, size=40)(Document("d", text)), 60)


def test_drops_are_distances_of_neighbouring_windows() -> None:
    rows = directions(np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]))
    assert drops(rows, 0).tolist() == pytest.approx([0, 0, 1, 0])
    assert drops(rows, 1)[2] == pytest.approx(1 - 4 / 5)


def test_max_min_follows_the_published_rule() -> None:
    rows = directions(np.array([[1.0, 0], [0.9, 0.1], [0.95, 0.05], [0, 1], [0.05, 1]]))
    far = np.full(5, 9)
    begins = max_min(rows, far, np.zeros(6), ease=0.9, least=0.6, first=1.5)
    assert begins.tolist() == [True, False, False, True, False]
    assert max_min(rows, np.full(5, 2), np.zeros(6), ease=0.9, least=0.6, first=1.5).tolist() == [
        True, False, True, True, False,
    ]  # fmt: skip


def test_what_is_no_embedder_is_refused() -> None:
    with pytest.raises(ConfigError, match="chunkers/semantic: embedder: must be an embedder"):
        SemanticChunker(embedder="bge")  # type: ignore[arg-type]
