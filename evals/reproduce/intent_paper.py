"""Intent-driven chunking beside the splitters it was published with, on SQuAD documents, questions made by rule.

Koutsiaris, "Intent-Driven Dynamic Chunking", https://arxiv.org/abs/2602.14784, table of SQuAD, two documents and 293
questions: R@1 .689, R@5 .952, MRR .793 with 58 chunks; best baseline .655, .951, .752; 117 chunks of six sentences.
Which two is not told, and the published scripts take the benchmark's own questions as intents. Here intents are made
from the documents by rule alone, and every document takes part: whole articles are drawn by seed into pairs (`two`),
and into groups of as many sentences as the paper's pair has, 700 (`large`), each group searched by itself.

All chunks are whole sentences of one splitter. Each is represented alike: the mean of its sentences' vectors (the
paper weighs those of its own chunks by intent and blends in neighbours; not here), and BM25 of its text; 0.6 of the
cosine and 0.4 of BM25, both scaled to 0..1 within the group, as published. An answer is found where a chunk holds all
of it. At equal k longer chunks show more text, so recall in the first 512 tokens stands beside.

`fixed`: six sentences. `sliding`: six, three on. `coherence`: a cut where similarity of three sentences on each side
dips by more than the mean depth less half a deviation (TextTiling, Hearst, 1997). `paragraphs`: blank lines. `paper`:
the published sum, lambda 0.0005, at most 15 sentences, beta 0.6 as chunkers/intent has it, for beta is not published.
`centred`: our objective, size 320. `paper, half` and `centred, half`: beta or size set, by counting chunks and nothing
else, to what comes nearest to half as many chunks as `fixed`, as in the paper (58 to 117).
"""

from __future__ import annotations

import itertools
import random
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.intent import IntentChunker
from evals.datasets import load
from evals.reproduce import as_table
from evals.reproduce.chroma import Vectors
from evals.stats import interval, paired
from rag.doctree import flat
from rag.errors import DataError
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.sentences import sentence_spans
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset, Item

__all__ = ["PUBLISHED", "SETS", "Kept", "coherent", "cut", "groups", "ranked", "reproduce"]

