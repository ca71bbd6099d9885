"""Words and marks of a text with their places, and what a word looks like: a form, an ending, a class, a shape."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DASHES", "KNOWN", "MARKS", "TOKEN", "Words", "kind_of", "words_of"]

TOKEN = re.compile(r"[^\W_]+|['’](?:s|re|ve|ll|d|m|t)\b|[^\w\s]|_")
PARTS = re.compile(rf"\s+|{TOKEN.pattern}")
PORTION = 1 << 20  # code points read at a time
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
MARKS = range(MARK, MARK + 1 + len(SIGNS))  # classes of all that is no word
DASHES = tuple(MARK + 1 + SIGNS.index(sign) for sign in "—–")
NUMBER, OTHER = 40, 49
ENDINGS = (
    (("ing",), 5, 41),
    (("ed",), 4, 42),
    (("ly",), 3, 43),
    (("tion", "ment", "ness", "ity", "ance", "ence", "ism"), 4, 44),  # codespell:ignore ment
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
        forms: the m types as written.
    """

    start: NDArray[np.int64]
    gap: NDArray[np.uint8]
    kind: NDArray[np.int64]
    types: NDArray[np.uint32]
    forms: tuple[str, ...]


def words_of(text: str, ranges: Sequence[tuple[int, int]]) -> tuple[Words, NDArray[np.int64]]:
    """Words and marks of ranges of a text, each read by itself. Linear in what they hold.

    Args:
        text: any text.
        ranges: half-open ranges.

    Returns:
        The words, and int64 (ranges + 1,): the words of range k are those from its k-th to its next number.
    """
    index: dict[str, int] = {}
    columns = [(np.zeros(0, dtype=np.int64),) * 2]
    first = [0]
    held: list[str] = []
    portions: list[tuple[int, int]] = []  # where each of them begins, how many parts it has
    count = 0
    for start, end in ranges:
        for place, parts in _parts(text, start, end):
            held += parts
            portions.append((place, len(parts)))
            count += len(parts)
            if len(held) > PORTION >> 2:
                columns.append(_columns(held, portions, index))
                held, portions = [], []
        first.append(count)
    columns.append(_columns(held, portions, index))
    places, kinds = (np.concatenate(column) for column in zip(*columns, strict=True))
    return _words(places, kinds, list(index), np.array(first, dtype=np.int64))


def _columns(
    parts: list[str], portions: list[tuple[int, int]], index: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each part begins, and its number in the index, which grows."""
    for part in dict.fromkeys(parts):
        index.setdefault(part, len(index))
    size = np.fromiter(map(len, parts), np.int64, len(parts))
    behind = np.cumsum(size) - size
    place, count = np.array(portions, dtype=np.int64).reshape(-1, 2).T
    held = place[count > 0] - behind[(np.cumsum(count) - count)[count > 0]]
    number = np.fromiter(map(index.__getitem__, parts), np.int64, len(parts))
    return behind + np.repeat(held, count[count > 0]), number


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, list[str]]]:
    """The words, marks and blanks of a range, which tile it, in portions of `PORTION` code points, with their place."""
    size = PORTION
    while start < end:
        parts = PARTS.findall(text, start, min(end, start + size))
        if start + size >= end:
            yield start, parts
            return
        if len(parts) < 2:
            size *= 2
            continue
        parts.pop()  # it may go on
        yield start, parts
        start += sum(map(len, parts))
        size = PORTION


def _words(
    place: NDArray[np.int64], kind: NDArray[np.int64], forms: list[str], first: NDArray[np.int64]
) -> tuple[Words, NDArray[np.int64]]:
    """The words among what tiles the ranges, each with the blank before it."""
    blank = np.fromiter((form.isspace() for form in forms), np.bool_, len(forms))
    lines = np.fromiter(
        (1 + min(form.count("\n"), 2) if b else 0 for form, b in zip(forms, blank, strict=True)), np.uint8, len(forms)
    )
    gap = np.append(np.uint8(0), lines[kind])[: len(kind)]
    word = ~blank[kind]
    counted = np.append(0, np.cumsum(word))
    bounds = counted[first]
    gap, place, kind = gap[word], place[word], kind[word]
    gap[bounds[:-1][bounds[:-1] < bounds[1:]]] = 3
    number = np.cumsum(~blank) - 1
    held = tuple(form for form, b in zip(forms, blank, strict=True) if not b)
    types = np.array([_looks(form[:LONGEST]) for form in held], dtype=np.uint32).reshape(-1, 4)
    return Words(place, gap, number[kind], types, held), bounds


@lru_cache(maxsize=1 << 16)
def _looks(word: str) -> tuple[int, int, int, int]:
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
