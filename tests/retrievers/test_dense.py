"""Dense: what comparing every vector gives, nothing out of bounds, and only new leaves embedded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rag.doctree import DocTree, flat
from rag.errors import ConfigError, RagError, StoreMismatch
from rag.models.embed import HashEmbedder
from rag.models.onnx import OnnxEmbedder
from rag.store.arrays import FolderPart
from rag.store.corpus import Corpus, MemoryPart, MemoryStore, in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.dense import Dense

SPEC = (Path(__file__).parents[1] / "data" / "commonmark_spec.md").read_bytes().decode()
PARAGRAPHS = [p + "\n\n" for p in SPEC.split("\n\n") if p.strip()]
QUESTIONS = ("How is a fenced code block closed?", "tabs", "Which characters are punctuation?", "nested lists")
SMALL = HashEmbedder(dim=64)


def tree(name: str, texts: Sequence[str], **metadata: object) -> DocTree:
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    return flat(Document(name, "".join(texts), metadata=metadata), list(pairwise(ends)))


TREES = [tree(f"d{i // 5:03}", PARAGRAPHS[i : i + 5], even=i % 10 == 0) for i in range(0, len(PARAGRAPHS), 5)]


class Counting:
    """A hash embedder that notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.name, self.fingerprint, self.dim, self.max_tokens = "counting", "counting@1", 64, 1 << 30

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        self.seen += [] if query else texts
        return SMALL.embed(texts)


def built(retriever: Dense, trees: Sequence[DocTree]) -> MemoryStore:
    store = in_memory(trees)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    return store


def found(bound: Dense, text: str, **query: object) -> list[tuple[str, int, float]]:
    return [(hit.doc, hit.node, hit.score) for hit in bound(Query("q", text, **query))]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole() -> Dense:
    retriever = Dense(embedder=SMALL, k=10_000, path=False)
    return retriever.bind(built(retriever, TREES))


def test_hits_are_those_of_comparing_every_pair(whole: Dense) -> None:
    leaves = [leaf for one in TREES for leaf in one.leaves()]
    vectors = SMALL.embed([leaf.text for leaf in leaves]).astype(np.float64)
    for question in QUESTIONS:
        expected = vectors @ SMALL.embed([question])[0].astype(np.float64)
        hits = found(whole, question)
        scores = {(leaf.tree.document.id, leaf.index): s for leaf, s in zip(leaves, expected, strict=True)}
        assert len(hits) == len(leaves)
        assert all(score == pytest.approx(scores[doc, node], abs=2e-6) for doc, node, score in hits)
        assert hits == sorted(hits, key=lambda row: (-row[2], row[0], row[1]))


@pytest.mark.parametrize("exact_below", [50_000, 0])
def test_equal_texts_tie_wherever_they_stand_and_come_in_index_order(exact_below: int) -> None:
    retriever = Dense(embedder=SMALL, path=False, exact_below=exact_below)
    texts = ["An oak.", "A yew.", "An oak.", *(f"Tree {i}." for i in range(61)), "An oak."]
    hits = found(retriever.bind(built(retriever, [tree("d", texts)])), "oak")
    assert [node for _, node, _ in hits[:3]] == [1, 3, 65]
    assert len({score for _, _, score in hits[:3]}) == 1


@pytest.mark.parametrize("exact_below", [50_000, 0])
@pytest.mark.parametrize(
    "scope", [(), ("d003",), ("d001", "d050", "nowhere"), tuple(t.document.id for t in TREES[:90])]
)
def test_a_scope_gives_every_leaf_in_it_with_its_score_and_no_other(
    whole: Dense, scope: tuple[str, ...], exact_below: int
) -> None:
    retriever = Dense(embedder=SMALL, k=10_000, path=False, exact_below=exact_below)
    bound = retriever.bind(built(retriever, TREES))
    for question in QUESTIONS[:2]:
        assert found(bound, question, scope=scope) == [row for row in found(whole, question) if row[0] in scope]


def test_a_filter_keeps_other_documents_out(whole: Dense) -> None:
    evens = {one.document.id for one in TREES if one.document.metadata["even"]}
    hits = found(whole, "tabs", filters={"even": True})
    assert hits == [row for row in found(whole, "tabs") if row[0] in evens]
    assert hits


def test_the_graph_finds_what_comparing_all_finds() -> None:
    exact, graph = (Dense(embedder=SMALL, k=20, path=False, exact_below=n) for n in (50_000, 0))
    one, other = exact.bind(built(exact, TREES)), graph.bind(built(graph, TREES))
    wanted = [set(found(one, question)) for question in PARAGRAPHS[:100:2]]
    got = [set(found(other, question)) for question in PARAGRAPHS[:100:2]]
    share = sum(len(a & b) for a, b in zip(wanted, got, strict=True)) / sum(map(len, wanted))
    assert share > 0.97


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    import faiss

    before = faiss.omp_get_max_threads()
    yield faiss.omp_set_num_threads
    faiss.omp_set_num_threads(before)


