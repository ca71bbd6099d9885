"""Sentences: what the formula gives leaf by leaf, scopes, updates, and other embedders refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import DocTree, flat
from rag.errors import ConfigError, StoreMismatch
from rag.models.embed import HashEmbedder
from rag.sentences import sentence_spans
from rag.store.corpus import MemoryPart, MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.dense import Dense
from retrievers.sentences import Sentences, lifted

SPEC = (Path(__file__).parents[1] / "data" / "commonmark_spec.md").read_bytes().decode()
PARAGRAPHS = [p + "\n\n" for p in SPEC.split("\n\n") if p.strip()][:120]
SMALL = HashEmbedder(dim=64)
QUESTIONS = ("How is a fenced code block closed?", "tabs", "Which characters are punctuation?")


def tree(name: str, texts: Sequence[str], **metadata: object) -> DocTree:
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    return flat(Document(name, "".join(texts), metadata=metadata), list(pairwise(ends)))


TREES = [tree(f"d{i // 6:03}", PARAGRAPHS[i : i + 6], even=i % 12 == 0) for i in range(0, len(PARAGRAPHS), 6)]


def built(retriever: Sentences | Dense, trees: Sequence[DocTree]) -> MemoryStore:
    store = in_memory(trees)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    return store


def found(bound: Sentences | Dense, text: str, **query: object) -> list[tuple[str, int, float]]:
    return [(hit.doc, hit.node, hit.score) for hit in bound(Query("q", text, **query))]  # type: ignore[arg-type]


def by_hand(retriever: Sentences, question: str) -> dict[tuple[str, int], float]:
    """The formula, one leaf at a time."""
    asked = SMALL.embed([question])[0].astype(np.float64)
    scores = {}
    for one in TREES:
        leaves = list(one.leaves())
        vectors = SMALL.embed([leaf.text for leaf in leaves]).astype(np.float64)
        for i, leaf in enumerate(leaves):
            near = sum((vectors[j] for j in (i - 1, i + 1) if 0 <= j < len(leaves)), np.zeros(64))
            wide = vectors[i] + retriever.neighbour * near
            said = [s for a, b in sentence_spans(leaf.text) if len(s := leaf.text[a:b].strip()) >= 12]
            best = max(SMALL.embed(said) @ asked) if len(said) > 1 else vectors[i] @ asked
            cosine = wide @ asked / np.linalg.norm(wide)
            scores[one.document.id, leaf.index] = (1 - retriever.sentence) * cosine + retriever.sentence * best
    return scores


@pytest.mark.parametrize("weights", [(0.4, 0.2), (1.0, 0.0), (0.0, 1.0)])
def test_scores_are_those_of_the_formula_leaf_by_leaf(weights: tuple[float, float]) -> None:
    retriever = Sentences(embedder=SMALL, k=10_000, path=False, sentence=weights[0], neighbour=weights[1])
    bound = retriever.bind(built(retriever, TREES))
    for question in QUESTIONS:
        expected = by_hand(retriever, question)
        hits = found(bound, question)
        assert len(hits) == len(expected)
        assert all(score == pytest.approx(expected[doc, node], abs=3e-6) for doc, node, score in hits)
        assert hits == sorted(hits, key=lambda row: (-row[2], row[0], row[1]))


def test_without_both_weights_it_finds_what_vectors_alone_find() -> None:
    plain = Dense(embedder=SMALL, k=20)
    mine = Sentences(embedder=SMALL, k=20, sentence=0, neighbour=0)
    one, other = plain.bind(built(plain, TREES)), mine.bind(built(mine, TREES))
    for question in QUESTIONS:
        a, b = found(one, question), found(other, question)
        assert [score for *_, score in a] == pytest.approx([score for *_, score in b], abs=2e-6)


def test_weights_of_an_index_can_be_changed_when_asking() -> None:
    store = built(Sentences(embedder=SMALL), TREES)
    asked = Sentences(embedder=SMALL, sentence=0.9, neighbour=0.0)
    assert part_key(asked) == part_key(Sentences(embedder=SMALL))
    assert found(asked.bind(store), QUESTIONS[0])


def test_a_scope_leaves_scores_as_they_are_and_shows_nothing_else() -> None:
    retriever = Sentences(embedder=SMALL, k=10_000)
    bound = retriever.bind(built(retriever, TREES))
    every = found(bound, QUESTIONS[0])
    scope = ("d001", "d004", "nowhere")
    assert found(bound, QUESTIONS[0], scope=scope) == [row for row in every if row[0] in scope]
    evens = {one.document.id for one in TREES if one.document.metadata["even"]}
    assert found(bound, QUESTIONS[0], filters={"even": True}) == [row for row in every if row[0] in evens]
    assert found(bound, " ") == []


class Counting:
    """A hash embedder that notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.name, self.fingerprint, self.dim, self.max_tokens = "counting", "counting@1", 64, 1 << 30

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        self.seen += [] if query else texts
        return SMALL.embed(texts)


def test_an_update_embeds_new_leaves_only_and_gives_what_a_new_index_gives() -> None:
    first, second = Counting(), Counting()
    before = Sentences(embedder=first)
    old = MemoryPart()
    before.build(in_memory(TREES[:12]).corpus, old)
    kept = in_memory(TREES[6:16]).corpus
    was = in_memory(TREES[:12]).corpus
    places = {(was.doc_ids[d], n): i for i, (d, n) in enumerate(zip(was.doc.tolist(), was.node.tolist(), strict=True))}
    now = zip(kept.doc.tolist(), kept.node.tolist(), strict=True)
    reuse = np.array([places.get((kept.doc_ids[d], n), -1) for d, n in now])
    part, whole = MemoryPart(old=old), MemoryPart()
    Sentences(embedder=second).build(replace(kept, reuse=reuse), part)
    fresh = {leaf.text for one in TREES[12:16] for leaf in one.leaves()}
    assert all(any(said in text for text in fresh) for said in second.seen)
    Sentences(embedder=Counting()).build(kept, whole)
    for name in ("vectors", "beside", "sentence-leaves", "sentence-vectors"):
        assert np.allclose(part.load(name), whole.load(name), atol=1e-6)


def test_an_index_of_another_embedder_and_what_is_no_embedder_are_refused() -> None:
    store = built(Sentences(embedder=SMALL), TREES[:2])
    key = part_key(Sentences(embedder=SMALL))
    other = Sentences(embedder=HashEmbedder(dim=32))
    store.parts[part_key(other)] = store.parts[key]
    with pytest.raises(StoreMismatch, match="this index holds vectors of"):
        other.bind(store)(Query("q", "tabs"))
    with pytest.raises(ConfigError, match="must be an embedder"):
        Sentences(embedder="bge")  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(0, 3))
def test_a_leaf_takes_the_best_of_its_sentences_or_its_own(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, leaf = rng.normal(size=len(counts)), np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    scores = rng.normal(size=len(leaf))
    expected = [max(scores[leaf == i], default=own[i]) for i in range(len(counts))]
    assert lifted(own, leaf, scores).tolist() == expected
