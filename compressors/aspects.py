"""What a question asks for, in parts: its terms with their weights, and the things it names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag.lexical import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["facet_table", "facets", "term_table"]

NAME = re.compile(
    r"[\"“]([^\"”]{2,80})[\"”]|((?:[A-Z][\w'’.&-]*|\d{4})(?:\s+(?:(?:of|the|and|de|von|van|la|for|in)\s+)?[A-Z0-9][\w'’.&-]*)*)"
)
ASKING = "what which who whom whose when where why how is are was were do does did in of on at the a an"


def facets(question: str) -> list[frozenset[str]]:
    """The terms of each thing the question names or quotes, in order, each once."""
    found: list[frozenset[str]] = []
    for match in NAME.finditer(question):
        words = (match.group(1) or match.group(2)).split()
        while words and words[0].lower() in ASKING.split() and not match.group(1):
            words = words[1:]
        one = frozenset(terms(" ".join(words)))
        if one and one not in found:
            found.append(one)
    return found


def term_table(question: str, words: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """float64 (n, t): the share of the question's weight that a unit covers by each term; a row's sum is at most 1.

    A term weighs its idf among the units; one that no unit has weighs nothing.
    """
    asked = sorted(set(terms(question)))
    there = np.array([[word in one for word in asked] for one in words], dtype=np.float64)
    there = there.reshape(len(words), len(asked))
    frequency = there.sum(axis=0)
    there = there[:, frequency > 0]
    weight = np.array([math.log1p(len(words) / count) for count in frequency.tolist() if count])
    found: NDArray[np.float64] = there * (weight / weight.sum())
    return found


def facet_table(asked: Sequence[frozenset[str]], words: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """float64 (n, f): the share of each facet's terms that a unit has."""
    if not asked:
        return np.zeros((len(words), 0))
    return np.array([[len(one & facet) / len(facet) for facet in asked] for one in words]).reshape(len(words), -1)
