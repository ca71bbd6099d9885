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
from rag.readers.question import english
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
DEFINES = frozenset(("means", "refers", "describes", "denotes"))
ARTICLES = frozenset(("a", "an", "the"))
SOFT = ("reason", "manner")  # kinds of question that ask for a sentence
SOFT_SURE = 0.3  # unless a span is this sure


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

    A span alone is given where the ranker (`rag.readers.ranker`) is sure enough of it; else its sentence is,
    since a sentence that holds the answer serves better than a wrong word. Questions of yes or no, for a
    definition, or in a language other than English get a sentence; those for a reason, a manner or what something
    does need a surer span.

    Exact match / F1 / answer included, as per cent, on questions the ranker was not trained on, by `form`; n questions
    each asked of its whole article (SQuAD, COVID-QA) or of six passages (Natural Questions), 95 % within 6 points.
    What is sure enough, and what a sentence's score weighs, was chosen on the first two:

                                n      span           auto         sentence
        SQuAD, long            300   44 / 56 / 52   42 / 54 / 60    0 / 16 / 87
        Natural Questions      300   50 / 56 / 53   50 / 56 / 58    0 / 17 / 79
        COVID-QA, long answers 300   10 / 28 / 13   10 / 39 / 36    3 / 42 / 63

    Abstention, as per cent: answerable questions kept on these five sets and ClapNQ; questions asked of a collection
    about other things, and ClapNQ's near misses, that are abstained:

        threshold   kept on six sets       other collections   near misses
        -2          94  99  99  98 100 95          89               46
         0          91  94  92  92 100 95          94               59    the default
         2          89  89  82  90  95 91          98               62
         4          78  84  75  84  75 84          99               84
        words .3    89  92  92  94  99 93          64               32
        words .4    78  84  82  81  88 70          86               54    the default without a scorer
        words .5    69  71  75  64  65 53          91               70

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
            soft = wanted.kind in SOFT or wanted.form == "tells"
            least = SOFT_SURE if soft else weights(inner=reading(self.scorer) is not None).sure
            whole = wanted.form == "definition" or best.sure < least or not english(question)
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
        spans = rank(question, pieces, self.scorer if english(question) else None)
        if not spans:
            return None
        first = min(spans, key=lambda span: (-span.worth, span))
        total = math.fsum(math.exp(span.worth - first.worth) for span in spans)
        return Best(first.at, first.start, first.end, 1 / total)


def _defining(hits: Hits, pool: list[Unit], subject: tuple[str, ...]) -> int:
    """Position of the first sentence that begins `X is a` or `an X means`; else 0."""
    for at, unit in enumerate(pool):
        words = [w for w in tokens(hits[unit.hit].document.text, unit.start, unit.end) if w.shape != "p"]
        for k, word in enumerate(words[1 : len(subject) + 4], start=1):
            copula = word.low in ("is", "are") and k + 1 < len(words) and words[k + 1].low in ARTICLES
            if copula or word.low in DEFINES:
                named = [w.stem for w in words[:k] if w.low not in ARTICLES]
                if sorted(named) == sorted(subject):
                    return at
                break
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
