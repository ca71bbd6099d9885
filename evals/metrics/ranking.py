"""Ranking metrics over distinct documents, with trec_eval's values.

Definitions: trec_eval (NIST), https://github.com/usnistgov/trec_eval, and the names of ir-measures,
MacAvaney et al., ECIR 2022, https://arxiv.org/abs/2111.13466. A grade above 0 is relevant; unjudged
documents and grades of 0 or below are not. A question without a judgement is not scored; one whose
judgements are all 0 scores 0, as in trec_eval.

Every function takes `ranking`, distinct document ids, best first, and `grades`, document -> grade.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "all_recall",
    "average_precision",
    "by_score",
    "distinct",
    "f1",
    "ndcg",
    "precision",
    "recall",
    "reciprocal_rank",
    "set_precision",
    "success",
]

Grades = Mapping[str, int]


def distinct(docs: Iterable[str]) -> list[str]:
    """Each document once, where it came first."""
    return list(dict.fromkeys(docs))


def by_score(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score; ties by falling id, which is trec_eval's rule."""
    return sorted(sorted(scores, reverse=True), key=lambda doc: -scores[doc])


def _relevant(grades: Grades) -> int:
    return sum(grade > 0 for grade in grades.values())


def _found(ranking: Sequence[str], grades: Grades, k: int | None) -> int:
    return sum(grades.get(doc, 0) > 0 for doc in ranking[:k])


def recall(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """R@k: relevant documents among the first k / all relevant documents."""
    total = _relevant(grades)
    return _found(ranking, grades, k) / total if total else 0.0


def precision(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """P@k: relevant documents among the first k / k, also where fewer than k were found.

    Without k the denominator is the length of the ranking (trec_eval's set precision).
    """
    size = len(ranking) if k is None else k
    return _found(ranking, grades, k) / size if size else 0.0


def set_precision(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """SetP@k: precision of the chosen set, which is what was returned, at most k; 0 for an empty one."""
    return precision(ranking[:k], grades)


def f1(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """F1@k of the chosen set: harmonic mean of its precision and recall.

    The precision divides by what was returned, at most k: a selection of two is not blamed for being short.
    """
    chosen = ranking[:k]
    hits, total = _found(chosen, grades, None), _relevant(grades)
    return 2 * hits / (len(chosen) + total) if hits else 0.0


def success(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """Success@k: 1 when any relevant document is among the first k."""
    return float(_found(ranking, grades, k) > 0)


def all_recall(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """AllR@k: 1 when every relevant document is among the first k; 0 when there is none.

    The questions for which a multi-hop reader has all it needs: HippoRAG, NeurIPS 2024,
    https://arxiv.org/abs/2405.14831, table 9 (all-recall).
    """
    total = _relevant(grades)
    return float(total > 0 and _found(ranking, grades, k) == total)


def reciprocal_rank(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """RR@k: 1 / rank of the first relevant document, 0 when it is not among the first k."""
    for rank, doc in enumerate(ranking[:k], start=1):
        if grades.get(doc, 0) > 0:
            return 1.0 / rank
    return 0.0


def average_precision(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """AP@k: mean over all relevant documents of the precision at each one's rank, 0 where it was not found."""
    total, found, gained = _relevant(grades), 0, 0.0
    for rank, doc in enumerate(ranking[:k], start=1):
        if grades.get(doc, 0) > 0:
            found += 1
            gained += found / rank
    return gained / total if total else 0.0


def ndcg(ranking: Sequence[str], grades: Grades, k: int | None = None) -> float:
    """nDCG@k with linear gains and a discount of log2(rank + 1).

    Jarvelin and Kekalainen, TOIS 2002, in trec_eval's form (`ndcg_cut`): the gain is the grade itself.
    """
    gains = [max(grades.get(doc, 0), 0) for doc in ranking[:k]]
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    best = _dcg(ideal)
    return _dcg(gains) / best if best else 0.0


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1) if gain)
