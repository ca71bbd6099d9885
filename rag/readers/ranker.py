"""Rank every span of a few sentences as the answer to a question.

A log-linear ranker over spans, as the baseline of Rajpurkar et al., "SQuAD", EMNLP 2016, section 5,
https://arxiv.org/abs/1606.05250, with three departures: no parser, so spans are runs of words, clauses and what
marks enclose (`rag.readers.spans`); features are about shapes and distances, never single words of answers
(`rag.readers.span_features`); and where the sentences were scored by the cross-encoder that it was trained with, its
inner states at the first and the last word of a span count too, read linearly (`rag.models.states`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.models.onnx import OnnxScorer
from rag.models.states import States, states
from rag.readers.span_features import Wanted, features, prepare, want, worth
from rag.readers.span_weights import Reading, weights
from rag.readers.spans import Token, candidates, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.score import Scorer

__all__ = ["Piece", "Ranked", "edges", "rank", "reading", "searched"]

SEARCHED, STRIDE = 120, 40  # words of a sentence that are searched for spans, and steps between choices of them


class Piece(NamedTuple):
    """One sentence.

    Args:
        text: of its document.
        start: first code point.
        end: one past the last.
        head: title and headings above it.
        score: of the sentence, in logits.
    """

    text: str
    start: int
    end: int
    head: str
    score: float

    @property
    def shown(self) -> str:
        """Headings and sentence, as the scorer reads them."""
        body = self.text[self.start : self.end].strip()
        return f"{self.head}\n{body}" if self.head else body

    @property
    def shift(self) -> int:
        """What is added to an offset in `shown` to get one in the document."""
        body = self.text[self.start : self.end]
        return self.start + len(body) - len(body.lstrip()) - (len(self.head) + 1 if self.head else 0)


class Ranked(NamedTuple):
    """A span and its worth.

    Args:
        at: position of its sentence.
        start: first code point in the document.
        end: one past the last.
        worth: log of its unnormalised probability, rounded to 9 places.
    """

    at: int
    start: int
    end: int
    worth: float


def reading(scorer: Scorer | None) -> Reading | None:
    """How the inner states of a scorer are read; None where it is not the one of the weights."""
    known = weights(inner=True).reading
    fits = isinstance(scorer, OnnxScorer) and known is not None and scorer.model == known.model
    return known if fits else None


def rank(question: str, pieces: Sequence[Piece], scorer: Scorer | None) -> list[Ranked]:
    """All spans of all sentences, in the order of the sentences; the sentences come best first."""
    read = reading(scorer)
    known, wanted = weights(inner=read is not None), want(question)
    inner: Sequence[States | None] = [None] * len(pieces)
    if read is not None and isinstance(scorer, OnnxScorer) and pieces:
        inner = states(read.model, read.layers, question, [piece.shown for piece in pieces], scorer.threads)
    found = []
    for at, (piece, state) in enumerate(zip(pieces, inner, strict=True)):
        words = searched(tokens(piece.text, piece.start, piece.end), wanted)
        sentence = prepare(words, wanted)
        bonus = known.score * (piece.score - pieces[0].score) + (known.best if at == 0 else 0.0)
        begins = ends = np.zeros(len(words))
        if state is not None and read is not None:
            first, last = edges(words, state, piece.shift)
            begins, ends = first @ read.first, last @ read.last
        for i, j in candidates(words):
            value = worth(features(sentence, i, j, wanted), known.listed) + bonus + float(begins[i] + ends[j - 1])
            found.append(Ranked(at, words[i].start, words[j - 1].end, round(value, 9)))
    return found


def searched(words: Sequence[Token], wanted: Wanted) -> Sequence[Token]:
    """The words of a sentence; of a very long one those among which the question's words are the heaviest."""
    starts = range(0, max(1, len(words) - SEARCHED + STRIDE), STRIDE)
    parts = [words[start : start + SEARCHED] for start in starts]
    if len(parts) == 1:
        return parts[0]
    near = [math.fsum(wanted.stems.get(stem, 0.0) for stem in sorted({w.stem for w in part})) for part in parts]
    return parts[max(range(len(parts)), key=lambda n: (near[n], -n))]


def edges(words: Sequence[Token], state: States, shift: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """States of the first and of the last token of each word, float64 (words, d); 0 where the text was cut."""
    first = np.zeros((len(words), state.values.shape[1]))
    last = np.zeros_like(first)
    starts, ends = state.starts + shift, state.ends + shift
    for k, word in enumerate(words):
        a = int(np.searchsorted(ends, word.start, side="right"))
        b = int(np.searchsorted(starts, word.end, side="left")) - 1
        if a <= b:
            first[k], last[k] = state.values[a], state.values[b]
    return first, last
