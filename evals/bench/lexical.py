"""Lexical questions a second, beside bare bm25s over the same terms."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.contest import Tell, in_turn, silent, table
from rag import indexing
from rag.doctree import DocTree, flat
from rag.optional import available, require
from rag.pipeline import Pipeline, bound
from rag.store.terms import ENGLISH, Analyzer
from rag.types import Document, Query
from retrievers.bm25 import BM25

__all__ = ["corpus", "lexical", "questions"]

SAMPLES = Path(__file__).parents[1] / "samples"
SENTENCES = 5  # a chunk, about 100 words
CHUNKS = 50  # a document
QUESTIONS = 200
RARE = 0.03  # share of words replaced by rare ones, so that the vocabulary grows as real ones do
BARE = "bm25s, terms given"


@dataclass(frozen=True)
class _Lines:
    """One leaf a line."""

    def __call__(self, document: Document, /) -> DocTree:
        ends = [m.end() for m in re.finditer("\n", document.text)]
        return flat(document, list(zip([0, *ends[:-1]], ends, strict=True)))


def corpus(chunks: int, seed: int = 0) -> list[Document]:
    """Documents of `CHUNKS` lines, each of sentences drawn from the bundled samples, with rare words strewn in.

    Words of real sentences keep their real frequencies; rare ones are drawn by Zipf's law from 200,000 made up.

    Args:
        chunks: lines in all.
        seed: same seed, same documents.
    """
    texts = _texts("corpus.jsonl")
    found = [s for text in texts for s in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if 20 < len(s) < 400]
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 200_001)
    cumulative = np.cumsum(share / share.sum())
    lines = []
    for _ in range(chunks):
        words = " ".join(found[i] for i in rng.integers(0, len(found), SENTENCES)).split()
        for at in np.flatnonzero(rng.random(len(words)) < RARE).tolist():
            words[at] = _made_up(int(np.searchsorted(cumulative, rng.random())))
        lines.append(" ".join(words) + "\n")
    starts = range(0, chunks, CHUNKS)
    return [Document(f"d{i:06d}", "".join(lines[start : start + CHUNKS])) for i, start in enumerate(starts)]


def _texts(name: str) -> list[str]:
    files = sorted(SAMPLES.glob(f"*/{name}"))
    return [json.loads(line)["text"] for file in files for line in file.read_bytes().splitlines()]


def _made_up(number: int) -> str:
    """A pronounceable word of its own for each number."""
    word = ""
    while True:
        number, letter = divmod(number, 80)
        word += "bcdfghjklmnprstv"[letter % 16] + "aeiou"[letter // 16]
        if not number:
            return word + "x"


def questions(count: int = QUESTIONS) -> list[str]:
    """The bundled questions of real people, in order."""
    found = _texts("queries.jsonl")
    return found[:: max(1, len(found) // count)][:count]


def lexical(
    chunks: int = 100_000, repeat: int = 5, tell: Tell = silent, *, numba: bool | None = None
) -> dict[str, Any]:
    """Questions a second for k = 10 and 100: ours in a folder and in memory, and bare bm25s.

    Everyone has the same terms and the same formula, and the scores are compared. Bare bm25s gets its question as
    terms, or tokenises it itself; it gives row numbers, ours gives `Hits` with spans into documents. Once with the
    stop words of questions left out, as is the default, and once with them, where most of the time is adding up.

    Args:
        chunks: leaves in the index.
        repeat: rounds; medians are reported.
        tell: called with (done, total, label).
        numba: whether bm25s's compiled backend takes part; by default where it is installed.
    """
    documents, analyzer = corpus(chunks), Analyzer()
    bags = [analyzer.terms(line) for document in documents for line in document.text.splitlines()]
    began = time.perf_counter()
    bare = _bare(BM25(), bags, numba=available("numba") if numba is None else numba)
    built = {"bm25s": time.perf_counter() - began}
    del bags
    asked = [text for text in questions() if _known(BM25(), text, bare[BARE])]  # bm25s takes no empty question
    rows: list[list[Any]] = []
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        stored, _ = indexing.index(_Lines(), (), [BM25(path=False)], documents, out=Path(folder) / "index")
        built["ours"] = time.perf_counter() - began
        held, _ = indexing.index(_Lines(), (), [BM25(path=False)], documents)
        for shape, k in product((BM25(path=False), BM25(path=False, stopwords="none")), (10, 100)):
            name = f"k={k}" + (", stop words kept" if shape.stopwords == "none" else "")
            contestants, equal = _contestants(replace(shape, k=k), asked, bare, stored, held)
            seconds = in_turn(contestants, repeat, tell, f"lexical, {name}")
            rates = {
                what: {"queries_per_second": len(asked) / value, "ratio": seconds[BARE] / value}
                for what, value in seconds.items()
            }
            figures[name] = {"rates": rates, "equal_scores": equal}
            rows += [[name, what, *facts.values()] for what, facts in figures[name]["rates"].items()]
        stored.close()  # type: ignore[attr-defined]
    title = f"Lexical search over {chunks:,} chunks, {len(asked)} questions (median of {repeat})"
    return {
        "table": table(title, ["search", "what", "questions/s", "of bare bm25s"], rows),
        "figures": {"chunks": chunks, "questions": len(asked), "build_seconds": built, **figures},
        "notes": [
            f"built in {built['ours']:.1f} s, documents and term counts included; the matrix of bm25s, terms given, in"
            f" {built['bm25s']:.1f} s",
            *(f"{k}: scores equal bm25s's for {figures[k]['equal_scores']:.0%} of the questions" for k in figures),
        ],
    }


def _contestants(
    ours: BM25, asked: Sequence[str], bare: dict[str, Any], stored: Any, held: Any
) -> tuple[dict[str, Callable[[], object]], float]:
    """Who takes part, and the share of the questions whose scores are bm25s's."""
    queries = [Query(f"q{i}", text) for i, text in enumerate(asked)]
    ready = ours.bind(stored)
    terms = [_known(ours, text, bare[BARE]) for text in asked]
    contestants = {
        "retrievers/bm25, index folder": _each(ready, queries),
        "retrievers/bm25, in memory": _each(ours.bind(held), queries),
        "pipeline of it, index folder": _each(bound(Pipeline(stages=(ours,)), stored), queries),
        **{name: _each(_retrieve(one, ours.k), terms) for name, one in bare.items()},
        "bm25s, tokenize and retrieve": _each(_tokenised(bare[BARE], ours), asked),
    }
    return contestants, _equal(ready, queries, bare[BARE], terms)


