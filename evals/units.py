"""Hand-made discourse units to learn from and to be judged by: documents, scores, and what costs nothing.

The data are JSON lines, one document each: `doc_id`, `genre`, `text`, and half-open ranges of the text in code points,
`tokens`, `sentences`, `edus`; `upos` beside the tokens. A unit that another interrupts is two of them. Scores are
those of the DISRPT shared tasks (Zeldes et al., "The DISRPT 2019 Shared Task on Elementary Discourse Unit
Segmentation and Connective Detection"): every token at which a unit begins counts once, over all documents, sentence
starts too; so a score without these is beside it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evals.lines import objects
from rag.errors import DataError

__all__ = ["Annotated", "Counts", "after_marks", "counts", "f1", "f1_interval", "gold", "heads", "sentence_starts"]

RESAMPLES = 10_000
MARKS = re.compile(r"[;:,.!?]")
FIELDS = ("doc_id", "genre", "text", "tokens", "upos", "sentences", "edus")
Starts = Callable[["Annotated"], Iterable[int]]


class Annotated(NamedTuple):
    """A document with its units."""

    id: str
    genre: str
    text: str
    tokens: tuple[tuple[int, int], ...]
    upos: tuple[str, ...]
    sentences: frozenset[int]
    edus: frozenset[int]


class Counts(NamedTuple):
    """Places where a unit begins: right, found, there."""

    right: int
    found: int
    there: int


def gold(folder: Path, part: str) -> list[Annotated]:
    """The documents of a part (`train`, `dev`, `test`) of a folder, in the order of its one file `*_PART.jsonl`."""
    paths = sorted(folder.glob(f"*_{part}.jsonl"))
    if len(paths) != 1:
        raise DataError(f"{folder}: there must be one file *_{part}.jsonl, there are {len(paths)}.")
    found = []
    for line in objects(paths[0]):
        row = line.value
        missing = [name for name in FIELDS if name not in row]
        if missing:
            raise DataError(f"{paths[0]}:{line.number}: {missing[0]!r} is missing; needed are {', '.join(FIELDS)}.")
        tokens = tuple((int(a), int(b)) for a, b in row["tokens"])
        starts = (frozenset(int(a) for a, _ in row[name]) for name in ("sentences", "edus"))
        found.append(Annotated(row["doc_id"], row["genre"], row["text"], tokens, tuple(row["upos"]), *starts))
    return found


def heads(folder: Path, part: str) -> list[list[int]]:
    """For each document of a part the head of each of its tokens by its number, -1 for a sentence's root.

    Read from the one file `*_PART.conllu`, whose documents and tokens are those of the JSON lines.
    """
    paths = sorted(folder.glob(f"*_{part}.conllu"))
    if len(paths) != 1:
        raise DataError(f"{folder}: there must be one file *_{part}.conllu, there are {len(paths)}.")
    found: list[list[int]] = []
    first = 0
    for line in paths[0].read_text(encoding="utf-8").split("\n"):
        cells = line.split("\t")
        if line.startswith("# newdoc"):
            found.append([])
        elif len(cells) > 7 and cells[0].isdigit():
            if cells[0] == "1":
                first = len(found[-1])
            found[-1].append(first + int(cells[6]) - 1 if int(cells[6]) else -1)
    return found


def counts(document: Annotated, starts: Iterable[int], *, inside: bool = False) -> Counts:
    """How well some places agree with where units begin.

    Args:
        document: with its units.
        starts: code points; each is moved on to the next token that begins there or behind, those behind all are left
            out.
        inside: leave out places where a sentence begins.
    """
    tokens = [a for a, _ in document.tokens]
    found = {tokens[i] for at in starts if (i := bisect_left(tokens, at)) < len(tokens)}
    there = set(document.edus)
    if inside:
        found -= document.sentences
        there -= document.sentences
    return Counts(len(found & there), len(found), len(there))


def f1(rows: Sequence[Counts]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all documents, in percent; 0 where nothing was found or is there."""
    right, found, there = (int(total) for total in np.array(rows, dtype=np.int64).reshape(-1, 3).sum(0))
    return 100 * right / max(found, 1), 100 * right / max(there, 1), 200 * right / max(found + there, 1)


def f1_interval(rows: Sequence[Counts], seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of F1, in percent, over 10,000 samples of as many documents, drawn with replacement."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    n = len(table)
    if n == 0:
        return 0.0, 0.0
    drawn = np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    right, found, there = (drawn @ table).T
    low, high = np.percentile(200 * right / np.maximum(found + there, 1), (2.5, 97.5)).tolist()
    return low, high


def sentence_starts(document: Annotated) -> frozenset[int]:
    """The sentences as they were marked by hand."""
    return document.sentences


def after_marks(document: Annotated) -> list[int]:
    """Behind each of `; : , . ! ?`: the splitter that goes with https://arxiv.org/abs/2512.14244."""
    return [0, *(match.end() for match in MARKS.finditer(document.text))]
