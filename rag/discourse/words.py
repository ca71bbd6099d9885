"""Words and marks of a text with their places, and what a word looks like: a form, an ending, a class, a shape."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KNOWN", "TOKEN", "Words", "kind_of", "words_of"]

TOKEN = re.compile(r"[^\W_]+|['’](?:s|re|ve|ll|d|m|t)\b|[^\w\s]|_")
CLASSES: Mapping[str, str] = {  # closed classes, the first that holds a word is its class
    "coordinator": "and or but nor yet plus",
    "negation": "not t n't never no",
    "speech": (
        "say says said saying tell told tells think thinks thought believe believes believed claim claims claimed "
        "argue argues argued report reported reports state states stated suggest suggests suggested show shows showed "
        "shown find finds found know knows knew note noted notes announce announced add added explain explained ask "
        "asked feel felt hope hoped mean means meant according"
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
CLASS = {name: number for number, name in enumerate(CLASSES, 1)}
KNOWN = {word: CLASS[name] for name, words in reversed([*CLASSES.items()]) for word in words.split()}
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
LONGEST = 64  # code points of a word that are looked at


class Words(NamedTuple):
    """The words and marks of a text or of ranges of it, in order.

    Args:
        start: int64 (n,), first code point of each.
        gap: uint8 (n,), what stands before it: 0 nothing, 1 a space, 2 a line's end, 3 an empty line or nothing yet.
        kind: int64 (n,), index of its type in `types`: equal words have equal types.
        types: uint32 (m, 4), for each type hashes of its lower-case form and of its last three letters, its class below
            64, and how it is written, below 8.
    """

    start: NDArray[np.int64]
    gap: NDArray[np.uint8]
    kind: NDArray[np.int64]
    types: NDArray[np.uint32]


def words_of(text: str, ranges: Sequence[tuple[int, int]]) -> tuple[Words, NDArray[np.int64]]:
    """Words and marks of ranges of a text, each read by itself. Linear in what they hold.

    Args:
        text: any text.
        ranges: half-open ranges.

    Returns:
        The words, and int64 (ranges + 1,): the words of range k are those from its k-th to its next number.
    """
    spans: list[tuple[int, int]] = []
    first = [0]
    for start, end in ranges:
        spans += [match.span() for match in TOKEN.finditer(text, start, end)]
        first.append(len(spans))
    index: dict[str, int] = {}
    known = index.setdefault
    kind = np.array([known(text[a:b], len(index)) for a, b in spans], dtype=np.int64)
    types = np.array([_looks(word) for word in index], dtype=np.uint32).reshape(-1, 4)
    places = np.array(spans, dtype=np.int64).reshape(-1, 2)
    bounds = np.array(first, dtype=np.int64)
    return Words(places[:, 0], _gaps(text, places, bounds), kind, types), bounds


def _gaps(text: str, places: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.uint8]:
    gap = np.zeros(len(places), dtype=np.uint8)
    if not len(places):
        return gap
    apart = np.flatnonzero(places[1:, 0] != places[:-1, 1]) + 1
    wide = places[apart, 0] - places[apart - 1, 1]
    gap[apart] = 1
    behind = places[apart - 1, 1].tolist()
    ahead = places[apart, 0].tolist()
    for i, a, b, one in zip(apart.tolist(), behind, ahead, (wide == 1).tolist(), strict=True):
        if one:
            if text[a] == "\n":
                gap[i] = 2
        elif a < b:
            gap[i] = 1 + min(text.count("\n", a, b), 2)
    gap[bounds[:-1][bounds[:-1] < bounds[1:]]] = 3
    return gap


@lru_cache(maxsize=1 << 16)
def _looks(word: str) -> tuple[int, int, int, int]:
    word = word[:LONGEST]
    lower = word.lower().replace("’", "'")
    ending = (lower[-3:] + "|").encode("utf-8", "surrogatepass")
    return (
        zlib.crc32(lower.encode("utf-8", "surrogatepass")),
        zlib.crc32(ending),
        kind_of(word, lower),
        _shape(word),
    )


def kind_of(word: str, lower: str) -> int:
    """The class of a word, from its closed classes, its first sign or its ending; below 64."""
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
