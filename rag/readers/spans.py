"""The words of a sentence, and every span of them that may answer a question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rag.lexical import STOP, stem

__all__ = ["Token", "candidates", "look", "tokens"]

LONGEST = 9  # words of a span that is no clause
TOKEN = re.compile(
    r"[$€£¥]?\d+(?:[.,:]\d+)*(?:%|[a-zA-Z]{1,3}(?![^\W_])|(?:-[^\W\d_]+)+)?"
    r"|(?:[^\W\d_]\.){2,}|[A-Z]\.(?=\s[A-Z])|[^\W_]+(?:[-'’.&][^\W_]+)*|[^\w\s]|_"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREPOSITIONS = _words(
    "in on at by of to from with for as into over under between near during through after before since until about "
    "against among around toward towards within without via per"
)
AUXILIARIES = _words(
    "is are was were be been being has have had do does did can could will would may might must should"
)
MONTHS = _words(
    "january february march april may june july august september october november december jan feb mar apr jun jul "
    "aug sep sept oct nov dec"
)
NUMBERS = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion "
    "trillion half dozen zero once twice first second third"
)
TIMES = _words(
    "year years month months week weeks day days hour hours minute minutes second seconds decade decades century "
    "centuries"
)
UNITS = _words(
    "km m cm mm mi ft in kg g lb lbs mph kmh miles mile feet foot inches inch metres meters metre meter kilometres"
    " kilometers tonnes tons pounds acres hectares degrees celsius fahrenheit percent gb mb kb bytes bits watts mw kw"
    " volts people votes members students barrels gallons litres liters square cubic °c °f °"
)
MONEY = _words("dollars euros pounds usd eur gbp yen cents dollar euro")
CUES = _words(
    "because due to by as called named known that for including is are was were has have had how where when while"
    " allowing making causing using if so and than"
)
LEADS = _words("over about around nearly almost approximately roughly more less up at under between until before after")
OWNERS = _words("his her their its our")
YEAR = re.compile(r"1\d{3}|20\d{2}")
DECADE = re.compile(r"(?:1\d|20)\d0s")
DIGIT = re.compile(r"[$€£¥]?\d")
CLOSING = frozenset(',;:.!?)—–"”')


class Token(NamedTuple):
    """One word or mark of a sentence.

    Args:
        text: as written.
        start: first code point, in the text given.
        end: one past the last.
        low: in lower case.
        stem: as `rag.lexical.stem` gives it.
        shape: N number, Y year, M month, U upper-case, C capitalised, w word, s stop word, p mark.
    """

    text: str
    start: int
    end: int
    low: str
    stem: str
    shape: str


@lru_cache(maxsize=1 << 16)
def _known(text: str) -> tuple[str, str, str]:
    """Lower case, stem and shape."""
    low = text.lower()
    return low, stem(low), _shape(text, low)


def _shape(text: str, low: str) -> str:  # noqa: PLR0911 - one rule a line
    if DIGIT.match(text):
        return "Y" if YEAR.fullmatch(text) or DECADE.fullmatch(text) else "N"
    if not text[0].isalnum():
        return "p"
    if low in MONTHS and text[0].isupper():
        return "M"
    if low in NUMBERS:
        return "N"
    if low in STOP or low in AUXILIARIES or low in PREPOSITIONS:
        return "s"
    if text[0].isupper():
        return "U" if len(text) > 1 and text.isupper() else "C"
    return "w"


def tokens(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Words and marks of a range, in order; white space is between them."""
    found = []
    for m in TOKEN.finditer(text, start, len(text) if end is None else end):
        word = m.group()
        found.append(Token(word, m.start(), m.end(), *_known(word)))
    return found


def candidates(words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of words that may answer, each once: runs between words of meaning, clauses, what marks enclose.

    A run may begin with `his` or its like, and with `over` or its like where a number follows.
    """
    seen = dict.fromkeys(_runs(words))
    seen.update(dict.fromkeys(_clauses(words)))
    yield from seen


def _runs(words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    size = len(words)
    for i, first in enumerate(words):
        if first.shape in "sp":
            nearby = "".join(w.shape for w in words[i + 1 : i + 4])
            led = first.low in LEADS and any(s in nearby for s in "NYM")
            if not led and not (first.low in OWNERS and nearby[:1] not in ("", "s", "p")):
                continue
        for j in range(i, min(i + LONGEST, size)):
            last = words[j]
            if last.shape == "p" and last.text in ';:.!?[]"“”' and not (last.text == "." and i < j < size - 1):
                break
            if last.shape not in "sp" or (last.text == ")" and any(w.text == "(" for w in words[i:j])):
                yield i, j + 1


def _clauses(words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    size = len(words)
    for i in range(1, size):
        if words[i].shape == "p":
            continue
        if words[i - 1].low in CUES:
            ends = [j for j in range(i + 3, min(size, i + 40)) if words[j].text in CLOSING]
            yield from ((i, j) for j in (*ends[:4], size) if words[j - 1].shape != "p" and i + 3 <= j <= i + 40)
        elif words[i - 1].text in "\"“'‘`*_(":
            j = next((j for j in range(i + 1, min(size, i + 16)) if words[j].text in "\"”’'`*_)"), 0)
            if j > i + 2 or any(w.shape not in "sp" for w in words[i:j]):
                yield i, j


def look(words: Sequence[Token], i: int, j: int) -> str:  # noqa: PLR0911, PLR0912 - one rule a line
    """The look of a span: year, date, range, time, money, percent, unit, number, count, name, mixed or plain."""
    shapes = [w.shape for w in words[i:j]]
    head, tail = words[i], words[j - 1]
    behind = words[j].low if j < len(words) else ""
    if "M" in shapes or "Y" in shapes:
        if shapes == ["Y"]:
            return "year"
        if shapes.count("Y") > 1:
            return "range"
        plain = sum(s in "wCU" for s in shapes)
        if plain == 0:
            return "date"
        return "dated" if plain > 2 or "C" in shapes or "U" in shapes else "date"
    if "N" in shapes:
        first = shapes.index("N")
        if "N" in "".join(shapes[first:]).lstrip("N"):
            return "numbers"
        lows = {w.low for w in words[i:j]}
        if any(w.text[0] in "$€£¥" for w in words[i:j]) or lows & MONEY:
            return "money"
        if tail.text.endswith("%") or lows & {"percent", "%"} or behind in ("%", "percent"):
            return "percent"
        if first > 0 and head.low not in LEADS:
            return "numbered"
        if lows & TIMES:
            return "time"
        if behind in TIMES and shapes[-1] == "N":
            return "time cut"
        if lows & UNITS:
            return "unit"
        if shapes[-1] == "N":
            return "unit cut" if behind in UNITS else "number"
        return "count" if len(shapes) <= first + 3 else "numbered"
    capitals = sum(s in "CU" for s in shapes)
    if capitals and all(s in "CUsp" for s in shapes):
        return "name" if shapes[0] in "CU" else "mixed"
    return "mixed" if capitals else "plain"
