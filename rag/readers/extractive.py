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
from rag.readers.question import asked
from rag.readers.render import heading
from rag.readers.span_weights import SENTENCE, WEIGHTS
from rag.readers.spans import candidates, features, tokens, worth
from rag.stage import Field, stage
from rag.types import Answer, Citation, Hits
from rag.units import Unit, units

__all__ = ["Extractive"]

NAME = "readers/extractive"
LOGIT = 0.0  # thresholds, see the table below
WORDS = 0.4
WORDS_SCALE = 10.0  # a score by words is worth this many logits


class Best(NamedTuple):
    """A span of the document and its worth."""

    start: int
    end: int
    worth: float


@stage
class Extractive:
    """Score the sentences of the evidence, choose a span in the best ones, or abstain.

    Sentences are scored with their headings by a cross-encoder (or by their words); spans by a log-linear ranker
    (`rag.readers.spans`), which knows what kind of answer the question word asks for. Below `threshold` the reader
    abstains. Scored on 80 questions a set, BM25 and 1,000 tokens of extracted sentences before it: exact match and F1
    30 / 41 (SQuAD articles), 28 / 40 (SQuAD, long), 34 / 44 (Natural Questions, whole collection), 14 / 18 (HotpotQA,
    which asks for two hops), 10 / 34 (COVID-QA); the cited sentence holds the answer for 84, 88, 74, 30 and 59 %.

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
    form: Literal["span", "sentence"] = Field(default="span", description="the answer's text: a span, or its sentence")
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
            sure = self._confidence(scores[0]) if pool else None
            return Answer(hits.query, "", "abstained", (), hits, sure, notes={NAME: {**way, "abstained": reason}})
        found = [self._best(question, hits, unit) for unit in pool[: self.depth]]
        weight = SENTENCE if self.scorer is not None else SENTENCE * WORDS_SCALE
        order = sorted(range(len(found)), key=lambda i: (-round(found[i].worth + weight * float(scores[i]), 9), i))
        unit, best = pool[order[0]], found[order[0]]
        document = hits[unit.hit].document
        start, end = _stripped(document.text, unit.start, unit.end)
        text = document.text[best.start : best.end] if self.form == "span" else document.text[start:end]
        return Answer(
            hits.query,
            text,
            "answered",
            (Citation.of(document, start, end),),
            hits,
            self._confidence(scores[order[0]]),
            notes={NAME: {**way, "kind": asked(question).kind}},
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

    def _best(self, question: str, hits: Hits, unit: Unit) -> Best:
        """The best span of one sentence; the sentence itself where no span can answer."""
        text = hits[unit.hit].document.text
        start, end = _stripped(text, unit.start, unit.end)
        wanted = asked(question)
        stems = frozenset(terms(question))
        best = Best(start, end, -math.inf)
        if wanted.kind != "yes-no":
            words = tokens(text, start, end)
            for i, j in candidates(words):
                value = round(worth(features(words, i, j, wanted, stems), WEIGHTS), 9)
                if value > best.worth:
                    best = Best(words[i].start, words[j - 1].end, value)
        return best if best.worth > -math.inf else Best(start, end, 0.0)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends."""
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())
