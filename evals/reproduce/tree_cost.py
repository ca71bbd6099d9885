"""What trees cost: building a thousand pages, one edited sentence, a question over a million nodes.

Three parts, each with a bound measured in the same run. All times are processor time of one thread.

- `build`: clean text of many sets is cut, summarised (`trees/clusters`, `trees/summaries`), and indexed for BM25 and
  tree search, nothing is embedded; 500 words are a page. The least of five rounds is given with all of them. Bound:
  bm25s tokenises and indexes the same chunks. Calls of language models are those of the ledger.
- `edit`: in documents of about a thousand chunks one sentence is put in, taken out or changed, and the index brought up
  to date; the texts that the embedder is given and the calls that the language model gets are counted. With the
  chunker alone, and with `trees/steady`, which keeps cuts, and `trees/clusters`, which then keeps groups. All edits
  together: mean with its 95 % percentile bootstrap, and the most. A node whose answer could not be used is asked
  about again at every update and counts (4 of 192 in the stories, 3 of them off the path); an edit that makes two
  chunks new has two paths.
- `ask`: trees of a million nodes, as 100,000 short documents and as 1,000 long ones; BM25 ranks the leaves. Bounds:
  bm25s over the same leaves, and one product of a matrix of a million rows of 64 numbers with a vector.
"""

from __future__ import annotations

import json
import random
import re
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.bench.million import ask
from evals.bench.nodes import library
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from evals.stats import intervals
from rag.config import load as recipe
from rag.indexing import index
from rag.models.calls import Calls, using
from rag.models.embed import HashEmbedder
from rag.models.llm import Message, Reply
from rag.sentences import sentence_spans
from rag.trees.clusters import Clusters
from rag.trees.steady import Steady
from rag.trees.summaries import Summaries
from rag.types import Document
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.tree import TreeRetriever

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree

__all__ = ["Asked", "Read", "build", "edit", "pages", "reproduce"]

SETS = ("govreport_small", "squality", "qmsum", "squad_long", "contractnli", "docs_qa")
LONG = ("contractnli", "squality", "docs_qa")  # of which documents of a thousand chunks are made
PAGES, PAGE = 1000, 500  # pages, words of a page
CHARACTERS = 560_000  # of a document of about a thousand chunks
EDITS = 12  # of each document and way
ROUNDS = 5
MOST = (5.0, 2, 50.0)  # seconds a thousand pages, leaves embedded, milliseconds a question
LINE = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)


