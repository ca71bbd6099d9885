"""Elementary discourse units: clauses and what stands for a clause, by a linear tagger of 128 KB.

Units after the practice of the GUM corpus (Zeldes 2017; RST, Mann and Thompson 1988): clauses, relative clauses,
attributions ("she said"), phrases opened by strong cues, headings, list items, brackets. A unit that another one
interrupts comes as two pieces. English.

The tagger decides for each word whether a unit begins there: a sum of 8-bit weights over hashed features, so the same
text gives the same units on every machine. It learned from the CC BY genres of GUM (academic, court, interview, news)
and from {0} words of open text labelled by a fine-tuned encoder that learned from the same documents
(`evals.training.edus`, `weights.md`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.edu.features import places
from rag.edu.words import Words, words_of
from rag.sentences import sentence_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["edu_scores", "edu_spans", "edu_starts"]

BLOCK = 1 << 15  # words scored at a time, so that columns stay in the cache


class Weights(NamedTuple):
    """The table (2**17,) of int8, and the sum from which a unit begins."""

    table: NDArray[np.int8]
    least: int


@cache
def _weights() -> Weights:
    with (files("rag.edu") / "weights.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        table = stored["table"]
        table.setflags(write=False)
        return Weights(table, int(stored["least"]))


def edu_scores(words: Words) -> NDArray[np.int32]:
    """How much each word looks like the first of a unit, (n,); 0 or more where it is taken for one."""
    table, least = _weights()
    total = np.full(len(words.start), -least, dtype=np.int32)
    for index in places(words):
        total += table[index]
    return total


def edu_starts(text: str, start: int = 0, end: int | None = None) -> NDArray[np.int64]:
    """Where units begin in a text or a range of it, in order, the range's own start first.

    A sentence that begins opens a unit, so that units lie inside sentences (`rag.sentences`). An empty or blank range
    is one unit. Linear in the text; a range is read by itself, so its neighbours change nothing.
    """
    stop = len(text) if end is None else end
    words = words_of(text, start, stop)
    found = words.start[edu_scores(words) >= 0]
    opened = np.array([a for a, _ in sentence_spans(text, start, stop)], dtype=np.int64)
    begins = np.unique(np.concatenate((found, opened)))
    first = words.start[0] if len(words.start) else stop
    return np.append(np.int64(start), begins[(begins > first) & (begins < stop)])


def edu_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The units of a text or a range of it as half-open ranges that tile it; white space goes with what it follows.

    Args:
        text: any text.
        start: first code point of the range.
        end: one past the last; the text's end by default.

    Returns:
        [(a, b)], in code points, `text[a:b]`; none for an empty range.
    """
    stop = len(text) if end is None else end
    if stop <= start:
        return []
    places_ = edu_starts(text, start, stop).tolist()
    return list(zip(places_, [*places_[1:], stop], strict=True))
