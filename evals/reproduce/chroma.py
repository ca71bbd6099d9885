"""Chroma's published chunking table, row by row.

Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024,
https://research.trychroma.com/evaluating-chunking, with the embedder all-MiniLM-L6-v2 and five chunks a question.

Departures: exact cosine, where theirs is approximate; chunks carry their ranges, where theirs are searched for in the
text. Precision-omega depends on the cuts alone, yet the report's two tables give it different values for the same
splitter and size, so each row here is held against the table whose chunks it has: recall and the rest against the
table of all-MiniLM-L6-v2, omega against both.
"""

from __future__ import annotations

import hashlib
import math
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.recursive import RecursiveChunker
from evals.datasets import load
from evals.metrics.spans import iou, omega, precision, recall
from evals.peers.langchain import LangchainToken
from evals.reproduce import SAMPLE, as_table
from rag.models.tokens import counter
from rag.models.torch import SentenceTransformersEmbedder
from rag.store.top import top
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset
    from rag.models.embed import Embedder
    from rag.stage import Chunker

__all__ = ["ROWS", "Row", "Vectors", "measure", "pieces", "reproduce"]

SEPARATORS = ("\n\n", "\n", ".", "?", "!", " ", "")  # the report's, not the library's
K = 5
Range = tuple[int, int]
Tell = Callable[[int, int, str], object]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        name: splitter, size and overlap.
        chunker: ours, with the same settings.
        published: recall, precision, omega and IoU of the table of all-MiniLM-L6-v2, in points.
        omega: precision-omega of the table of text-embedding-3-large, for the same splitter and size; NaN where it
            has none.
    """

    name: str
    chunker: Chunker
    published: Mapping[str, float] = field(default_factory=dict)
    omega: float = float("nan")


def _row(kind: str, size: int, overlap: int, told: str, other: float = float("nan")) -> Row:
    if kind == "recursive":
        chunker: Chunker = RecursiveChunker(size=size, overlap=overlap, separators=SEPARATORS)
    else:
        chunker = LangchainToken(size=size, overlap=overlap)
    values = dict(zip(("recall", "precision", "omega", "iou"), map(float, told.split()), strict=False))
    return Row(f"{kind} {size}/{overlap}", chunker, values, other)


ROWS: tuple[Row, ...] = (
    _row("recursive", 200, 0, "75.7 6.5 31.2 6.5", 29.9),
    _row("recursive", 250, 0, "78.5 5.4 26.7 5.4"),
    _row("recursive", 250, 125, "78.7 4.9 21.9 4.9"),
    _row("token", 200, 0, "76.6 4.1 19.1 4.1", 21.0),
    _row("token", 250, 0, "77.1 3.3 16.4 3.3"),
    _row("token", 250, 125, "82.4 3.6 11.4 3.5"),
    _row("recursive", 400, 0, "", 17.7),
    _row("token", 400, 0, "", 12.5),
)


class Vectors:
    """Vectors by text, each embedded once; kept in a file where one is named.

    Args:
        embedder: makes them.
        file: an `.npz` that is read when it is there, and written after each call.
        progress: called with (done, total, label).
    """

    def __init__(self, embedder: Embedder, file: Path | None = None, progress: Tell | None = None) -> None:
        self.embedder, self.file = embedder, file
        self.progress = progress or (lambda done, total, label: None)
        self._known: dict[str, NDArray[np.float32]] = {}
        if file is not None and file.is_file():
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["fingerprint"]) == embedder.fingerprint:
                    self._known = dict(zip(kept["keys"].tolist(), kept["rows"], strict=True))

    def __call__(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, d), rows of length 1."""
        keys = [hashlib.sha256(f"{query}{text}".encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        waiting = list(new.items())
        for at in range(0, len(waiting), 64):
            window = waiting[at : at + 64]
            rows = self.embedder.embed([text for _, text in window], query=query)
            self._known.update((key, row) for (key, _), row in zip(window, rows, strict=True))
            self.progress(min(at + 64, len(waiting)), len(waiting), "embed")
        if waiting and self.file is not None:
            known = list(self._known)
            rows = np.stack([self._known[key] for key in known])
            np.savez(self.file, fingerprint=np.array(self.embedder.fingerprint), keys=np.array(known), rows=rows)
        return np.stack([self._known[key] for key in keys])


def pieces(chunker: Chunker, data: Dataset) -> dict[str, list[Range]]:
    """The chunks of each document; white space at the ends of a recursive one is left out, as its library does."""
    found: dict[str, list[Range]] = {}
    for doc in data.places:
        text = data.text(doc)
        ranges = [(leaf.start, leaf.end) for leaf in chunker(Document(doc, text)).leaves()]
        found[doc] = [_stripped(text, *one) for one in ranges] if isinstance(chunker, RecursiveChunker) else ranges
    return found


def measure(chunker: Chunker, data: Dataset, vectors: Vectors | None) -> dict[str, float]:
    """Every column of a row, in points; those that need an embedder only with one.

    Args:
        chunker: cuts each corpus.
        data: the evaluation's corpora and questions.
        vectors: embeds chunks and questions; None leaves retrieval out.

    Returns:
        chunks, tokens (mean), longest, omega with its deviation over questions, and its value by half-open ranges; with
        an embedder recall, precision and iou of the nearest five chunks, with deviations.
    """
    chunks = pieces(chunker, data)
    places = [(doc, start, end) for doc, ranges in chunks.items() for start, end in ranges]
    texts = [data.text(doc)[start:end] for doc, start, end in places]
    sizes = counter("cl100k").counts(texts)
    scores: dict[str, list[float]] = {
        "omega": [omega(item.spans, chunks.__getitem__, compat=True) for item in data.items],
        "omega_half_open": [omega(item.spans, chunks.__getitem__) for item in data.items],
    }
    if vectors is not None:
        rows, asked = vectors(texts), vectors([item.text for item in data.items], query=True)
        best = [top(rows @ one, K)[0] for one in asked]
        for name, metric in (("recall", recall), ("precision", precision), ("iou", iou)):
            scores[name] = [
                metric([places[i] for i in found], item.spans) for found, item in zip(best, data.items, strict=True)
            ]
    result: dict[str, Any] = {"chunks": len(places), "tokens": float(np.mean(sizes)), "longest": max(sizes)}
    for name, values in scores.items():
        result[name] = 100 * float(np.mean(values))
        result[f"{name}_sd"] = 100 * float(np.std(values))
    return {name: round(value, 3) for name, value in result.items()}


def _stripped(text: str, start: int, end: int) -> Range:
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Chroma's table, with all-MiniLM-L6-v2."""
    dataset = load(given.data or SAMPLE)
    embedder = SentenceTransformersEmbedder()
    known = Vectors(embedder, given.vectors, lambda done, total, label: tell(f"\r{label} {done}/{total} "))
    result: dict[str, Any] = {"embedder": embedder.fingerprint, "k": K, "rows": {}}
    lines = []
    for row in ROWS:
        measured = measure(row.chunker, dataset, known)
        told = {**row.published, **({} if math.isnan(row.omega) else {"omega_other_table": row.omega})}
        result["rows"][row.name] = {"published": told, "measured": measured}
        cells = [
            f"{measured[name]:.1f} ({row.published.get(name, '-')})" for name in ("recall", "precision", "iou", "omega")
        ]
        lines.append([row.name, f"{measured['chunks']:,.0f}", *cells, "-" if math.isnan(row.omega) else f"{row.omega}"])
    tell("\n")
    result["table"] = as_table("ours (published)|chunks|recall@5|precision@5|IoU@5|omega|omega, other table", lines)
    return result
