"""How well short texts match a question by their words alone."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STOP", "match", "stem", "terms"]

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[\u3040-\u30ff\u3400-\u9fff]")
WORDS = (
    "a about after all also an and any are as at be because been before being between both but by can could did do does"
    " doing during each for from had has have having he her here hers him his how i if in into is it its itself just"
    " me more most my no nor not of off on once only or other our out over own same she should so some such than that"
    " the their theirs them then there these they this those through to too under until up very was we were what when"
    " where which while who whom whose why will with would you your"
)
STOP = frozenset(WORDS.split())
ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A lower-case word without its common English ending; short words stay."""
    if word.endswith(("'s", "’s")):
        word = word[:-2]
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def terms(text: str) -> list[str]:
    """Stems of the words of a text that carry meaning, in order."""
    return [stem(w) for w in WORD.findall(text.lower()) if w not in STOP]


def match(
    question: str,
    texts: Sequence[str],
    heads: Sequence[str] | None = None,
    *,
    bags: Sequence[Sequence[str]] | None = None,
) -> NDArray[np.float64]:
    """BM25 of each text for the question, with these texts as the collection, as a share of the best possible.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, section 3; k1 = 1.2, b = 0.3, since
    units differ in length by nature. Two departures: a word of the question that stands in the headings above a
    text counts half where the text lacks it, and neighbouring words of the question that stand side by side in
    the text count again.

    Args:
        question: any text.
        texts: n >= 0 texts.
        heads: n texts that stand above them, such as titles and headings.
        bags: `terms` of each text, where they are known already.

    Returns:
        float64 (n,), in [0, about 2]; 0 where no word matches.
    """
    wanted = terms(question)
    if not texts or not wanted:
        return np.zeros(len(texts))
    bags = [terms(t) for t in texts] if bags is None else bags
    asked = frozenset(wanted)
    has = [asked.intersection(bag) for bag in bags]
    frequency = Counter(w for words in has for w in words)
    size = len(texts)
    idf = {w: math.log1p((size - frequency[w] + 0.5) / (frequency[w] + 0.5)) for w in dict.fromkeys(wanted)}
    best = sum(idf.values()) or 1.0
    mean = sum(map(len, bags)) / size or 1.0
    pairs = set(itertools.pairwise(wanted))
    known = {head: set(terms(head)) for head in set(heads or ())}
    above = [known[head] for head in heads] if heads is not None else [set[str]()] * size
    found = np.zeros(size)
    for i, (bag, own) in enumerate(zip(bags, has, strict=True)):
        if not own and asked.isdisjoint(above[i]):
            continue
        norm = 1.2 * (0.7 + 0.3 * len(bag) / mean)
        score = 0.0
        for word, weight in idf.items():
            if word in own:
                count = bag.count(word)
                score += weight * count * 2.2 / (count + norm)
            elif word in above[i]:
                score += 0.5 * weight
        side = pairs.intersection(itertools.pairwise(bag)) if own else ()
        score += 0.5 * sum(min(idf[a], idf[b]) for a, b in sorted(side))
        found[i] = score / best
    return found
