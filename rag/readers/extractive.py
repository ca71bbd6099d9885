"""An answer with no language model: the best-supported span, with its sentence as citation."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import SkipValidation

from rag.errors import ModelError
from rag.lexical import match, terms
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer
from rag.readers.ranker import Piece, rank, reading
from rag.readers.render import heading
from rag.readers.span_features import want
from rag.readers.span_weights import weights
from rag.readers.spans import tokens
from rag.stage import Field, stage
from rag.types import Answer, Citation, Hits
from rag.units import Unit, clauses, units

__all__ = ["Extractive"]

NAME = "readers/extractive"
LOGIT = 0.0  # thresholds, see the table below
WORDS = 0.4
WORDS_SCALE = 10.0  # a score by words is worth this many logits


LONG = 400  # characters of a sentence that is quoted whole
DEFINING = frozenset(("is", "are", "was", "were", "means", "refers", "describes", "denotes"))
SENTENCES = ("reason", "manner", "yes-no")  # kinds of question that no span answers well


class Best(NamedTuple):
    """A span of a sentence.

    Args:
        at: position of its sentence in the pool.
        start: first code point in the document.
        end: one past the last.
        sure: share of the ranker's probability over all spans of all searched sentences, in [0, 1].
    """

    at: int
    start: int
    end: int
    sure: float


@stage
class Extractive:
    """Score the sentences of the evidence, choose a span in the best ones, or abstain.

    A span alone is given where the ranker is sure enough of it; else its sentence is, since a sentence that
    holds the answer serves a reader better than a wrong word. Questions for a reason, a manner, a definition, for what
    something does, and those of yes or no, are answered by a sentence. The ranker: `rag.readers.span_features`.

    Args:
        hits: the evidence, compressed or not.

    Returns:
        `answered` with the span (or its sentence) and the sentence as its one citation, or `abstained` with the reason
        in `notes`. `confidence` estimates how likely the cited sentence holds the answer; None without a scorer.

    Raises:
        ModelError: the scorer gave another number of scores than it got sentences, or not-a-numbers.
    """

    scorer: SkipValidation[Scorer | None] = Field(
        default_factory=OnnxScorer, description="scores sentences; None: by their words"
    )
    threshold: float | None = Field(default=None, description="abstain below this score; None: the calibrated one")
    form: Literal["auto", "span", "sentence"] = Field(
        default="auto", description="the answer's text: a span, its sentence, or a span where it is likely right"
    )
    sentences: int = Field(default=48, ge=1, description="sentences scored, chosen by their words; the bound on cost")
    depth: int = Field(default=3, ge=1, description="best sentences that are searched for spans")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Answer:
        """Find the span, or abstain."""
        question = hits.query.text
        pool, scores = self.support(hits)
        way = {"scorer": "words" if self.scorer is None else self.scorer.name, "sentences": len(pool)}
        threshold = self.threshold
        if threshold is None:
            threshold = WORDS if self.scorer is None else LOGIT
        if not pool or scores[0] < threshold:
            reason = "no evidence" if not pool else f"best sentence {scores[0]:.3f} < {threshold:g}"
            likely = self._confidence(scores[0]) if pool else None
            return Answer(hits.query, "", "abstained", (), hits, likely, notes={NAME: {**way, "abstained": reason}})
        best = self._best(question, hits, pool[: self.depth], scores)
        wanted = want(question).asked
        whole = best is None or self.form == "sentence" or wanted.kind == "yes-no"
        if best is not None and self.form == "auto" and not whole:
            whole = (
                best.sure < weights(inner=reading(self.scorer) is not None).sure
                or wanted.kind in SENTENCES
                or wanted.form != "fact"
            )
        at = best.at if best is not None and not (whole and self.form == "auto") else 0
        if whole and wanted.form == "definition":
            at = _defining(hits, pool[: self.depth], wanted.subject)
        document = hits[pool[at].hit].document
        inside = (best.start, best.end) if best is not None and best.at == at else None
        start, end = _quoted(document.text, pool[at], inside)
        text = document.text[start:end] if whole or inside is None else document.text[inside[0] : inside[1]]
        sure = {"sure": round(best.sure, 6)} if best is not None else {}
        return Answer(
            hits.query,
            text,
            "answered",
            (Citation.of(document, start, end),),
            hits,
            self._confidence(scores[at]),
            notes={NAME: {**way, "kind": wanted.kind, "form": "sentence" if whole else "span", **sure}},
        )

    def support(self, hits: Hits) -> tuple[list[Unit], list[float]]:
        """Sentences of the hits and their scores, best first; ties in the order of the hits."""
        question = hits.query.text
        if not terms(question) and not question.strip():
            return [], []
        pool = units(hits.items)
        heads = [heading(hit) for hit in hits.items]
        texts = [hits[u.hit].document.text[u.start : u.end].strip() for u in pool]
        above = [heads[u.hit] for u in pool]
        scores = match(question, texts, above)
        if self.scorer is not None and pool:
            first = sorted(range(len(pool)), key=lambda i: (-round(float(scores[i]), 9), i))[: self.sentences]
            pairs = [f"{above[i]}\n{texts[i]}" if above[i] else texts[i] for i in first]
            scores = np.asarray(self.scorer.score(question, pairs), dtype=np.float64)
            if scores.shape != (len(first),) or not np.isfinite(scores).all():
                raise ModelError(
                    f"{NAME}: {self.scorer.name} must give {len(first)} finite scores, got shape {scores.shape} with"
                    f" {int((~np.isfinite(scores)).sum())} not finite. Check the model's files."
                )
            pool = [pool[i] for i in first]
        order = sorted(range(len(pool)), key=lambda i: (-round(float(scores[i]), 9), pool[i]))
        return [pool[i] for i in order], [float(scores[i]) for i in order]

    def _confidence(self, score: float) -> float | None:
        """Logistic regression of "its sentence holds the answer" on the logit, over 600 questions."""
        return None if self.scorer is None else round(1 / (1 + math.exp(1.15 - 0.3 * max(-99.0, min(99.0, score)))), 6)

    def _best(self, question: str, hits: Hits, pool: list[Unit], scores: list[float]) -> Best | None:
        """The likeliest span of the sentences; ties go to the better sentence, then to the earlier, shorter span."""
        scale = 1.0 if self.scorer is not None else WORDS_SCALE
        pieces = [
            Piece(hits[unit.hit].document.text, unit.start, unit.end, heading(hits[unit.hit]), scale * score)
            for unit, score in zip(pool, scores, strict=False)
        ]
        spans = rank(question, pieces, self.scorer)
        if not spans:
            return None
        first = min(spans, key=lambda span: (-span.worth, span))
        total = math.fsum(math.exp(span.worth - first.worth) for span in spans)
        return Best(first.at, first.start, first.end, 1 / total)


def _defining(hits: Hits, pool: list[Unit], subject: tuple[str, ...]) -> int:
    """Position of the first sentence that begins `X is` or `an X means`; else 0."""
    for at, unit in enumerate(pool):
        words = tokens(hits[unit.hit].document.text, unit.start, unit.end)[: len(subject) + 8]
        stems = [w.stem for w in words]
        verbs = [k for k, w in enumerate(words) if w.low in DEFINING]
        if verbs and set(subject) <= set(stems[: verbs[0]]):
            return at
    return 0


def _quoted(text: str, unit: Unit, inside: tuple[int, int] | None) -> tuple[int, int]:
    """The sentence, or of a long one the clauses around the span (or the first clauses)."""
    start, end = _stripped(text, unit.start, unit.end)
    if end - start <= LONG:
        return start, end
    first, last = inside or (start, start + 1)
    pieces = clauses(text, start, end)
    left = next(k for k, piece in enumerate(pieces) if piece[1] > first)
    right = next(k for k, piece in enumerate(pieces) if piece[1] >= last)
    grown = True
    while grown:
        grown = False
        if right + 1 < len(pieces) and pieces[right + 1][1] - pieces[left][0] <= LONG:
            right, grown = right + 1, True
        if left and pieces[right][1] - pieces[left - 1][0] <= LONG:
            left, grown = left - 1, True
    return _stripped(text, pieces[left][0], pieces[right][1])


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends."""
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())
