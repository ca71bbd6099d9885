"""The same question gives the same spans through every framework, and what crosses keeps its place."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document as LangchainDocument
from langchain_core.documents.compressor import BaseDocumentCompressor
from langchain_core.retrievers import BaseRetriever as LangchainRetriever
from langchain_text_splitters import RecursiveCharacterTextSplitter
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import Document as LlamaDocument
from llama_index.core.schema import NodeWithScore, TextNode

from chunkers.structure import StructureChunker
from compressors.extract import Extract
from rag import Document, Pipeline, Query, load
from rag import open as open_index
from rag.bridge import from_haystack, from_langchain, from_llama_index, to_haystack, to_langchain, to_llama_index
from rag.bridge.carry import Piece, anchored, node_at
from rag.errors import ConfigError, RagError, StageError
from rag.index import Index
from rag.models.embed import HashEmbedder
from rag.optional import available
from rag.store.folder import open_store
from rag.testing import check_stage
from rerankers.mmr import MMR
from rerankers.neighbours import Neighbours
from retrievers.bm25 import BM25

haystack = pytest.mark.skipif(not available("haystack"), reason="haystack is not installed")
TEXTS = {
    "harbour.md": "# The harbour\n\n"
    + "The harbour of Vell was dredged in 1904 by the engineer Ada Lind. It is 12 metres deep. " * 3
    + "\n\n## Hours\n\nThe office opens at 08:30. Ships over 90 metres book a pilot two days ahead.\n\n"
    + "## Again\n\nThe office opens at 08:30. Ships over 90 metres book a pilot two days ahead.\n",
    "lamp.txt": "🚢 The lamp of the lighthouse was lit by Ode Bram in 1911.\n\nThe harbour master paid for the oil.\n",
    "granite.txt": "A storm broke the outer wall in 1911. The wall was rebuilt in granite by 1913.\n" * 4,
}
QUESTION = "Who dredged the harbour of Vell?"
DOCUMENTS = [
    Document(name, text, "", "text/markdown" if name.endswith(".md") else "text/plain") for name, text in TEXTS.items()
]
CHUNKER = StructureChunker(size=40)


@pytest.fixture(scope="module")
def index() -> Index:
    made: Index = Pipeline(chunker=CHUNKER, stages=(BM25(k=20),)).index(DOCUMENTS)
    return made


def spans_of(index: Index, *steps: Any, question: str = QUESTION) -> list[tuple[str, int, int, str]]:
    hits = index.run(question)
    for step in steps:
        hits = step(hits)
    return [(hit.doc, a, b, t) for hit in hits for (a, b), t in zip(hit.spans, hit.pieces, strict=True)]


class InLlamaIndex:
    """How a user of llama-index calls our things."""

    @staticmethod
    def chunk() -> list[tuple[str, int, int, str]]:
        documents = [LlamaDocument(text=t, id_=n, metadata={"file_name": n}) for n, t in TEXTS.items()]
        nodes = to_llama_index(CHUNKER).get_nodes_from_documents(documents)
        return [(n.ref_doc_id, n.start_char_idx, n.end_char_idx, n.text) for n in nodes]

    @staticmethod
    def find(index: Index, *steps: Any, within: Index | None = None) -> list[tuple[str, int, int, str]]:
        nodes = to_llama_index(index).retrieve(QUESTION)
        for step in steps:
            nodes = to_llama_index(step, index=within).postprocess_nodes(nodes, query_str=QUESTION)
        return [(n.node.ref_doc_id, n.node.start_char_idx, n.node.end_char_idx, n.node.text) for n in nodes]


class InLangchain:
    """How a user of langchain calls our things."""

    @staticmethod
    def chunk() -> list[tuple[str, int, int, str]]:
        documents = [LangchainDocument(t, metadata={"source": n}) for n, t in TEXTS.items()]
        made = to_langchain(CHUNKER).split_documents(documents)
        return [(d.metadata["source"], d.metadata["start_index"], d.metadata["end"], d.page_content) for d in made]

    @staticmethod
    def find(index: Index, *steps: Any, within: Index | None = None) -> list[tuple[str, int, int, str]]:
        documents = to_langchain(index).invoke(QUESTION)
        for step in steps:
            documents = to_langchain(step, index=within).compress_documents(documents, QUESTION)
        return [(d.metadata["doc"], d.metadata["start"], d.metadata["end"], d.page_content) for d in documents]


class InHaystack:
    """How a user of haystack calls our things, in one of its pipelines."""

    @staticmethod
    def chunk() -> list[tuple[str, int, int, str]]:
        from haystack import Document as Source

        documents = [Source(content=t, meta={"file_path": n}) for n, t in TEXTS.items()]
        made = to_haystack(CHUNKER).run(documents=documents)["documents"]
        return [(d.meta["source_id"], d.meta["split_idx_start"], d.meta["end"], d.content) for d in made]

    @staticmethod
    def find(index: Index, *steps: Any, within: Index | None = None) -> list[tuple[str, int, int, str]]:
        from haystack import Pipeline as Pipe

        pipe = Pipe()
        pipe.add_component("retriever", to_haystack(index))
        asked, last = {"retriever": {"query": QUESTION}}, "retriever"
        for i, step in enumerate(steps):
            pipe.add_component(f"step{i}", to_haystack(step, index=within))
            pipe.connect(f"{last}.documents", f"step{i}.documents")
            asked[f"step{i}"], last = {"query": QUESTION}, f"step{i}"
        documents = pipe.run(asked)[last]["documents"]
        return [(d.meta["doc"], d.meta["start"], d.meta["end"], d.content) for d in documents]


FRAMEWORKS = [InLlamaIndex, InLangchain, pytest.param(InHaystack, marks=haystack)]


@pytest.mark.parametrize("user", FRAMEWORKS)
def test_a_chunker_cuts_the_same_leaves_everywhere(user: Any) -> None:
    ours = [(d.id, leaf.start, leaf.end, leaf.text) for d in DOCUMENTS for leaf in CHUNKER(d).leaves()]
    assert user.chunk() == ours
    texts = [text for *_, text in ours]
    assert len(set(texts)) < len(texts), "some texts repeat, so searching for them would err"


@pytest.mark.parametrize("user", FRAMEWORKS)
def test_a_question_finds_the_same_spans_everywhere(user: Any, index: Index) -> None:
    assert user.find(index) == spans_of(index)


@pytest.mark.parametrize("user", FRAMEWORKS)
@pytest.mark.parametrize(
    "step",
    [MMR(embedder=HashEmbedder(dim=64), k=4), Extract(budget=60)],
    ids=["mmr", "extract"],
)
def test_rerankers_and_compressors_choose_the_same_spans_everywhere(user: Any, step: Any, index: Index) -> None:
    ours = spans_of(index, step)
    assert user.find(index, step, within=index) == ours
    for doc, start, end, text in user.find(index, step):
        assert TEXTS[doc][start:end] == text, "without the index every span is a slice as well"


@pytest.mark.parametrize("user", FRAMEWORKS)
def test_steps_follow_one_another(user: Any, index: Index) -> None:
    steps = (MMR(embedder=HashEmbedder(dim=64), k=5), Extract(budget=80))
    assert user.find(index, *steps, within=index) == spans_of(index, *steps)


@pytest.mark.parametrize("user", FRAMEWORKS)
def test_scores_of_earlier_stages_cross_too(user: Any, index: Index) -> None:
    steps = (MMR(embedder=HashEmbedder(dim=64), k=8), Neighbours(near=2.0, k=4))
    assert user.find(index, *steps, within=index) == spans_of(index, *steps)


# Theirs, as ours


class Reverse(BaseNodePostprocessor):
    """A reranker of llama-index that turns the order around, and cuts the last text in half."""

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: Any = None) -> list[NodeWithScore]:
        assert query_bundle is not None
        made = [NodeWithScore(node=n.node, score=float(i)) for i, n in enumerate(reversed(nodes))]
        last = made[-1].node
        half = TextNode(text=last.text[: len(last.text) // 2], id_=last.node_id)
        return [*made[:-1], NodeWithScore(node=half, score=9.0)]


class Loud(BaseDocumentCompressor):
    """A compressor of langchain that rewrites the first text, keeps the second and forgets the rest."""

    def compress_documents(self, documents: Any, query: str, callbacks: Any = None) -> list[LangchainDocument]:
        first, second = documents[:2]
        return [LangchainDocument(first.page_content.upper(), metadata=first.metadata), second]


class Fixed(LangchainRetriever):
    """A retriever of langchain over texts of its own."""

    found: list[LangchainDocument]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[LangchainDocument]:
        return self.found


@cache
def splitters() -> list[Any]:
    made = [
        from_llama_index(SentenceSplitter(chunk_size=40, chunk_overlap=0)),
        from_langchain(RecursiveCharacterTextSplitter(chunk_size=120, chunk_overlap=0)),
    ]
    if available("haystack"):
        from haystack.components.preprocessors import DocumentSplitter

        made.append(from_haystack(DocumentSplitter(split_by="word", split_length=20)))
    return made


@pytest.mark.parametrize("which", range(3), ids=["llama-index", "langchain", "haystack"])
@settings(max_examples=25)
@given(text=st.text(alphabet="ab 🚢.\n\t\ud800é", max_size=300) | st.sampled_from(sorted(TEXTS.values())))
def test_their_splitters_tile_any_text(which: int, text: str) -> None:
    if which == 2 and not available("haystack"):
        pytest.skip("haystack is not installed")
    tree = splitters()[which](Document("d", text))
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == text


def test_a_pipeline_of_theirs_indexes_and_answers(tmp_path: Path) -> None:
    for chunker in splitters():
        pipe = Pipeline(
            chunker=chunker, stages=(BM25(k=5), from_llama_index(SimilarityPostprocessor(similarity_cutoff=0.01)))
        )
        folder = tmp_path / chunker.theirs.framework
        made = pipe.index(DOCUMENTS, folder)
        assert made.ask(QUESTION).context
        with pytest.raises(ConfigError):
            open_index(folder)  # its file names classes that are no installed stages
        again = open_index(folder, allow=["rag"])
        with pytest.raises(StageError, match="cannot be read from a file. Build the pipeline in Python"):
            again.ask(QUESTION)
        home = Index(pipe, open_store(folder), folder)
        assert spans_of(home) == spans_of(made)


def test_what_their_reranker_does_to_hits_is_told(index: Index) -> None:
    before = index.run(QUESTION)
    after = from_llama_index(Reverse())(before)
    assert [hit.key for hit in after] == [hit.key for hit in reversed(before.items)]
    assert [hit.score for hit in after][:-1] == [float(i) for i in range(len(before) - 1)]
    cut = after[-1]
    assert cut.text == before[0].text[: len(before[0].text) // 2], "shortened text stays a slice of its source"
    loud = from_langchain(Loud())(before)
    assert [hit.key for hit in loud] == [before[1].key]
    reasons = {drop.hit.key: drop.reason for drop in loud.drops}
    assert reasons[before[0].key] == "came back with text that is not in it"
    assert set(reasons) == {hit.key for hit in before} - {before[1].key}


@haystack
def test_their_ranker_is_a_stage(index: Index) -> None:
    from haystack.components.rankers import LostInTheMiddleRanker

    before = index.run(QUESTION)
    after = from_haystack(LostInTheMiddleRanker())(before)
    assert {hit.key for hit in after} == {hit.key for hit in before}
    assert after[0].key == before[0].key


def test_their_retriever_is_anchored_in_our_documents() -> None:
    text = TEXTS["granite.txt"]
    found = [
        LangchainDocument("The wall was rebuilt in granite by 1913.", metadata={"source": "granite.txt"}),
        LangchainDocument(text[80:118], metadata={"source": "granite.txt", "start_index": 80}),
        LangchainDocument("Nothing that stands anywhere.", metadata={"source": "granite.txt"}),
        LangchainDocument("The lamp", metadata={"source": "lamp.txt"}),
        LangchainDocument("The lamp", metadata={"source": "elsewhere.txt"}),
    ]
    pipe = Pipeline(chunker=CHUNKER, stages=(from_langchain(Fixed(found=found), k=3),))
    index = pipe.index(DOCUMENTS)
    hits = index.run("wall")
    assert [(h.doc, h.start, h.text) for h in hits] == [
        ("granite.txt", text.index("The wall was"), found[0].page_content),
        ("granite.txt", 80, text[80:118]),
        ("lamp.txt", 2, "The lamp"),
    ]
    assert hits.notes == {"langchain/Fixed": {"not in the index": 2}}
    assert all(hit.view.start <= hit.start and hit.end <= hit.view.end for hit in hits)
    scoped = index.run(Query("q", "wall", scope=("lamp.txt",)))
    assert [h.doc for h in scoped] == ["lamp.txt"]
    assert index.run(Query("q", "x", scope=())).items == ()


def test_our_retriever_comes_home_through_every_framework(index: Index) -> None:
    ours = spans_of(index)
    there = [from_llama_index(to_llama_index(index)), from_langchain(to_langchain(index))]
    if available("haystack"):
        there.append(from_haystack(to_haystack(index)))
    for one in there:
        home = Pipeline(chunker=CHUNKER, stages=(one,)).index(DOCUMENTS)
        assert spans_of(home) == ours


def test_a_llama_index_of_our_chunks_is_asked_from_both_sides(index: Index) -> None:
    from llama_index.core import VectorStoreIndex

    documents = [LlamaDocument(text=t, id_=n, metadata={"file_name": n}) for n, t in TEXTS.items()]
    theirs = VectorStoreIndex.from_documents(
        documents, transformations=[to_llama_index(CHUNKER)], embed_model=to_llama_index(HashEmbedder(dim=64))
    )
    nodes = theirs.as_retriever(similarity_top_k=4).retrieve(QUESTION)
    home = Pipeline(
        chunker=CHUNKER,
        stages=(
            from_llama_index(theirs.as_retriever(similarity_top_k=4)),
            MMR(embedder=HashEmbedder(dim=64), k=4, lam=0.9),
        ),
    ).index(DOCUMENTS)
    hits = home.run(QUESTION)
    assert {(h.doc, h.start, h.end) for h in hits} == {
        (n.node.ref_doc_id, n.node.metadata["start"], n.node.metadata["end"]) for n in nodes
    }
    assert all(hit.node in hit.tree.leaf_ids for hit in hits), "their finds are our leaves"


@pytest.mark.parametrize("which", range(4), ids=["postprocessor", "llama-index", "langchain", "haystack"])
def test_stages_around_theirs_keep_the_contract(which: int, index: Index) -> None:
    if which == 3 and not available("haystack"):
        pytest.skip("haystack is not installed")
    step = [from_llama_index(SimilarityPostprocessor(similarity_cutoff=-1)), *splitters()][which]
    check_stage(step, hits=[index.run(q) for q in ("harbour", "office opens", "zzz")])
    lost = pickle.loads(pickle.dumps(step))
    assert lost == step
    with pytest.raises(RagError, match="cannot be read from a file"):
        lost(DOCUMENTS[0] if which else index.run("harbour"))


def test_what_cannot_cross_is_told() -> None:
    with pytest.raises(ConfigError, match="a bridge takes"):
        to_llama_index("a string")
    with pytest.raises(ConfigError, match="must be a NodeParser, BaseNodePostprocessor or BaseRetriever, got dict"):
        from_llama_index({})
    with pytest.raises(ConfigError, match="must be a TextSplitter"):
        from_langchain(SentenceSplitter())
    with pytest.raises(ConfigError, match="whose run takes"):
        from_haystack(object())
    with pytest.raises(ConfigError, match="needs the question"):
        to_llama_index(MMR(embedder=HashEmbedder())).postprocess_nodes([NodeWithScore(node=TextNode(text="a"))])


def test_secrets_of_their_objects_are_not_written() -> None:
    class Keyed(Loud):
        api_key: str = "sk-secret"
        model: str = "m"

    assert from_langchain(Keyed()).theirs.settings == {"model": "m"}


def test_a_reader_does_not_run_when_only_evidence_is_asked_for() -> None:
    pipe = load("lexical")
    with_reader = replace(pipe, stages=(*pipe.stages, load("quickstart").stages[-1]))
    index = with_reader.index(DOCUMENTS)
    assert to_langchain(index).invoke(QUESTION)


@given(start=st.integers(0, 60), size=st.integers(1, 20))
def test_the_smallest_node_holds_the_range(start: int, size: int) -> None:
    text = "".join(f"word{i} " for i in range(20))
    tree = CHUNKER(Document("d", text))
    end = min(start + size, len(text))
    node = node_at(tree, start, end)
    assert tree.start[node] <= start
    assert end <= tree.end[node]
    assert not any(tree.start[c] <= start and end <= tree.end[c] for c in tree.child_ids[node])


def test_pieces_without_text_or_place_cross_as_documents_of_their_own() -> None:
    given_ = [Piece("a b"), Piece("  "), Piece("a b"), Piece("c", "elsewhere", 5)]
    hits, number = anchored(Query("q", "a"), given_, None)
    assert [hit.text for hit in hits] == ["a b", "a b", "c"]
    assert sorted(number.values()) == [0, 2, 3]
