"""The sentences a passage is about, as exact ranges: no model, linear in the text.

A sentence is scored against the centroid of its passage, as in MEAD (Radev, Jing, Stys and Tam, "Centroid-based
summarization of multiple documents", 2004), and sentences are taken greedily while the words already said lose
their weight, as in SumBasic (Nenkova and Vanderwende, MSR-TR-2005-101). Departures: all statistics come from the
passage itself and from nothing else, so an equal passage gives equal sentences wherever it stands and whatever
changes around it; and a leaning towards the beginning of the passage, where most writers put what matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from rag.lexical import STOP
from rag.models.tokens import Tokenizer, counter
from rag.store.terms import Analyzer
from rag.units import clauses, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sentences", "pick", "salient", "sentences_of", "stopped"]

Range = tuple[int, int]
FIRST = 2.0  # how much more the first sentence of a passage counts
SAID = 0.5  # what is left of the weight of a word once it has been said
MOST = 64  # candidates looked at one by one for a passage, the best by their scores alone
SHORT, LONG = 4, 60  # words of a sentence; shorter and longer ones count less
MARKUP = re.compile(r"\s*(?:#{1,6}\s|\||[-=*_~`+]{3,}|<|https?://|\$\$|\\[a-z]+\{|!\[)")
ENDS = re.compile(r"[.!?…。！？｡؟۔।॥።][\"'”’»)\]}」』*_]*(?:\[\d{1,4}\])*\s*$")
WORD = re.compile(r"\w+")
MARK = re.compile(r"\s*(?:(?:[-*+•‣◦]|\(?\d{1,3}[.)])\s+)?")  # of a list item


@dataclass(frozen=True, eq=False)
class Sentences:
    """The sentences of a text and the words in them.

    Args:
        start: int64 (n,), first code point of each sentence; ascending.
        end: int64 (n,), one past the last, without white space.
        prior: float64 (n,), in [0, 1]: how much a sentence looks like prose that can stand alone.
        key: int64 (e,), word * n + sentence, ascending: where each word stands.
        indptr: int64 (n + 1,), where the words of each sentence begin in `word`.
        word: int64 (e,), the distinct words of each sentence, ascending.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    prior: NDArray[np.float64]
    key: NDArray[np.int64]
    indptr: NDArray[np.int64]
    word: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    def within(self, start: int, end: int) -> Range:
        """Indices of the first sentence of a range and of the first one behind it."""
        low, high = np.searchsorted(self.start, [start, end]).tolist()
        return low, high

    def words(self, sentence: int) -> NDArray[np.int64]:
        """The distinct words of a sentence."""
        return self.word[self.indptr[sentence] : self.indptr[sentence + 1]]

    def weights(
        self, which: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """How much each word of some sentences weighs in the passage each is a candidate for.

        A word that stands in c of the n sentences of the passage weighs `ln(1 + c) ln(1 + (n + 1) / c)`.

        Args:
            which: int64 (m,), the sentences.
            low: int64 (m,), first sentence of the passage of each.
            high: int64 (m,), one past its last.

        Returns:
            float64 (w,) weights, and int64 (m + 1,) where those of each sentence begin.
        """
        sizes = self.indptr[which + 1] - self.indptr[which]
        ptr = np.concatenate(([0], np.cumsum(sizes)))
        place = np.arange(ptr[-1]) + np.repeat(self.indptr[which] - ptr[:-1], sizes)
        row = self.word[place] * len(self)
        count = np.searchsorted(self.key, row + np.repeat(high, sizes))
        count -= np.searchsorted(self.key, row + np.repeat(low, sizes))
        of = np.repeat(high - low, sizes) + 1.0
        return np.log1p(count) * np.log1p(of / count), ptr

    def scores(self, which: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64 (m,), how well each sentence stands for its passage; arguments as for `weights`."""
        weights, ptr = self.weights(which, low, high)
        total = np.concatenate(([0.0], np.cumsum(weights)))
        sums = total[ptr[1:]] - total[ptr[:-1]]
        length = np.maximum(ptr[1:] - ptr[:-1], 1)
        found: NDArray[np.float64] = sums / np.sqrt(length) * self.prior[which] * (1 + FIRST / (1.0 + which - low))
        return found

    def choose(self, which: Sequence[int], low: int, high: int, costs: Sequence[int], budget: int) -> list[int]:
        """Sentences that together stand for a passage.

        Args:
            which: the candidates.
            low: first sentence of the passage.
            high: one past its last.
            costs: tokens of each candidate.
            budget: tokens together at most.

        Returns:
            Some of the candidates, in the order of the text.
        """
        ids = np.asarray(which, dtype=np.int64)
        weights, ptr = self.weights(ids, np.full(len(ids), low), np.full(len(ids), high))
        words = [self.words(i).tolist() for i in which]
        parts = [weights[ptr[k] : ptr[k + 1]].tolist() for k in range(len(ids))]
        factor = [
            float(self.prior[i]) * (1 + FIRST / (1 + i - low)) / max(len(words[k]), 1) ** 0.5
            for k, i in enumerate(which)
        ]
        said: set[int] = set()
        chosen: list[int] = []
        open_ = [k for k in range(len(ids)) if costs[k] <= budget and factor[k] > 0 and words[k]]
        while open_:
            gains = [
                (sum(w * SAID if t in said else w for t, w in zip(words[k], parts[k], strict=True)), k) for k in open_
            ]
            gain, _, best = max((round(factor[k] * new, 9), -which[k], k) for new, k in gains)
            if gain <= 0:
                break
            chosen.append(which[best])
            budget -= costs[best]
            said.update(words[best])
            open_ = [k for k in open_ if k != best and costs[k] <= budget]
        return sorted(chosen)


def sentences_of(text: str, ranges: Iterable[Range]) -> Sentences:
    """The sentences of some ranges of a text, blank ones left out; list items and table rows are sentences too.

    The mark of a list item is not part of it.

    Args:
        text: any text.
        ranges: ordered, disjoint.
    """
    found: list[Range] = []
    prior: list[float] = []
    for begin, stop in ranges:
        for a, b, needs in cut(text, begin, stop):
            mark = MARK.match(text, a, b)
            first = mark.end() if mark else a
            body = text[first:b].strip()
            if body:
                found.append((first, first + len(body)))
                prior.append(_prior(body) if needs is None else 0.0)
    spans = np.array(found, dtype=np.int64).reshape(-1, 2)
    counted = Analyzer().count(text[a:b] for a, b in found)
    keep = np.array([term not in stopped() for term in counted.terms], dtype=bool)
    word = np.repeat(np.arange(len(counted.terms)), np.diff(counted.indptr))
    of: NDArray[np.int64] = counted.text.astype(np.int64)
    if len(word):
        of, word = of[keep[word]], word[keep[word]]
    order = np.argsort(of, kind="stable")
    indptr = np.searchsorted(of[order], np.arange(len(found) + 1)).astype(np.int64)
    return Sentences(
        spans[:, 0], spans[:, 1], np.array(prior, dtype=np.float64), word * len(found) + of, indptr, word[order]
    )


def salient(
    text: str, ranges: Iterable[Range], *, tokens: int = 100, k: int | None = None, tokenizer: str = "cl100k"
) -> tuple[Range, ...]:
    """The sentences that some ranges are about.

    Args:
        text: the document.
        ranges: ordered, disjoint ranges of it.
        tokens: of all sentences together, joined by blanks, at most.
        k: sentences at most; None leaves that to `tokens`.
        tokenizer: whose tokens count.

    Returns:
        Ordered, disjoint ranges inside the given ones: whole sentences without white space at their ends; the
        beginning of one, cut behind a clause, where no whole one fits; () where there is nothing but blanks.
    """
    table = sentences_of(text, ranges)
    if not len(table) or tokens <= 0 or (k is not None and k <= 0):
        return ()
    return pick(text, table, np.arange(len(table)), 0, len(table), tokens=tokens, k=k, tokenizer=tokenizer)


def pick(
    text: str,
    table: Sentences,
    which: NDArray[np.int64],
    low: int,
    high: int,
    *,
    tokens: int,
    k: int | None = None,
    tokenizer: str = "cl100k",
    known: dict[int, int] | None = None,
) -> tuple[Range, ...]:
    """As `salient`, of the candidates `which` for the sentences `low` up to `high` of a table.

    `known` keeps the tokens of sentences between calls for one table.
    """
    scores = table.scores(which, np.full(len(which), low), np.full(len(which), high))
    best = np.sort(which[np.lexsort((which, -np.round(scores, 9)))[:MOST]]).tolist()
    spans = [(int(table.start[i]), int(table.end[i])) for i in best]
    count = counter(tokenizer)
    known = {} if known is None else known
    new = [i for i in best if i not in known]
    at = dict(zip(best, spans, strict=True))
    known.update(zip(new, count.counts([text[slice(*at[i])] for i in new]), strict=True))
    costs = [known[i] + 1 for i in best]  # one for the blank between two
    chosen = [at[i] for i in table.choose(best, low, high, costs, tokens + 1)[:k]]
    while len(chosen) > 1 and count.count(" ".join(text[a:b] for a, b in chosen)) > tokens:
        chosen.pop()
    return tuple(chosen) or _beginning(text, spans[int(np.argmax(table.prior[best]))], tokens, count)


def _beginning(text: str, span: Range, tokens: int, count: Tokenizer) -> tuple[Range, ...]:
    """The first clauses of a sentence that fit, or else as much of it as fits."""
    start, end = span
    stop = start
    for _, border in clauses(text, start, end):
        if count.count(text[start:border].rstrip()) > tokens:
            break
        stop = border
    if stop == start:
        places = count.starts(text[start:end])
        stop = start + int(places[tokens]) if tokens < len(places) else end
        while stop > start and count.count(text[start:stop]) > tokens:
            stop -= 1
    stop = start + len(text[start:stop].rstrip())
    return ((start, stop),) if stop > start else ()


def _prior(body: str) -> float:
    """How much a sentence looks like prose that can stand alone, from its looks."""
    if MARKUP.match(body):
        return 0.0
    words = len(WORD.findall(body)) if body.isascii() else max(len(WORD.findall(body)), len(body) // 6)
    size = 1.0 if SHORT < words <= LONG else 0.5
    return size if ENDS.search(body) else 0.3 * size


@cache
def stopped() -> frozenset[str]:
    """Function words as the analyzer gives them."""
    return frozenset(Analyzer().terms(" ".join(sorted(STOP))))