SETS = ("squad_long",)  # with the paragraphs of the source; in other copies of SQuAD they are guessed
PUBLISHED = {"R@1": 0.689, "R@5": 0.952, "MRR": 0.793}
SENTENCES = 700  # 117 chunks of six
BASE = "fixed"
BUDGET = 512
METHODS = ("fixed", "sliding", "coherence", "paragraphs", "paper", "paper, half", "centred", "centred, half")
BETAS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
TOKENS = (240, 320, 400, 480, 640)
METRICS = ("R@1", "R@5", "MRR", "R in 512", "coverage")
Range = tuple[int, int]
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Kept:
    """An embedder that embeds each text once."""

    vectors: Vectors
    dim: int = 384

    @property
    def name(self) -> str:
        """Of the embedder."""
        return self.vectors.embedder.name

    @property
    def fingerprint(self) -> str:
        """Of the embedder."""
        return self.vectors.embedder.fingerprint

    @property
    def max_tokens(self) -> int:
        """Of the embedder."""
        return self.vectors.embedder.max_tokens

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, d), rows of length 1."""
        return self.vectors(texts, query=query) if texts else np.zeros((0, self.dim), dtype=np.float32)


def sentences(text: str) -> list[Range]:
    """Sentences without the white space around them."""
    found = []
    for start, end in sentence_spans(text):
        body = text[start:end]
        begin = start + len(body) - len(body.lstrip())
        if body.strip():
            found.append((begin, begin + len(body.strip())))
    return found


def coherent(vectors: NDArray[np.float32], around: int = 3) -> list[int]:
    """Sentences that begin a chunk, 0 aside, by depth of the dips in similarity (TextTiling)."""
    count = len(vectors)
    if count < 3:
        return []
    sums = np.concatenate((np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0, dtype=np.float64)))
    at = np.arange(1, count)
    left, right = sums[at] - sums[np.maximum(at - around, 0)], sums[np.minimum(at + around, count)] - sums[at]
    scale = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    gaps = (left * right).sum(axis=1) / np.maximum(scale, 1e-12)
    depths = np.zeros(count - 1)
    for k in range(count - 1):
        low = high = k
        while low > 0 and gaps[low - 1] >= gaps[low]:
            low -= 1
        while high < count - 2 and gaps[high + 1] >= gaps[high]:
            high += 1
        depths[k] = gaps[low] + gaps[high] - 2 * gaps[k]
    bar = depths.mean() - depths.std() / 2
    lowest = [k for k in range(count - 1) if gaps[k] == gaps[max(0, k - 1) : k + 2].min()]
    return [k + 1 for k in lowest if depths[k] > max(bar, 0.0)]


def cut(method: str, text: str, embedder: Kept, value: float | None = None) -> list[Range]:
    """The chunks of a text by one method, each as a range from its first to its last sentence.

    Args:
        method: one of `METHODS`; `half` needs the value.
        text: the document.
        embedder: of sentences and intents.
        value: beta of `paper`, or size of `centred`.
    """
    rows = sentences(text)
    count = len(rows)
    if method in {"fixed", "sliding"}:
        step = 6 if method == "fixed" else 3
        firsts = [k for k in range(0, count, step) if k == 0 or step == 6 or k + 3 < count]
        return [(rows[k][0], rows[min(k + 6, count) - 1][1]) for k in firsts]
    if method == "coherence":
        starts = coherent(embedder.embed([text[a:b] for a, b in rows]))
    elif method == "paragraphs":
        starts = [k for k in range(1, count) if text[rows[k - 1][1] : rows[k][0]].count("\n") > 1]
    else:
        chunker = (
            IntentChunker(embedder=embedder, objective="paper", size=480, max_size=960, beta=value or BETAS[0])
            if method.startswith("paper")
            else IntentChunker(embedder=embedder, size=int(value or 320))
        )
        leaves = [(leaf.start, leaf.end) for leaf in chunker(Document("d", text)).leaves()]
        inside = [[row for row in rows if start <= row[0] < end] for start, end in leaves]
        return [(some[0][0], some[-1][1]) for some in inside if some]
    bounds = [0, *starts, count]
    return [(rows[a][0], rows[b - 1][1]) for a, b in itertools.pairwise(bounds) if b > a]


def halved(method: str, texts: Sequence[str], embedder: Kept) -> float:
    """The beta or size whose chunks are nearest in number to half of those of six sentences; of two the first."""
    wanted = sum(len(cut(BASE, text, embedder)) for text in texts) / 2
    values = BETAS if method.startswith("paper") else TOKENS
    return min(values, key=lambda one: abs(sum(len(cut(method, t, embedder, one)) for t in texts) - wanted))


def groups(data: Dataset, seed: int, least: int) -> list[list[str]]:
    """Documents with questions in an order drawn by seed, two or more together until they have enough sentences."""
    docs = sorted({span.doc for item in data.items for span in item.spans})
    random.Random(seed).shuffle(docs)
    found: list[list[str]] = []
    held: list[str] = []
    for doc in docs:
        held.append(doc)
        if len(held) > 1 and sum(len(sentences(data.text(one))) for one in held) >= least:
            found.append(held)
            held = []
    return found  # what is left over is not asked


def ranked(data: Dataset, places: Sequence[Place], items: Sequence[Item], embedder: Kept) -> dict[str, list[float]]:
    """Each metric, one value a question, over the chunks of one group."""
    texts = [data.text(doc)[start:end] for doc, start, end in places]
    rows = []
    for text in texts:
        mean = embedder.embed([text[a:b] for a, b in sentences(text)] or [text]).mean(axis=0)
        rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
    store = in_memory([flat(Document(f"{k:06}", text), ()) for k, text in enumerate(texts)])
    ranker = BM25(k=len(texts), path=False)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    sizes = counter("cl100k").counts(texts)
    scores: dict[str, list[float]] = {name: [] for name in METRICS}
    for item, vector in zip(items, embedder.embed([item.text for item in items], query=True), strict=True):
        words = np.zeros(len(texts))
        for hit in asked(Query(item.id, item.text)):
            words[int(hit.doc)] = hit.score
        total = 0.6 * _scaled(np.stack(rows) @ vector) + 0.4 * _scaled(words)
        order = np.lexsort((np.arange(len(texts)), -np.round(total, 6)))
        (gold, *_) = item.spans
        holds = [
            rank
            for rank, k in enumerate(order.tolist(), 1)
            if places[k][0] == gold.doc and places[k][1] <= gold.start and gold.end <= places[k][2]
        ]
        first = holds[0] if holds else len(texts) + 1
        fits = int(np.searchsorted(np.cumsum([sizes[k] for k in order]), BUDGET, side="right"))
        row = (first <= 1, first <= 5, 1 / first if holds else 0.0, first <= fits, bool(holds))
        for name, value in zip(METRICS, row, strict=True):
            scores[name].append(float(value))
    return scores


def _scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    """To 0..1."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(len(values))


