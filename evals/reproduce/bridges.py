"""The same questions through llama-index, langchain and haystack: whether they give our spans, and what crossing costs.

The bundled articles are cut by one chunker in every framework, asked through one index, and the finds pass one reranker
and one compressor, each in the framework's own form. A question agrees where spans, order and texts are ours. The time
is processor time of all three steps, above our own pipeline's on the same question.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from chunkers.structure import StructureChunker
from compressors.extract import Extract
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from evals.stats import interval
from rag.bridge import to_haystack, to_langchain, to_llama_index
from rag.index import Index
from rag.pipeline import Pipeline
from rag.types import Document
from rerankers.mmr import MMR
from retrievers.bm25 import BM25

__all__ = ["FRAMEWORKS", "chunked", "found", "ours", "reproduce"]

Row = tuple[str, int, int, str]
CHUNKER = StructureChunker()
STEPS = (MMR(k=8), Extract(budget=300))
PACKAGES = {
    "llama-index": ("llama-index-core",),
    "langchain": ("langchain-core", "langchain-text-splitters"),
    "haystack": ("haystack-ai",),
}
FRAMEWORKS = tuple(PACKAGES)


def ours(index: Index, question: str) -> list[Row]:
    """Ranges and texts of our own pipeline."""
    hits = index.run(question)
    return [(hit.doc, a, b, t) for hit in hits for (a, b), t in zip(hit.spans, hit.pieces, strict=True)]


def chunked(framework: str, texts: Sequence[tuple[str, str]]) -> list[Row]:
    """The leaves that a framework gets from our chunker."""
    if framework == "llama-index":
        from llama_index.core.schema import Document as Source

        nodes = to_llama_index(CHUNKER).get_nodes_from_documents([Source(text=t, id_=n) for n, t in texts])
        return [(n.ref_doc_id, n.start_char_idx, n.end_char_idx, n.text) for n in nodes]
    if framework == "langchain":
        made = to_langchain(CHUNKER).create_documents([t for _, t in texts], [{"source": n} for n, _ in texts])
        return [(d.metadata["source"], d.metadata["start_index"], d.metadata["end"], d.page_content) for d in made]
    splitter = to_haystack(CHUNKER)
    from haystack import Document as Passage

    pieces = splitter.run(documents=[Passage(content=t, id=n) for n, t in texts])["documents"]
    return [(d.meta["source_id"], d.meta["split_idx_start"], d.meta["end"], d.content) for d in pieces]


def found(framework: str, index: Index) -> Callable[[str], list[Row]]:
    """Question -> ranges and texts, through a framework's retriever, reranker and compressor."""
    if framework == "llama-index":
        finder = to_llama_index(index)
        after = [to_llama_index(step, index=index) for step in STEPS]

        def ask_llama(question: str) -> list[Row]:
            nodes = finder.retrieve(question)
            for step in after:
                nodes = step.postprocess_nodes(nodes, query_str=question)
            return [(n.node.ref_doc_id, n.node.start_char_idx, n.node.end_char_idx, n.node.text) for n in nodes]

        return ask_llama
    if framework == "langchain":
        searcher = to_langchain(index)
        compressors = [to_langchain(step, index=index) for step in STEPS]

        def ask_langchain(question: str) -> list[Row]:
            documents = searcher.invoke(question)
            for step in compressors:
                documents = step.compress_documents(documents, question)
            return [(d.metadata["doc"], d.metadata["start"], d.metadata["end"], d.page_content) for d in documents]

        return ask_langchain
    return _in_haystack(index)


def _in_haystack(index: Index) -> Callable[[str], list[Row]]:
    parts = {"retriever": to_haystack(index)}
    parts |= {f"step{i}": to_haystack(step, index=index) for i, step in enumerate(STEPS)}
    from haystack import Pipeline as Pipe

    pipe = Pipe()
    for name, part in parts.items():
        pipe.add_component(name, part)
    names = list(parts)
    for one, other in pairwise(names):
        pipe.connect(f"{one}.documents", f"{other}.documents")

    def ask(question: str) -> list[Row]:
        made = pipe.run({name: {"query": question} for name in names})[names[-1]]["documents"]
        return [(d.meta["doc"], d.meta["start"], d.meta["end"], d.content) for d in made]

    return ask


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Agreement and cost, by framework."""
    data = load(SAMPLE.with_name("wikipedia"))
    documents = [Document(doc, data.text(doc)) for doc in data.places]
    texts = [(one.id, one.text) for one in documents]
    finds = Pipeline(chunker=CHUNKER, stages=(BM25(k=20),)).index(documents)
    whole = Pipeline(chunker=CHUNKER, stages=(BM25(k=20), *STEPS)).index(documents)
    leaves = [(d.id, leaf.start, leaf.end, leaf.text) for d in documents for leaf in CHUNKER(d).leaves()]
    questions = [item.query().text for item in data.items][: given.limit]
    result: dict[str, Any] = {"seed": given.seed, "n": len(questions), "leaves": len(leaves), "frameworks": {}}
    lines = []
    for framework in FRAMEWORKS:
        ask = found(framework, finds)
        tell(f"{framework}\n")
        ask(questions[0])
        ours(whole, questions[0])
        same, cost = [], []
        for question in questions:
            begin = time.process_time()
            mine = ours(whole, question)
            middle = time.process_time()
            theirs = ask(question)
            cost.append((middle - begin, time.process_time() - middle))
            same.append(float(mine == theirs))
        agree, pairs = interval(same, seed=given.seed), np.array(cost)
        more = interval(1000 * (pairs[:, 1] - pairs[:, 0]), seed=given.seed)
        row: dict[str, Any] = {
            "versions": {name: version(name) for name in PACKAGES[framework]},
            "leaves": float(sorted(chunked(framework, texts)) == sorted(leaves)),
            "agree": [agree.value, agree.low, agree.high],
            "more ms": [round(value, 3) for value in (more.value, more.low, more.high)],
            "ours ms": round(1000 * float(pairs[:, 0].mean()), 3),
        }
        result["frameworks"][framework] = row
        told = ", ".join(f"{name} {number}" for name, number in row["versions"].items())
        lines.append(
            [
                told,
                f"{row['leaves']:.0f}",
                f"{agree.value:.3f}",
                f"{more.value:.2f} ({more.low:.2f} to {more.high:.2f})",
            ]
        )
    result["table"] = as_table("package|leaves|questions that agree|more ms a question (95 %)", lines) + (
        f"{len(questions)} questions, {len(leaves)} leaves; ours takes"
        f" {np.mean([row['ours ms'] for row in result['frameworks'].values()]):.2f} ms of processor time\n"
    )
    return result