@dataclass
class Read:
    """An embedder that counts the texts it is given."""

    dim: int = 64
    name: str = "counted/64"
    fingerprint: str = "counted/64@1"
    max_tokens: int = 8192
    texts: int = field(default=0, repr=False)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Hashed words; the texts are counted."""
        self.texts += len(texts)
        return HashEmbedder(dim=self.dim).embed(texts, query=query)


@dataclass
class Asked:
    """A language model that says the beginning of the first sentence it is shown, and counts its calls."""

    calls: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return "first-sentence"

    @property
    def fingerprint(self) -> str:
        """Its name and version."""
        return "first-sentence@1"

    def complete(self, messages: Sequence[Message], **settings: Any) -> Reply:
        """The first words of the first numbered sentence, cited."""
        self.calls += 1
        number, said = LINE.findall(messages[1].content)[0]
        told = {"sentences": [{"text": " ".join(said.split()[:12]), "cites": [int(number)]}]}
        return Reply(json.dumps(told), 1, 1)


def pages(folder: Path, sets: Sequence[str], words: int) -> list[Document]:
    """Documents of some sets, whole, in order, until there are so many words; `folder` itself where it is a set."""
    found: list[Document] = []
    for name in sets if (folder / sets[0]).exists() else ("",):
        data = load(folder / name if name else folder)
        for doc in data.places:
            text = data.text(doc)
            size = len(text.split())
            if size <= words:
                found.append(Document(f"{name}/{doc}", text))
                words -= size
    return found


def build(documents: Sequence[Document], rounds: int = ROUNDS) -> dict[str, Any]:
    """Cut, summarise and index, against bm25s on the same chunks."""
    import bm25s

    tree = TreeRetriever(inner=BM25())
    growers = (Clusters(), Summaries())
    count = sum(len(document.text.split()) for document in documents) / PAGE
    spent: list[float] = []
    peer: list[float] = []
    with using(Calls()) as calls:
        for _ in range(rounds):
            began = time.process_time()
            store, report = index(StructureChunker(), growers, (tree.inner, tree), documents)
            spent.append(time.process_time() - began)
            texts = list(store.corpus.texts(path=True))
            began = time.process_time()
            bm25s.BM25().index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
            peer.append(time.process_time() - began)
        plain = recipe("tree")
        for document in documents[:3]:
            plain.tree(document)
        used = calls.ledger.usage()
    corpus = store.corpus
    return {
        "documents": len(documents),
        "pages": round(count),
        "leaves": report.leaves,
        "nodes": sum(len(corpus.tree(i)) for i in range(len(documents))),
        "summarised": sum(len(corpus.tree(i).notes.get("summary", ())) for i in range(len(documents))),
        "model_calls": int(used.get("calls", 0)),
        "seconds": [round(one, 3) for one in spent],
        "bm25s_seconds": [round(one, 3) for one in peer],
        "seconds_per_1000_pages": round(min(spent) / count * PAGES, 2),
        "times_bm25s": round(min(spent) / min(peer), 2),
    }


def edit(name: str, text: str, edits: int = EDITS, seed: int = 0) -> dict[str, Any]:
    """Index a document, then bring the index up to date after one edited sentence, many times over."""
    chunker = StructureChunker()
    base = Document(name, text)
    ways: dict[str, tuple[Any, ...]] = {"chunker alone": (), "steady": (Steady(),)}
    plain = chunker(base)
    places = _sentences(plain)
    rows: dict[str, Any] = {}
    for way, first in ways.items():
        llm, read = Asked(), Read()
        growers = (*first, Clusters(steady=bool(first)), Summaries(llm=llm, keywords=False))
        dense = Dense(embedder=read)
        with using(Calls(retries=0)):
            store, report = index(chunker, growers, (dense,), [base])
            depth = _depth(store.corpus.tree(0))
            at = {"embedded": read.texts, "summarised": llm.calls}
            rng = random.Random(seed)
            embedded, summarised, within = [], [], []
            for number in range(edits):
                changed = _changed(text, rng.choice(places), ("in", "out", "other")[number % 3], number)
                calls, texts = llm.calls, read.texts
                after, _ = index(chunker, growers, (dense,), [Document(name, changed)], base=store)
                embedded.append(read.texts - texts)
                summarised.append(llm.calls - calls)
                within.append(summarised[-1] <= _depth(after.corpus.tree(0)))
        rows[way] = {
            "leaves": report.leaves,
            "depth": depth,
            "at_first": at,
            "embedded": embedded,
            "summarised": summarised,
            "within_depth": sum(within),
        }
    return rows


def _sentences(tree: DocTree) -> list[tuple[int, int]]:
    """Sentences of running text, some words long, each inside one leaf."""
    text = tree.document.text
    found = []
    for leaf in tree.leaves():
        if leaf.kind == "text":
            found += [
                (a, b) for a, b in sentence_spans(text, leaf.start, leaf.end) if len(text[a:b].split()) >= 6
                and text[a:b].lstrip()[:1].isalpha() and text[a:b].rstrip()[-1:] == "."
            ]  # fmt: skip
    return found


def _changed(text: str, span: tuple[int, int], how: str, number: int) -> str:
    a, b = span
    if how == "in":
        return f"{text[:b].rstrip(' ')} Rain fell over the harbour on day {number} until noon. {text[b:].lstrip(' ')}"
    if how == "out":
        return text[:a] + text[b:]
    last = text[a:b].rstrip()
    return f"{text[:a]}{last[:-1]}, or so they said on day {number}.{text[a + len(last) :]}"


def _depth(tree: DocTree) -> int:
    depth = [0] * len(tree)
    for i in range(1, len(tree)):
        depth[i] = depth[int(tree.parent[i])] + 1
    return max(depth)


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """All three parts; `--limit` bounds edits a document and questions."""
    folder = Path(given.data or SAMPLE)
    tell("build\n")
    built = build(pages(folder, SETS, PAGES * PAGE))
    edits: dict[str, Any] = {}
    for name in LONG if (folder / LONG[0]).exists() else ("",):
        tell(f"edit {name}\n")
        text = "\n\n".join(document.text for document in pages(folder, (name or LONG[0],), PAGES * PAGE))[:CHARACTERS]
        edits[name or "sample"] = edit(name or "sample", text, given.limit or EDITS, given.seed)
    pooled: dict[str, Any] = {}
    for way in ("chunker alone", "steady"):
        rows = [one[way] for one in edits.values()]
        pooled[way] = {
            "n": sum(len(row["embedded"]) for row in rows),
            "within_depth": sum(r["within_depth"] for r in rows),
        }
        for what in ("embedded", "summarised"):
            values = [value for row in rows for value in row[what]]
            mean = intervals(np.array(values, dtype=float)[:, None], seed=given.seed)[0]
            pooled[way][what] = {"mean": [round(x, 2) for x in mean[:3]], "most": max(values)}
    asked: dict[str, Any] = {}
    for name, shape in {
        "short": {"documents": 100_000},
        "long": {"documents": 1000, "sections": 333, "held": 1000},
    }.items():
        tell(f"ask {name}\n")
        asked[name] = ask(library(seed=given.seed, **shape), given.limit or 40, given.seed)
    lines = [
        ["1,000 pages, s", f"{built['seconds_per_1000_pages']:.2f}", f"{MOST[0]:g}", f"{built['times_bm25s']} x bm25s"]
    ]
    lines.append(["model calls", str(built["model_calls"]), "0", ""])
    for way, row in pooled.items():
        for what in ("embedded", "summarised"):
            one = row[what]
            told = f"mean {one['mean'][0]} ({one['mean'][1]} to {one['mean'][2]}), n {row['n']}"
            if what == "summarised":
                told += f", within depth {row['within_depth']}"
            lines.append([f"edit, {way}: {what}", str(one["most"]), "2" if what == "embedded" else "depth", told])
    for name, row in asked.items():
        for strategy in ("flat", "collapsed", "beam", "bm25s", "product"):
            one = row["ms"][strategy]
            about = f"{row['nodes']:,} nodes, {name} documents: {strategy}, ms"
            told = "p95 {:.1f}, mean {:.1f} ({:.1f} to {:.1f})".format(one["p95"], *one["mean"])
            lines.append([about, f"{one['median']:.1f}", f"{MOST[2]:g}", told])
    table = as_table("what|measured|bound|", lines)
    return {"seed": given.seed, "build": built, "edits": edits, "edit": pooled, "ask": asked, "table": table}
