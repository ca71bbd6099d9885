"""Words and marks of a text with their places, and what a word looks like: a form, an ending, a class, a shape."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COORDINATOR", "MARKS", "VERBS", "Words", "words_of"]

TOKEN = re.compile(r"[^\W_]+|['’](?:s|re|ve|ll|d|m|t)\b|[^\w\s]|_")
CLASSES: Mapping[str, str] = {  # closed classes, the first that holds a word is its class
    "coordinator": "and or but nor yet plus",
    "negation": "not t n't never no",
    "speech": (
        "say says said saying tell told tells think thinks thought believe believes believed claim claims claimed argue "
        "argues argued report reported reports state states stated suggest suggests suggested show shows showed shown "
        "find finds found know knows knew note noted notes announce announced add added explain explained ask asked "
        "feel felt hope hoped mean means meant according"
    ),
    "raising": (
        "want wants wanted have has had need needs needed able going go try tries tried trying seem seems seemed used "
        "ought like likely begin began begins continue continues continued fail failed start started allow allowed "
        "allows expected supposed willing"
    ),
    "auxiliary": (
        "is are was were be been being am 's 're 'm 've 'd 'll do does did will would can could may might shall should "
        "must ca wo"
    ),
    "subordinator": (
        "because although though whereas unless whenever if until till while when where whether which who whose whom "
        "once after before since as than that so lest wherever why how what whoever"
    ),
    "pronoun": "i you he she it we they there this these those one someone everybody nobody",
    "determiner": "the a an his her its their our my your each every some any",
    "preposition": (
        "in on at by for with from of to about into over under between through during without within against among "
        "despite upon via per"
    ),
    "past": (
        "went came made took gave got saw became brought built bought kept left lost met paid put ran sat sent set "
        "spent stood won wrote held led read"
    ),
}
KNOWN = {word: number for number, words in reversed(list(enumerate(CLASSES.values(), 1))) for word in words.split()}
SIGNS = ",;:.!?()[]\"“”'-–—/%$"
MARK = 16  # the class of a mark is this plus one plus its place among SIGNS
NUMBER, OTHER = 40, 49
ENDINGS = (
    (("ing",), 5, 41),
    (("ed",), 4, 42),
    (("ly",), 3, 43),
    (("tion", "ment", "ness", "ity", "ance", "ence", "ism"), 4, 44),
    (("ss",), 2, OTHER),
    (("s",), 2, 45),
    (("er",), 2, 46),
    (("al", "ive", "ous", "ic", "ful", "able"), 2, 47),
)
COORDINATOR = 1
VERBS = np.zeros(64, dtype=np.bool_)  # classes of words that look like finite or non-finite verbs
VERBS[[3, 4, 5, 10, 42]] = True
MARKS = np.zeros(64, dtype=np.bool_)
MARKS[MARK : MARK + len(SIGNS) + 1] = True


class Words(NamedTuple):
    """The words and marks of a text, in order.

    Args:
        start: int64 (n,), first code point of each.
        form: uint32 (n,), hash of the lower-case word; `end` of its last three letters, `begin` of its first three.
        kind: uint32 (n,), class below 64; `shape` how it is written, below 8.
        gap: uint32 (n,), what stands before it: 0 nothing, 1 space, 2 a line's end, 3 an empty line or the text's start.
    """

    start: NDArray[np.int64]
    form: NDArray[np.uint32]
    end: NDArray[np.uint32]
    begin: NDArray[np.uint32]
    kind: NDArray[np.uint32]
    shape: NDArray[np.uint32]
    gap: NDArray[np.uint32]


def words_of(text: str, start: int = 0, end: int | None = None) -> Words:
    """Words and marks of a text, or of a range of it. Linear."""
    stop = len(text) if end is None else end
    spans = [match.span() for match in TOKEN.finditer(text, start, stop)]
    index: dict[str, int] = {}
    which = np.array([index.setdefault(text[a:b], len(index)) for a, b in spans], dtype=np.int64)
    table = np.array([_looks(word) for word in index], dtype=np.uint32).reshape(-1, 5)
    places = np.array(spans, dtype=np.int64).reshape(-1, 2)
    gap = np.zeros(len(spans), dtype=np.uint32)
    if len(spans):
        gap[0] = 3
        for i in (np.flatnonzero(places[1:, 0] > places[:-1, 1]) + 1).tolist():
            lines = text.count("\n", spans[i - 1][1], spans[i][0])
            gap[i] = 1 + min(lines, 2)
    form, ending, begin, kind, shape = np.ascontiguousarray(table[which].T)
    return Words(places[:, 0], form, ending, begin, kind, shape, gap)


@lru_cache(maxsize=1 << 16)
def _looks(word: str) -> tuple[int, int, int, int, int]:
    lower = word.lower().replace("’", "'")
    return (
        zlib.crc32(lower.encode("utf-8", "surrogatepass")),
        zlib.crc32((lower[-3:] + "|").encode("utf-8", "surrogatepass")),
        zlib.crc32((lower[:3] + "^").encode("utf-8", "surrogatepass")),
        _kind(word, lower),
        _shape(word),
    )


def _kind(word: str, lower: str) -> int:
    if lower in KNOWN:
        return KNOWN[lower]
    if not word[0].isalnum():
        return MARK + 1 + SIGNS.find(word)
    if word[0].isdigit():
        return NUMBER
    for endings, least, kind in ENDINGS:
        if len(word) >= least and lower.endswith(endings):
            return kind
    return OTHER + 1


def _shape(word: str) -> int:
    if not word[0].isalnum():
        return 0
    if word[0].isdigit():
        return 1
    if word.islower():
        return 2
    if word.isupper():
        return 3 if len(word) > 1 else 4
    return 5 if word[0].isupper() else 6
