"""Splitters and retrievers of other frameworks keep the promises that ours keep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.datasets import load
from evals.peers.anchor import anchored
from evals.peers.chonkie import ChonkieRecursive, ChonkieSemantic, ChonkieSentence, ChonkieToken
from evals.peers.haystack import HaystackBM25, HaystackEmbedding
from evals.peers.langchain import LangchainToken
from evals.peers.llama_index import LlamaIndexMarkdown, LlamaIndexSemantic, LlamaIndexSentence
from evals.peers.llama_index_search import LlamaIndexBM25, LlamaIndexVector
from evals.peers.semchunk import Semchunk
from evals.peers.text_splitter import TextSplitter
from rag import registry
from rag.models.embed import HashEmbedder
from rag.optional import available
from rag.testing import check_stage, indexed
from rag.types import Document, Query
from retrievers.dense import Dense

SAMPLES = Path(__file__).parents[2] / "evals" / "samples"
HASH = HashEmbedder(dim=64)
CHUNKERS = {
    "langchain_text_splitters": [LangchainToken(size=20), LangchainToken(size=20, overlap=9)],
    "llama_index": [
        LlamaIndexSentence(size=24),
        LlamaIndexSentence(size=24, overlap=8),
        LlamaIndexMarkdown(),
        LlamaIndexSemantic(embedder=HASH),
    ],
    "chonkie": [
        ChonkieRecursive(size=20),
        ChonkieSentence(size=20),
        ChonkieToken(size=20),
        ChonkieToken(size=20, overlap=5),
        ChonkieSemantic(size=20, embedder=HASH),
    ],
    "semchunk": [Semchunk(size=20)],
    "semantic_text_splitter": [TextSplitter(size=20), TextSplitter(size=20, format="markdown")],
}
RETRIEVERS = {
    "llama_index": [LlamaIndexVector(embedder=HASH, k=3)],
    "llama_index.retrievers": [LlamaIndexBM25(k=3)],
    "haystack": [HaystackBM25(k=3), HaystackEmbedding(embedder=HASH, k=3)],
}


def there(table):
    return [
        pytest.param(
            one, module, id=repr(one), marks=pytest.mark.skipif(not available(module), reason=f"{module} is not here")
        )
        for module, stages in table.items()
        for one in stages
    ]


WORDS = "Ann ~signs. ~the the ~\n\n~\n# Head\n~\r\n~\t~\u00a0~港は静か。~é~e\u0301~🚢~```\n~\ufeff~1.5 ~!?~\ud800~</s>~<|endoftext|>"
TEXTS = st.lists(
    st.sampled_from([*WORDS.split("~"), "| a | b |\n", "a" * 40]),
    max_size=40,
).map("".join)


@pytest.mark.parametrize(("chunker", "module"), there(CHUNKERS))
def test_a_peers_chunks_keep_the_contract(chunker, module):
    check_stage(chunker)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("chunker", "module"), there(CHUNKERS))
@settings(max_examples=25)
@given(text=TEXTS)
def test_a_peers_chunks_tile_any_text(chunker, module, text):
    tree = chunker(Document("d", text))
    overlap = bool(getattr(chunker, "overlap", 0))
    tree.check(overlap=overlap)
    leaves = tree.leaves()
    assert all(leaf.text == text[leaf.start : leaf.end] for leaf in leaves)
    if not overlap:
        assert "".join(leaf.text for leaf in leaves) == text


@pytest.mark.parametrize(("chunker", "module"), there(CHUNKERS))
def test_nothing_of_real_chapters_is_lost_or_altered(chunker, module):
    data = load(SAMPLES / "manual")
    for doc in list(data.places)[:3]:
        facts = chunker(Document(doc, data.text(doc))).notes.get("peer", {}).get(0, {})
        assert facts.get("altered", 0) == 0
        assert facts.get("dropped", 0) == 0


def test_pieces_are_found_behind_the_one_before():
    text = "one two. one two. one two."
    spans, facts = anchored(text, [("one two.", -1), ("one two.", -1), ("one two.", -1)])
    assert [text[a:b].strip() for a, b in spans] == ["one two."] * 3
    assert [a for a, _ in spans] == [0, 9, 18]
    assert not any(facts.values())


def test_a_wrong_place_is_not_believed():
    assert anchored("a b c", [("b c", 0)])[0] == [(0, 5)]
    assert anchored("a b a b", [("a b", 4), ("a b", 0)])[1]["altered"] == 1


def test_what_a_peer_drops_goes_to_the_leaf_before_and_is_counted():
    spans, facts = anchored("alpha XX beta", [("alpha", -1), ("beta", -1)])
    assert spans == [(0, 9), (9, 13)]
    assert facts == {"respaced": 0, "altered": 0, "dropped": 2}


def test_a_piece_with_other_white_space_is_found_and_one_that_is_not_there_is_counted():
    text = "alpha\n\n beta gamma delta"
    spans, facts = anchored(text, [("alpha beta", -1), ("gamma nowhere", -1), ("delta", -1)])
    assert spans == [(0, 19), (19, 24)]
    assert facts == {"respaced": 1, "altered": 1, "dropped": len("gamma")}


def test_overlapping_pieces_overlap():
    spans, facts = anchored("aa bb cc dd", [("aa bb", -1), ("bb cc", -1), ("cc dd", -1)], overlap=True)
    assert spans == [(0, 5), (3, 8), (6, 11)]
    assert not any(facts.values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("retriever", "module"), there(RETRIEVERS))
def test_a_peers_retriever_keeps_the_contract(retriever, module):
    check_stage(indexed(LangchainToken(size=24), retriever))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("retriever", "module"), there({k: v for k, v in RETRIEVERS.items() if "." not in k}))
def test_with_the_same_vectors_peers_find_what_dense_finds(retriever, module):
    if not hasattr(retriever, "embedder"):
        pytest.skip("has no vectors")
    data = load(SAMPLES / "manual")
    documents = [Document(doc, data.text(doc)) for doc in list(data.places)[:6]]
    theirs = indexed(LangchainToken(size=100), retriever, documents)
    ours = indexed(LangchainToken(size=100), Dense(embedder=HASH, k=3), documents)
    for item in data.items[:12]:
        query = Query(item.id, item.text)
        assert [hit.key for hit in theirs(query)] == [hit.key for hit in ours(query)]
        assert [hit.score for hit in theirs(query)] == pytest.approx([hit.score for hit in ours(query)], abs=1e-5)


def test_peers_are_installed_under_names_that_say_whose_they_are():
    assert {"chonkie-recursive", "langchain-token", "llama-index-sentence", "semchunk", "text-splitter"} <= set(
        registry.names("chunkers")
    )
    assert {"haystack-bm25", "llama-index-vector"} <= set(registry.names("retrievers"))


@pytest.mark.skipif(not available("haystack"), reason="haystack is not here")
def test_haystack_is_not_allowed_to_report_home():
    code = (
        "from rag.testing import indexed; from evals.peers.haystack import HaystackBM25;"
        "from evals.peers.langchain import LangchainToken; from rag.types import Query;"
        "indexed(LangchainToken(), HaystackBM25())(Query('q', 'harbour'));"
        "from haystack.telemetry import _telemetry; print(_telemetry.telemetry)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SAMPLES.parents[1]
    )
    assert found.stdout.split()[-1] == "None"
