"""Citations against gold spans, and against the sentences they are meant to support.

`CiteR` and `CiteP` compare citations with gold spans: a gold span is found when a citation shares a
character with it, and a citation is right when it shares a character with a gold span. An answer
without a citation scores 0 in both, as in ALCE. Recall and precision of ALCE itself (Gao et al.,
EMNLP 2023, https://arxiv.org/abs/2305.14627, section 3) need a judge of entailment; `alce` takes one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from evals.metrics.answers import words
from evals.ranges import by_document, length, overlap

__all__ = ["Alce", "alce", "f1", "grounded", "iou", "lexical", "overlong", "precision", "recall"]

Triple = Sequence[Any]
Entails = Callable[[str, str], bool]  # premise, claim


def _touched(these: Iterable[Triple], those: Iterable[Triple]) -> list[bool]:
    others = by_document(those)
    return [overlap([(int(start), int(end))], others.get(str(doc), [])) > 0 for doc, start, end in these]


def recall(cited: Sequence[Triple], gold: Sequence[Triple]) -> float:
    """CiteR: share of gold spans that a citation touches."""
    found = _touched(gold, cited)
    return sum(found) / len(found) if found else 0.0


def precision(cited: Sequence[Triple], gold: Sequence[Triple]) -> float:
    """CiteP: share of citations that touch a gold span; 0 without a citation."""
    found = _touched(cited, gold)
    return sum(found) / len(found) if found else 0.0


def f1(cited: Sequence[Triple], gold: Sequence[Triple]) -> float:
    """CiteF1: harmonic mean of the two; 1 when there is nothing to cite and nothing was cited."""
    if not cited and not gold:
        return 1.0
    p, r = precision(cited, gold), recall(cited, gold)
    return 2 * p * r / (p + r) if p + r else 0.0


def iou(cited: Sequence[Triple], gold: Sequence[Triple]) -> float:
    """CiteIoU: characters in both / characters in either, each counted once."""
    have, want = by_document(cited), by_document(gold)
    both = sum(overlap(have[doc], want[doc]) for doc in have if doc in want)
    either = sum(map(length, have.values())) + sum(map(length, want.values())) - both
    return both / either if either else 1.0


class Alce(NamedTuple):
    """ALCE's scores of one answer."""

    recall: float
    precision: float


def alce(sentences: Sequence[str], cited: Sequence[Sequence[str]], entails: Entails, *, most: int = 3) -> Alce:
    """Citation recall and precision of one answer.

    A sentence is supported when its citations together entail it. A citation counts when its sentence
    is supported and either it alone entails the sentence or the others together do not.

    Args:
        sentences: the answer's, without citation marks.
        cited: texts cited by each sentence; an empty text stands for a citation that does not exist.
        entails: judges a premise and a claim.
        most: citations used a sentence, as in the published code.

    Returns:
        recall: mean over sentences; precision: mean over citations, 0 without one.
    """
    supported, right, total = 0, 0, 0
    for sentence, texts in zip(sentences, cited, strict=True):
        used = list(texts)[:most]
        total += len(used)
        if not used or not all(used) or not entails("\n".join(used), sentence):
            continue
        supported += 1
        if len(used) == 1:
            right += 1
            continue
        for i, text in enumerate(used):
            others = "\n".join(used[:i] + used[i + 1 :])
            right += entails(text, sentence) or not entails(others, sentence)
    return Alce(supported / len(sentences) if sentences else 0.0, right / total if total else 0.0)


NEGATION = frozenset({"no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot"})
SMALL = frozenset(
    words(
        "of in on at to for by with from and or but is are was were be been has have had do does did it its "
        "this that these those as he she they his her their which who whom what when where how than then"
    ).split()
)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def lexical(premise: str, claim: str, idf: Mapping[str, float] | None = None, least: float = 0.8) -> bool:
    """Entailment without a model: the claim's content words are covered and its facts all occur.

    Weighted by idf, at least `least` of the content words must occur in the premise, and every number,
    every capitalised name inside the claim and every negation. A stand-in for an NLI model: it
    accepts restatements and refuses inference.
    """
    have = set(words(premise).split())
    want = [w for w in words(claim).split() if w not in SMALL]
    if not want:
        return False
    weights = [1.0 if idf is None else idf.get(w, max(idf.values(), default=1.0)) for w in want]
    covered = math.fsum(weight for w, weight in zip(want, weights, strict=True) if w in have)
    if covered < least * math.fsum(weights):
        return False
    numbers = set(NUMBER.findall(premise))
    if not all(n in numbers for n in NUMBER.findall(claim)):
        return False
    if (NEGATION & set(words(claim).split())) - have or (not NEGATION & set(words(claim).split()) and NEGATION & have):
        return False
    names = re.findall(r"(?<=[\w,;:] )[A-Z][\w-]+", claim)
    return all(set(words(name).split()) <= have for name in names)


FACTS = re.compile(r"\"([^\"]{2,})\"|“([^”]{2,})”|(\d+(?:[.,]\d+)*)|(?<=[\w,;:] )([A-Z][\w-]+(?: [A-Z][\w-]+)*)")


def grounded(answer: str, quotes: Sequence[str]) -> float | None:
    """Grounded: share of an answer's quoted strings, numbers and names that occur in its citations.

    No model; catches most factual slips. None when the answer holds nothing to check.
    """
    facts = ["".join(found) for found in FACTS.findall(answer)]
    if not facts:
        return None
    said = [words(quote) for quote in quotes]
    return sum(any(words(fact) in quote for quote in said) for fact in facts) / len(facts)


def overlong(cited: Sequence[Triple], gold: Sequence[Triple]) -> float | None:
    """Cited characters / gold characters, for citations that touch gold; 1 is a perfect fit."""
    right = [c for c, touched in zip(cited, _touched(cited, gold), strict=True) if touched]
    wanted = [g for g, touched in zip(gold, _touched(gold, cited), strict=True) if touched]
    if not right:
        return None
    return sum(map(length, by_document(right).values())) / sum(map(length, by_document(wanted).values()))
