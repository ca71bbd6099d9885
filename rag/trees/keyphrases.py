"""The phrases a passage is about, found by rule: runs of content words, weighed by how they stand out.

Candidates are those of RAKE: runs of words without a function word or punctuation between them (Rose, Engel, Cramer
and Cowley, "Automatic keyword extraction from individual documents", 2010, section 1.2), here every part of a run up
to three words. Weights are not RAKE's degree ratio, which prefers long runs that occur once: a word weighs
`log(1 + count)` times how rare it is in the passages around (`background_of`), a phrase the sum of its words by the
root of their number, times `log(1 + count)` of the phrase itself. A phrase whose words another, better one has is left
out. Japanese and Chinese runs end where kana or a common particle stands. Nothing is trained; the work is linear in
the passage.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rag.lexical import STOP, stem

__all__ = ["Phrase", "Word", "background_of", "keyphrases", "words"]

LONGEST = 3  # words of a phrase
ROOTS, LOG2 = tuple(math.sqrt(n) for n in range(LONGEST + 1)), math.log1p(1)
LETTERS = 48  # of a word; longer runs of letters and digits are keys and addresses
RARE = 1.0  # weight of a word that the background does not know, in shares of the rarest it knows
UNSPACED = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PARTICLES = "的了是在和与及或对为于被把从这那其之而也都就"  # between words of Chinese far oftener than in them
MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0e31-\u0e4e"
WORD = re.compile(
    rf"[{UNSPACED}]{{1,8}}|[\u30a0-\u30ff]{{2,16}}|[\u3040-\u309f]+"
    rf"|[^\W_{UNSPACED}\u3040-\u30ff](?:[^\W_{UNSPACED}\u3040-\u30ff]|[{MARKS}])*"
    rf"(?:['’.\-+#&][^\W_{UNSPACED}\u3040-\u30ff]+)*"
)
SPLIT = re.compile(f"[{PARTICLES}]+")
BLANK = frozenset(" \u00a0\t\u200e\u200f")  # what may stand between the words of a phrase
MORE_STOP = frozenset(
    """however therefore thus hence also may might must shall will would could since although though among within
    without upon whether either neither nor yet still even ever never many much several various another one two
    three above below someone anyone everyone something anything first second new used
    using use based including include includes well e.g i.e etc et al via per
    vs said says say made make like let get got go going see et de la le les der die das und""".split()  # noqa: SIM905
)
STOPPED = STOP | MORE_STOP


Found = tuple[int, int, str, bool]  # what a `Word` holds


class Word(NamedTuple):
    """A word in its place: its range, its stem, and whether it is a function word or a bare number."""

    start: int
    end: int
    stem: str
    empty: bool


class Phrase(NamedTuple):
    """A phrase as it first stands in the passage, every range where it stands, and its weight."""

    text: str
    spans: tuple[tuple[int, int], ...]
    weight: float


def words(text: str, start: int, end: int) -> Iterator[Word]:
    """The words of a range, in order."""
    return map(Word._make, _words(text, start, end))


def _words(text: str, start: int, end: int) -> Iterator[Found]:
    for found in WORD.finditer(text, start, end):
        begin, stop = found.span()
        word = found[0]
        if word[0] >= "\u3400" and SPLIT.search(word):
            at = begin
            for gap in SPLIT.finditer(word):
                if begin + gap.start() > at:
                    yield _unspaced(text, at, begin + gap.start())
                at = begin + gap.end()
            if at < stop:
                yield _unspaced(text, at, stop)
            continue
        one, empty = _known(word)
        yield begin, stop, one, empty


@lru_cache(maxsize=1 << 16)
def _known(word: str) -> tuple[str, bool]:
    """The stem of a word, and whether it is empty: a function word, kana, a number, a letter, a key or an address."""
    size, word = len(word), word.lower()
    kana = "\u3040" <= word[0] <= "\u309f"
    empty = kana or word in STOPPED or size > LETTERS or not any(map(str.isalpha, word))
    return stem(word), empty or size < 2


def _unspaced(text: str, start: int, end: int) -> Found:
    return start, end, text[start:end], end - start < 2


def background_of(text: str, ranges: Iterable[tuple[int, int]]) -> Mapping[str, float]:
    """How telling each stem is: the logarithm of how few of the ranges hold it.

    Args:
        text: the document.
        ranges: its passages, such as the leaves of a tree.

    Returns:
        stem -> ln(1 + (n - found + .5) / (found + .5)), above 0; the inverse document frequency of BM25 with the
        passages as the collection.
    """
    found: Counter[str] = Counter()
    count = 0
    for start, end in ranges:
        found.update({word.stem for word in words(text, start, end) if not word.empty})
        count += 1
    return {word: math.log1p((count - n + 0.5) / (n + 0.5)) for word, n in found.items()}


def keyphrases(
    text: str, start: int, end: int, *, k: int, background: Mapping[str, float] | None = None
) -> list[Phrase]:
    """The k phrases that stand out in a range.

    Args:
        text: the document.
        start: first code point of the range.
        end: one past its last.
        k: phrases at most.
        background: stem -> how telling a word is (`background_of`); words it lacks weigh as its rarest, and None
            weighs all alike.

    Returns:
        At most k phrases, heaviest first, ties by place; spans lie in the range, in order, each a slice with the
        phrase's words.
    """
    runs = list(_runs(text, _words(text, start, end)))
    counts = Counter(word[2] for run in runs for word in run)
    if not counts or k <= 0:
        return []
    known = background or {}
    rarest = RARE * max(known.values(), default=1.0)
    weight = {one: math.log1p(n) * known.get(one, rarest) for one, n in counts.items()}
    places: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for run in runs:
        size = len(run)
        if size == 1:  # most runs
            begin, end, one, _ = run[0]
            if (one,) in places:
                places[one,].append((begin, end))
            else:
                places[one,] = [(begin, end)]
            continue
        stems = tuple([word[2] for word in run])
        for i, word in enumerate(run):
            begin = word[0]
            for j in range(i + 1, min(size, i + LONGEST) + 1):
                key = stems[i:j]
                spans = places.get(key)
                if spans is None:
                    places[key] = [(begin, run[j - 1][1])]
                elif spans[-1][1] <= begin:
                    spans.append((begin, run[j - 1][1]))
    scored = []
    for key, spans in places.items():
        length = len(key)
        total = weight[key[0]]
        if length > 1:
            for one in key[1:] if len(set(key)) == length else tuple(dict.fromkeys(key))[1:]:
                total += weight[one]
            total /= ROOTS[length]
        held = len(spans)
        scored.append((-total * (LOG2 if held == 1 else math.log1p(held)), spans[0][0], length, key, spans))
    scored.sort()
    return _distinct(text, scored, k)


def _runs(text: str, found: Iterable[Found]) -> Iterator[list[Found]]:
    """Content words with nothing but blanks between them."""
    run: list[Found] = []
    end = 0
    for word in found:
        begin, stop, _, empty = word
        if run and (empty or (text[end:begin] != " " and not BLANK.issuperset(text[end:begin]))):
            yield run
            run = []
        if not empty:
            run.append(word)
            end = stop
    if run:
        yield run


def _distinct(
    text: str, scored: Sequence[tuple[float, int, int, tuple[str, ...], list[tuple[int, int]]]], k: int
) -> list[Phrase]:
    """The best, without those that say what a better one says: its words, or those and more."""
    chosen: list[Phrase] = []
    covered: set[str] = set()
    for held, _, _, key, spans in scored:
        if covered.isdisjoint(key):
            first = spans[0]
            chosen.append(Phrase(text[first[0] : first[1]], tuple(spans), -held))
            covered.update(key)
            if len(chosen) == k:
                break
    return chosen
