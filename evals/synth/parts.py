"""A text as a tree of contexts: halved where its sentences have least in common, again and again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rag.lexical import terms

__all__ = ["Part", "context_split"]

Range = tuple[int, int]
BALANCE = 0.2  # how much an even cut counts beside a natural one
WINDOW = 3  # sentences compared on each side of a cut
FEWEST = 2  # sentences of a part


class Part(NamedTuple):
    """A node of the tree: sentences `first` up to `last`, `depth` cuts below the whole."""

    first: int
    last: int
    depth: int
    leaf: bool


def context_split(text: str, sentences: Sequence[Range]) -> Iterator[Part]:
    """The context-split tree, from the whole down, left before right.

    AugCon, https://arxiv.org/abs/2405.16579, asks a language model to part a context in two and reword the halves.
    Here a cut is a sentence boundary, the one with the least cosine between the words of three sentences on each side
    plus 0.2 times its distance from the middle; so every part is a range of the text. Time n log n.

    Args:
        text: the source.
        sentences: ordered ranges of it.
    """
    words = [Counter(terms(text[start:end])) for start, end in sentences]
    alike = [0.0] * len(words)
    for i in range(1, len(words)):
        left = sum(words[max(0, i - WINDOW) : i], Counter())
        alike[i] = _cosine(left, sum(words[i : i + WINDOW], Counter()))
    waiting = [(0, len(sentences), 0)] if sentences else []
    while waiting:
        first, last, depth = waiting.pop()
        leaf = last - first < 2 * FEWEST
        yield Part(first, last, depth, leaf)
        if leaf:
            continue
        begin, end = sentences[first][0], sentences[last - 1][1]
        cut = min(
            range(first + FEWEST, last - FEWEST + 1),
            key=lambda i: (alike[i] + BALANCE * abs((sentences[i][0] - begin) / (end - begin) - 0.5), i),
        )
        waiting += [(cut, last, depth + 1), (first, cut, depth + 1)]


def _cosine(a: Counter[str], b: Counter[str]) -> float:
    shared = sum(count * b[word] for word, count in a.items())
    return shared / math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values())) if shared else 0.0
