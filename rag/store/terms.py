"""Text -> index terms: words, folded and stemmed, and pairs of characters where words are not spaced.

A word is a run of letters and digits with their combining marks; `_`, punctuation and symbols end it. Folding is
NFKC, case folding and the removal of accents (U+0300 to U+036F). Scripts written without spaces (Han, kana, Thai,
Lao, Khmer, Burmese) give overlapping pairs of characters, as Lucene's CJKAnalyzer does, so that they can be searched
without a dictionary. Stems come from the Snowball algorithms (Porter, https://snowballstem.org).
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ENGLISH", "Analyzer", "Language", "TermCounts"]

Language = Literal[
    "none", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "esperanto", "estonian", "finnish",
    "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali",
    "norwegian", "porter", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish",
    "yiddish",
]  # fmt: skip

LONGEST = 64  # characters of a term; the rest of a longer run of letters and digits is not indexed

# combining marks of the scripts that write vowels with them; `\w` leaves them out
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963"
    "\u0981-\u0983\u09bc-\u09cd\u09d7\u0a01-\u0a03\u0a3c-\u0a4d\u0a70\u0a71\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03"
    "\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03"
    "\u0d3b-\u0d4d\u0d57\u0d82\u0d83\u0dca-\u0ddf\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3"
)
_WORD = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_UNSPACED = re.compile(
    "[\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_CAMEL = re.compile(r"(?<![^\W_])(?=[^\W_]*?[^\W\d_A-Z][A-Z]|[A-Z]{2,}[^\W\d_A-Z]|[^\W\d_]+\d)[^\W_]+")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[A-Z])")

_FUNCTION_WORDS = (
    "a about above after again against all am an and any are as at be because been before being below between both but"
    " by can could d did do does doing don down during each few for from further had has have having he her here hers"
    " herself him himself his how i if in into is it its itself just ll m me more most my myself no nor not now of off"
    " on once only or other our ours ourselves out over own re s same shall she should so some such t than that the"
    " their theirs them themselves then there these they this those through to too under until up upon ve very was we"
    " were what when where whether which while who whom whose why will with would you your yours yourself yourselves"
    " aren couldn didn doesn hadn hasn haven isn mustn shouldn wasn weren won wouldn"
)
ENGLISH = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, eq=False)
class TermCounts:
    """How often each term stands in each text, ordered by term and then by text.

    Args:
        terms: the distinct terms, in code point order.
        indptr: int64 (v + 1,), where each term's entries begin.
        text: int32 (e,), which text; ascending within a term.
        count: uint (e,), how often, at least 1; at most 65,535, which more are counted as.
        length: int32 (n,), terms in each text, repetitions included.
    """

    terms: Sequence[str]
    indptr: NDArray[np.int64]
    text: NDArray[np.int32]
    count: NDArray[Any]
    length: NDArray[np.int32]


@dataclass(frozen=True)
class Analyzer:
    """Finds the terms of a text.

    Args:
        language: whose Snowball stemmer to use; `none` keeps words as they are.
        identifiers: whether a name of several words, such as `parseHTTPHeader`, gives these words too. Names joined by
            `_` or `-` are several words in any case.
    """

    language: Language = "english"
    identifiers: bool = False

    @cached_property
    def _stems(self) -> Any:
        if self.language == "none":
            return list
        import Stemmer

        return Stemmer.Stemmer(self.language, 0).stemWords

    def _lower(self, text: str) -> str:
        """The text in lower case, with the words of a name behind it where identifiers are divided."""
        if self.identifiers:
            text = _CAMEL.sub(lambda found: f"{found[0]} {_HUMP.sub(' ', found[0])}", text)
        return text.lower()

    def terms(self, text: str) -> list[str]:
        """The terms of one text, in order, repetitions included."""
        words = _WORD.findall(self._lower(text))
        return [term for terms in self._expand(words) for term in terms]

    def words(self, text: str) -> list[tuple[str, tuple[str, ...]]]:
        """Each word of one text in lower case, with the terms it gives."""
        words = _WORD.findall(self._lower(text))
        return list(zip(words, self._expand(words), strict=True))

    def count(self, texts: Iterable[str]) -> TermCounts:
        """Count the terms of many texts; each distinct word is folded and stemmed once."""
        seen: defaultdict[str, int] = defaultdict()
        seen.default_factory = seen.__len__
        flat, ends = array("i"), array("q", [0])
        number, find = seen.__getitem__, _WORD.findall
        for text in texts:
            flat.extend(map(number, find(self._lower(text))))
            ends.append(len(flat))
        expanded = self._expand(list(seen))
        terms = sorted({term for found in expanded for term in found})
        order = {term: i for i, term in enumerate(terms)}
        sizes = np.fromiter(map(len, expanded), dtype=np.int64, count=len(expanded))
        ids = np.array([order[term] for found in expanded for term in found], dtype=np.int64)
        word: NDArray[Any] = np.frombuffer(flat, dtype=np.int32) if flat else np.zeros(0, dtype=np.int32)
        bounds: NDArray[np.int64] = np.frombuffer(ends, dtype=np.int64)
        of_text = np.repeat(np.arange(len(ends) - 1), bounds[1:] - bounds[:-1])
        if not np.all(sizes == 1):
            lots = sizes[word]
            of_text = np.repeat(of_text, lots)
            first = np.repeat((np.cumsum(sizes) - sizes)[word] - (np.cumsum(lots) - lots), lots)
            word = first + np.arange(len(first))
        return tally(terms, ids[word], of_text, len(ends) - 1)

    def _expand(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """The terms of each word (in lower case)."""
        plain = [word[:LONGEST] if word.isascii() else _fold(word) for word in words]
        stems = self._stems(plain)
        return [
            (stem,) if word.isascii() or not _UNSPACED.search(word) else self._pairs(_fold(word, None))
            for word, stem in zip(words, stems, strict=True)
        ]

    def _pairs(self, word: str) -> tuple[str, ...]:
        found: list[str] = []
        at = 0
        for match in _UNSPACED.finditer(word):
            found += self._stems([word[at : match.start()][:LONGEST]]) if match.start() > at else ()
            run, at = match.group(), match.end()
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        found += self._stems([word[at:][:LONGEST]]) if at < len(word) else ()
        return tuple(found)


def tally(terms: Sequence[str], term: NDArray[Any], text: NDArray[Any], texts: int) -> TermCounts:
    """Count equal pairs of (term, text), given one pair for each occurrence."""
    key = np.sort(term.astype(np.int64) * max(texts, 1) + text)
    first = np.flatnonzero(np.concatenate((np.ones(min(len(key), 1), dtype=bool), key[1:] != key[:-1])))
    count = np.minimum(np.diff(first, append=len(key)), 65_535)
    row, column = np.divmod(key[first], max(texts, 1))
    return TermCounts(
        terms=terms,
        indptr=np.searchsorted(row, np.arange(len(terms) + 1)).astype(np.int64),
        text=column.astype(np.int32),
        count=count.astype(np.min_scalar_type(int(count.max(initial=0)))),
        length=np.bincount(text, minlength=texts).astype(np.int32),
    )


def _fold(word: str, longest: int | None = LONGEST) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))[:longest] or word