def _bare(shape: BM25, bags: list[list[str]], *, numba: bool) -> dict[str, Any]:
    bm25s = require("bm25s", extra="peers", by="rag bench query")
    made = bm25s.BM25(method=shape.method, k1=shape.k1, b=shape.b)
    made.index(bags, show_progress=False)
    found = {BARE: made}
    if numba:
        fast = bm25s.BM25(method=shape.method, k1=shape.k1, b=shape.b, backend="numba")
        fast.scores, fast.vocab_dict, fast.nonoccurrence_array = made.scores, made.vocab_dict, None
        fast.unique_token_ids_set = made.unique_token_ids_set
        found["bm25s with numba, terms given"] = fast
    return found


def _known(ours: BM25, text: str, made: Any) -> list[str]:
    return [term for term in ours.terms(text) if term in made.vocab_dict]


def _retrieve(made: Any, k: int) -> Callable[[list[str]], object]:
    return lambda terms: made.retrieve([terms], k=k, show_progress=False)


def _tokenised(made: Any, ours: BM25) -> Callable[[str], object]:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer(ours.language)
    left_out = sorted(ENGLISH) if ours.stopwords == "english" else []

    def ask(text: str) -> object:
        tokens = bm25s.tokenize(text, stopwords=left_out, stemmer=stemmer, show_progress=False)
        return made.retrieve(tokens, k=ours.k, show_progress=False)

    return ask


def _each(work: Callable[[Any], object], items: Sequence[Any]) -> Callable[[], object]:
    def run() -> None:
        for item in items:
            work(item)

    return run


def _equal(ours: BM25, queries: list[Query], made: Any, terms: list[list[str]]) -> float:
    """Share of the questions whose k scores are bm25s's."""
    same = 0
    for query, known in zip(queries, terms, strict=True):
        theirs = made.retrieve([known], k=ours.k, show_progress=False).scores[0]
        mine = [hit.score for hit in ours(query)]
        positive = theirs[theirs > 0]
        same += len(mine) == len(positive) and bool(np.allclose(mine, positive, rtol=1e-4))
    return same / len(queries)
