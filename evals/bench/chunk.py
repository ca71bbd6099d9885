"""Chunkers side by side: speed, caps, offsets and text lost, on the same corpus with the same tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.contest import Tell, in_turn, silent, table
from rag.models.tokens import Tokenizer, counter
from rag.optional import available
from rag.types import Document

__all__ = ["Audit", "audit", "bench", "contestants"]

SAMPLES = Path(__file__).parents[1] / "samples"
OURS = "structure"
ENOUGH = 1_500_000  # characters; bundled samples are repeated up to here
Piece = tuple[str, int]  # a chunk and where it says it begins; -1 where it does not say


@dataclass(frozen=True)
class Audit:
    """What became of the texts.

    Args:
        sizes: int64 (n,), tokens of each chunk.
        over: chunks over the cap.
        lost: characters in no chunk, white space aside.
        doubled: characters in more than one chunk.
        altered: chunks that are no slice of their text, or not where they say they are.
        offsets: whether chunks say where they begin.
    """

    sizes: np.ndarray[Any, np.dtype[np.int64]]
    over: int
    lost: int
    doubled: int
    altered: int
    offsets: bool


def bench(
    path: Path | None = None,
    *,
    size: int = 200,
    repeat: int = 5,
    progress: Tell | None = None,
) -> dict[str, Any]:
    """Cut the same texts with every installed chunker, in turn.

    All have the same cap, no overlap, and count with cl100k; ours aims at three quarters of the cap. One thread
    tokenises for most; ours and chonkie use more for long texts.

    Args:
        path: a folder or file of documents; default the bundled samples, repeated.
        size: most tokens of a chunk.
        repeat: measured rounds; medians are reported.
        progress: called with (done, total, label).

    Returns:
        `tables` to print, `figures` by chunker, `notes` on peers that are not installed.
    """
    documents = _documents(path)
    tokenizer = counter("cl100k")
    chunkers, notes = contestants(size, tokenizer)
    characters = sum(len(document.text) for document in documents)
    work = {name: _over(documents, cut) for name, cut in chunkers.items()}
    work["tokens alone"] = lambda: [tokenizer.starts(document.text) for document in documents]
    seconds = in_turn(work, repeat, progress or silent)
    speed = {name: characters / value for name, value in seconds.items()}
    rows: list[list[Any]] = []
    figures: dict[str, Any] = {}
    for name, cut in chunkers.items():
        found = audit([d.text for d in documents], [cut(d) for d in documents], size, tokenizer)
        sizes = found.sizes
        low, middle, high = np.percentile(sizes, [5, 50, 95]).tolist() if len(sizes) else (0, 0, 0)
        figures[name] = {
            "characters_per_second": speed[name],
            "times_ours": speed[name] / speed[OURS],
            "chunks": len(sizes),
            "over_cap": found.over,
            "offsets": found.offsets,
            "altered": found.altered,
            "lost": found.lost,
            "doubled": found.doubled,
            "tokens": {
                "mean": float(sizes.mean()),
                "sd": float(sizes.std()),
                "min": int(sizes.min()),
                "p5": low,
                "p50": middle,
                "p95": high,
                "max": int(sizes.max()),
            },
        }
        rows.append(_row(name, figures[name]))
    figures["tokens alone"] = {"characters_per_second": speed["tokens alone"]}
    rows.append(["tokens alone", speed["tokens alone"] / 1e6, speed["tokens alone"] / speed[OURS], *[None] * 12])
    title = f"{characters:,} characters in {len(documents)} documents, cap {size} cl100k tokens (median of {repeat})"
    columns = ["chunker", "M char/s", "x ours", "chunks", "over", "offsets", "altered", "lost", "doubled"]
    columns += ["mean", "sd", "min", "p5", "p95", "max"]
    return {"tables": [table(title, columns, rows)], "figures": figures, "notes": notes}


def audit(texts: Sequence[str], cut: Sequence[Sequence[Piece]], size: int, tokenizer: Tokenizer) -> Audit:
    """Hold chunks against the texts they were cut from.

    A chunk that does not say where it begins is looked for behind the beginning of the one before.

    Args:
        texts: the sources.
        cut: the chunks of each.
        size: the cap in tokens.
        tokenizer: counts.
    """
    sizes: list[int] = []
    lost = doubled = altered = 0
    offsets = True
    for text, pieces in zip(texts, cut, strict=True):
        sizes += tokenizer.counts([piece for piece, _ in pieces])
        reach = begin = 0  # everything before `reach` is accounted for
        for piece, said in pieces:
            offsets &= said >= 0
            at = said if said >= 0 else _find(text, piece, begin, reach)
            if at < 0 or text[at : at + len(piece)] != piece:
                altered += 1
                continue
            lost += _dark(text[reach:at])
            doubled += max(0, min(reach, at + len(piece)) - at)
            begin, reach = at, max(reach, at + len(piece))
        lost += _dark(text[reach:])
    tokens = np.array(sizes, dtype=np.int64)
    return Audit(tokens, int((tokens > size).sum()), lost, doubled, altered, offsets)


def _find(text: str, piece: str, begin: int, reach: int) -> int:
    """The piece at or behind what was reached, else behind the beginning of the one before."""
    at = text.find(piece, reach)
    return at if at >= 0 else text.find(piece, begin)


def _dark(text: str) -> int:
    """Characters that are not white space."""
    return sum(map(len, text.split()))


def _row(name: str, figure: dict[str, Any]) -> list[Any]:
    tokens = figure["tokens"]
    return [
        name,
        figure["characters_per_second"] / 1e6,
        figure["times_ours"],
        figure["chunks"],
        figure["over_cap"],
        "yes" if figure["offsets"] else "no",
        figure["altered"],
        figure["lost"],
        figure["doubled"],
        *[tokens[key] for key in ("mean", "sd", "min", "p5", "p95", "max")],
    ]


def _over(documents: Sequence[Document], cut: Callable[[Document], Sequence[Piece]]) -> Callable[[], object]:
    return lambda: [cut(document) for document in documents]


def _documents(path: Path | None) -> list[Document]:
    from rag.loaders.read import read
    from rag.loaders.walk import Found, walk

    paths = [path] if path else [SAMPLES / "wikipedia" / "corpus.jsonl", SAMPLES / "papers" / "corpus.jsonl"]
    paths += [] if path else [SAMPLES / "manual" / "docs"]
    found = [document for one in walk(paths) if isinstance(one, Found) for document in read(one.path)]
    size = sum(len(document.text) for document in found)
    return found * (1 if path or not size else -(-ENOUGH // size))


def contestants(size: int, tokenizer: Tokenizer) -> tuple[dict[str, Callable[[Document], list[Piece]]], list[str]]:
    """Name -> a chunker of documents; notes on what is missing."""
    from chunkers.recursive import RecursiveChunker
    from chunkers.sentences import SentenceChunker
    from chunkers.structure import StructureChunker

    found: dict[str, Callable[[Document], list[Piece]]] = {}
    ours = {
        OURS: StructureChunker(size=max(16, size * 3 // 4), max_size=size),
        "recursive": RecursiveChunker(size=size),
        "sentences": SentenceChunker(size=size),
    }
    for name, chunker in ours.items():
        found[name] = lambda document, chunker=chunker: [(leaf.text, leaf.start) for leaf in chunker(document).leaves()]  # type: ignore[misc]
    notes = []
    for name, (module, package, make) in PEERS.items():
        if available(module):
            found[f"{name} {version(package)}"] = make(size, tokenizer)
        else:
            notes.append(f"{name}: {package} is not installed")
    return found, notes


def _langchain(size: int, tokenizer: Tokenizer) -> Callable[[Document], list[Piece]]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0, length_function=tokenizer.count)
    return lambda document: [(piece, -1) for piece in splitter.split_text(document.text)]


def _llama_index(size: int, tokenizer: Tokenizer) -> Callable[[Document], list[Piece]]:
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(chunk_size=size, chunk_overlap=0, tokenizer=_encoding(tokenizer).encode_ordinary)
    return lambda document: [(piece, -1) for piece in splitter.split_text(document.text)]


def _semchunk(size: int, tokenizer: Tokenizer) -> Callable[[Document], list[Piece]]:
    from semchunk.semchunk import chunkerify

    # without its memory of counts, which would make every round but the first a look-up
    chunker: Any = chunkerify(_encoding(tokenizer), size, memoize=False)

    def cut(document: Document) -> list[Piece]:
        pieces, places = chunker(document.text, offsets=True)
        return [(piece, start) for piece, (start, _) in zip(pieces, places, strict=True)]

    return cut


def _chonkie(size: int, tokenizer: Tokenizer) -> Callable[[Document], list[Piece]]:
    from chonkie import RecursiveChunker

    chunker = RecursiveChunker(tokenizer=_encoding(tokenizer), chunk_size=size)
    return lambda document: [(chunk.text, chunk.start_index) for chunk in chunker.chunk(document.text)]


def _text_splitter(size: int, tokenizer: Tokenizer) -> Callable[[Document], list[Piece]]:
    from semantic_text_splitter import TextSplitter

    splitter = TextSplitter.from_tiktoken_model("gpt-4", size)  # cl100k, built in
    return lambda document: [(piece, start) for start, piece in splitter.chunk_indices(document.text)]


def _encoding(tokenizer: Tokenizer) -> Any:
    """The tiktoken encoding itself, which peers count with fastest."""
    return getattr(tokenizer, "_encoding")  # noqa: B009 - not part of the protocol


PEERS: dict[str, tuple[str, str, Callable[[int, Tokenizer], Callable[[Document], list[Piece]]]]] = {
    "langchain recursive": ("langchain_text_splitters", "langchain-text-splitters", _langchain),
    "llama-index sentence": ("llama_index", "llama-index-core", _llama_index),
    "semchunk": ("semchunk", "semchunk", _semchunk),
    "chonkie recursive": ("chonkie", "chonkie", _chonkie),
    "semantic-text-splitter": ("semantic_text_splitter", "semantic-text-splitter", _text_splitter),
}