def test_the_graph_in_a_folder_is_the_same_bytes_on_any_number_of_threads_and_answers_as_in_memory(
    tmp_path: Path, threads: Callable[[int], None]
) -> None:
    retriever = Dense(embedder=SMALL, k=20, exact_below=10)
    held = built(retriever, TREES)
    files = []
    for count in (1, 4):
        threads(count)
        folder = tmp_path / str(count)
        folder.mkdir()
        retriever.build(held.corpus, FolderPart(folder))
        files.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert files[0] == files[1]
    assert "graph.faiss" in files[0]
    stored = MemoryStore(held.corpus, {part_key(retriever): FolderPart(tmp_path / "1")})  # type: ignore[dict-item]
    assert found(retriever.bind(stored), "tabs") == found(retriever.bind(held), "tabs")


def test_an_update_embeds_only_new_leaves_and_equals_a_fresh_build() -> None:
    retriever = Dense(embedder=Counting(), exact_below=10)
    old = built(retriever, TREES[:20])
    changed = [*TREES[:3], tree("d003", ["An oak stands here. ", "The block is closed."]), *TREES[5:21]]
    fresh = built(retriever, changed)
    before = old.corpus
    place = {
        (before.doc_ids[d], n): i
        for i, (d, n) in enumerate(zip(before.doc.tolist(), before.node.tolist(), strict=True))
        if before.doc_ids[d] != "d003"
    }
    given = {name: getattr(fresh.corpus, name) for name in ("doc_ids", "metadata", "doc", "node", "tree")}
    pairs = zip(fresh.corpus.doc.tolist(), fresh.corpus.node.tolist(), strict=True)
    reuse = [place.get((fresh.corpus.doc_ids[d], n), -1) for d, n in pairs]
    part = MemoryPart(old=old.part(part_key(retriever)))
    retriever.embedder.seen.clear()  # type: ignore[attr-defined]
    retriever.build(Corpus(**given, reuse=np.array(reuse, dtype=np.int64)), part)
    assert len(retriever.embedder.seen) == sum(at < 0 for at in reuse) == 7  # type: ignore[attr-defined]
    assert part.load("vectors").tobytes() == fresh.part(part_key(retriever)).load("vectors").tobytes()


def test_nothing_is_found_in_an_empty_index_or_for_an_empty_question(whole: Dense) -> None:
    retriever = Dense(embedder=SMALL)
    assert found(retriever.bind(built(retriever, [])), "oak") == []
    assert found(whole, "") == found(whole, " \t\n") == []


def test_an_index_of_another_embedder_is_refused_by_both_names() -> None:
    retriever = Dense(embedder=SMALL)
    store = built(retriever, TREES[:2])
    part = store.part(part_key(retriever))
    part.save_json("embedder", {"fingerprint": "hash/64@0", "dim": 64})
    with pytest.raises(StoreMismatch, match=r"vectors of 'hash/64@0', got 'hash/64@1'"):
        retriever.bind(store)(Query("q", "oak"))


def test_what_is_no_embedder_is_refused_when_given() -> None:
    with pytest.raises(ConfigError, match=r"embedder: must be an embedder .* got int"):
        Dense(embedder=3)  # type: ignore[arg-type]


def test_making_one_opens_no_weights(tmp_path: Path) -> None:
    assert Dense(embedder=OnnxEmbedder(model=str(tmp_path / "nowhere"))).k == 100


def test_an_unbound_retriever_says_what_to_do() -> None:
    with pytest.raises(RagError, match="retrievers/dense: not bound to an index"):
        Dense(embedder=SMALL)(Query("q", "oak"))


def test_a_llama_index_embedder_is_taken_as_it_is() -> None:
    from llama_index.core.embeddings import MockEmbedding

    retriever = Dense(embedder=MockEmbedding(embed_dim=8))  # type: ignore[arg-type]
    assert [doc for doc, _, _ in found(retriever.bind(built(retriever, TREES[:1])), "oak")] == ["d000"] * 5


@pytest.mark.model
def test_the_default_model_finds_the_paragraph_that_answers() -> None:
    retriever = Dense(k=3)
    texts = ["A lease is signed by the tenant. ", "Oaks grow slowly. ", "The rent is due on the first of the month. "]
    bound = retriever.bind(built(retriever, [tree("d", texts)]))
    assert [found(bound, q)[0][1] for q in ("When must I pay?", "Who puts their name to the contract?")] == [3, 1]


@pytest.mark.slow
def test_the_hash_seed_and_the_number_of_threads_change_no_byte(tmp_path: Path) -> None:
    script = (
        "import sys, hashlib; from pathlib import Path; sys.path.insert(0, 'tests/retrievers');"
        "from test_dense import *; r = Dense(embedder=SMALL, exact_below=0); s = built(r, TREES);"
        "print(hashlib.sha256(repr(found(r.bind(s), 'tabs')).encode()).hexdigest())"
    )
    outputs = set()
    for seed, threads in (("0", "1"), ("7", "2")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", script], env=env, cwd=root, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
