"""The next question in words: what is still open of it, and what a passage adds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from retrievers.bm25 import BM25, idf
from retrievers.names import key, names

if TYPE_CHECKING:
    from rag.stage import Retriever

__all__ = ["opened_terms", "weights_in"]

TERMS = 5  # that a passage adds to a question


def weights_in(inner: BM25, text: str) -> dict[str, float]:
    """Terms of a text that an index holds, each with its count times its idf, in code point order."""
    matrix = inner._matrix
    counts = Counter(inner.terms(text))
    rows = {term: row for term in sorted(counts) if (row := matrix.vocabulary.find(term)) >= 0}
    if not rows:
        return {}
    weight = idf(np.diff(matrix.indptr)[list(rows.values())], len(matrix.corpus), inner.method).tolist()
    return {term: counts[term] * one for term, one in zip(rows, weight, strict=True)}


def opened_terms(inner: Retriever, question: str, passage: str) -> str:
    """The next question in words: what of the question the passage lacks, and what the passage adds.

    Args:
        inner: `retrievers/bm25` gives the rarest five terms of the passage that the question lacks; of others the five
            longest names are taken.
        question: the question so far.
        passage: title, headings and text.
    """
    if isinstance(inner, BM25):
        asked, there = dict.fromkeys(inner.terms(question)), weights_in(inner, passage)
        added = sorted((one for one in there if one not in asked), key=lambda one: (-there[one], one))[:TERMS]
        return " ".join([*(one for one in asked if one not in there), *added])
    words, low = question.split(), f" {key(passage)} "
    asked_key = f" {key(question)} "
    fresh = dict.fromkeys(one for one in names(passage) if f" {one} " not in asked_key)
    added = sorted(fresh, key=lambda one: (-one.count(" "), one))[:TERMS]
    return " ".join([*(one for one in words if f" {key(one)} " not in low), *added])