def study(data: Dataset, parts: Sequence[Sequence[str]], embedder: Kept, given: Namespace) -> dict[str, Any]:
    """Every method over all groups of a setting."""
    items = [i for i in data.items if len(i.spans) == 1][: given.limit]
    told: dict[str, Any] = {"groups": len(parts), "rows": {}}
    found: dict[str, dict[str, list[float]]] = {}
    for method in METHODS:
        texts = [data.text(doc) for part in parts for doc in part]
        value = halved(method, texts, embedder) if method.endswith("half") else None
        scores: dict[str, list[float]] = {name: [] for name in METRICS}
        chunks: list[int] = []
        for part in parts:
            places = [(doc, *span) for doc in part for span in cut(method, data.text(doc), embedder, value)]
            mine = [item for item in items if item.spans[0].doc in part]
            chunks.append(len(places))
            for name, values in ranked(data, places, mine, embedder).items() if mine else ():
                scores[name] += values
        found[method] = scores
        row: dict[str, Any] = {"chunks": round(float(np.mean(chunks)), 1), "n": len(scores["R@1"]), "value": value}
        for name, values in scores.items():
            row[name] = [round(v, 4) for v in interval(values, seed=given.seed)[:3]]
            gap = paired(found[BASE][name], values, seed=given.seed)
            row[f"{name} less fixed"] = [round(v, 4) for v in (gap.delta, gap.low, gap.high, gap.p)]
        told["rows"][method] = row
    return told


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both settings on each set; `--vectors` names a file that keeps vectors."""
    if given.data is None:
        raise DataError(f"intent-paper: give --data, the folder that holds {', '.join(SETS)}.")
    known = Kept(Vectors(OnnxEmbedder(), given.vectors))
    result: dict[str, Any] = {"seed": given.seed, "published": PUBLISHED, "settings": {}}
    lines = []
    for name in SETS:
        data = load(Path(given.data) / name)
        for setting, least in (("two", 0), ("large", SENTENCES)):
            tell(f"{name}, {setting}\n")
            told = study(data, groups(data, given.seed, least), known, given)
            result["settings"][f"{name}, {setting}"] = told
            lines += [_line(f"{name}, {setting}: {method}", row) for method, row in told["rows"].items()]
    head = "setting|n|chunks|" + "|".join(METRICS) + "|R@1 less fixed"
    result["table"] = as_table(head, lines)
    return result


def _line(name: str, row: Mapping[str, Any]) -> list[str]:
    cells = [f"{row[metric][0]:.3f}" for metric in METRICS]
    gap = row["R@1 less fixed"]
    return [name, f"{row['n']}", f"{row['chunks']:.0f}", *cells, f"{gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f})"]
