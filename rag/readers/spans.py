"""Short answers inside a sentence: every plausible span, and what speaks for each.

A log-linear ranker over spans, as the baseline of Rajpurkar et al., "SQuAD", EMNLP 2016, section 5,
https://arxiv.org/abs/1606.05250, with two departures: no parser, so spans are runs of words that begin and
end with a word of meaning, plus the clauses behind cue words; and features are about shapes, edges and
distances alone, never about single words of answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rag.lexical import STOP, stem
from rag.readers.question import Asked

__all__ = ["Token", "candidates", "features", "tokens", "worth"]

LONGEST = 9  # words of a span that is no clause
TOKEN = re.compile(r"[$€£¥]?\d[\d,.]*\d%?|[$€£¥]?\d%?|[^\W_]+(?:[-'’.&][^\W_]+)*|[^\w\s]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREPOSITIONS = _words(
    "in on at by of to from with for as into over under between near during through after before since until about "
    "against among around toward towards within without via per"
)
AUXILIARIES = _words(
    "is are was were be been being has have had do does did can could will would may might must should"
)
LINKS = _words("of the de la le von van der den du del da di al el bin ibn and & 's for")
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
CUES = _words("because due to by as called named known that for including is are was were")
YEAR = re.compile(r"1\d{3}|20\d{2}")
DIGIT = re.compile(r"[$€£¥]?\d")


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
def _shape(text: str) -> str:  # noqa: PLR0911 - one rule a line
    low = text.lower()
    if DIGIT.match(text):
        return "Y" if YEAR.fullmatch(text) else "N"
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
    found = TOKEN.finditer(text, start, len(text) if end is None else end)
    return [
        Token(m.group(), m.start(), m.end(), m.group().lower(), stem(m.group().lower()), _shape(m.group()))
        for m in found
    ]


def candidates(words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of words that may answer: runs from a word of meaning to a word of meaning, and clauses."""
    size = len(words)
    for i, first in enumerate(words):
        if first.shape in "sp":
            continue
        for j in range(i, min(i + LONGEST, size)):
            last = words[j]
            if last.shape == "p" and last.text in ';:.!?()[]"“”':
                break
            if last.shape not in "sp":
                yield i, j + 1
    for i in range(1, size):
        if words[i - 1].low in CUES and words[i].shape != "p":
            for j in range(i + LONGEST, size):
                if words[j].shape == "p" and words[j].text in ",;:.!?)":
                    yield i, j
            if size - i > LONGEST and words[-1].shape != "p":
                yield i, size


def kind_of(words: Sequence[Token], i: int, j: int) -> str:  # noqa: PLR0911 - one rule a line
    """The look of a span: year, date, time, money, percent, number, name, mixed or plain."""
    shapes = {w.shape for w in words[i:j]}
    if words[i].shape in "MY" or "M" in shapes:
        return "year" if j - i == 1 and words[i].shape == "Y" else "date"
    if "Y" in shapes:
        return "date"
    if "N" in shapes:
        head = words[i].text
        lows = {w.low for w in words[i:j]}
        if head[0] in "$€£¥" or lows & {"dollars", "euros", "pounds"}:
            return "money"
        if head.endswith("%") or lows & {"percent", "per", "%"} or (j < len(words) and words[j].text == "%"):
            return "percent"
        if lows & TIMES:
            return "time"
        return "number" if words[i].shape == "N" else "mixed"
    if shapes <= {"C", "U", "s", "p"}:
        return "name"
    return "mixed" if shapes & {"C", "U"} else "plain"


def features(  # noqa: PLR0912 - one feature a line
    words: Sequence[Token], i: int, j: int, wanted: Asked, question: frozenset[str]
) -> dict[str, float]:
    """Name -> value of what speaks for or against words i to j, for a question with these stems."""
    size, length = len(words), j - i
    look = kind_of(words, i, j)
    before = words[i - 1] if i else None
    behind = words[j] if j < size else None
    content = [w for w in words[i:j] if w.shape not in "sp"]
    known = sum(w.stem in question for w in content)
    near = [k for k, w in enumerate(words) if w.stem in question and w.shape not in "sp" and not i <= k < j]
    gap = min((i - k if k < i else k - j + 1 for k in near), default=12)
    kind = wanted.kind
    found: dict[str, float] = {
        f"{kind}|{look}": 1.0,
        f"look|{look}": 1.0,
        f"length|{min(length, 10)}": 1.0,
        f"{kind}|long": min(length, 20) / 5,
        f"left|{_edge(before)}": 1.0,
        f"right|{_edge(behind)}": 1.0,
        f"{kind}|left|{_cue(before)}": 1.0,
        "known": known / max(len(content), 1),
        "all known": float(known == len(content)),
        f"gap|{min(gap, 6)}": 1.0,
        "around": min(sum(1 for k in near if i - 6 <= k < j + 6), 4) / 4,
        "asked near": min(len({words[k].stem for k in near}), 5) / 5,
    }
    if before is not None and before.shape in "CUNYM" and words[i].shape in "CUNYM":
        found["cut left"] = 1.0
    if behind is not None and behind.shape in "CUNYM" and words[j - 1].shape in "CUNYM":
        found["cut right"] = 1.0
    if behind is not None and words[j - 1].shape == "N" and behind.shape in "w":
        found[f"{kind}|unit left out"] = 1.0
    if any(w.shape == "p" and w.text == "," for w in words[i:j]):
        found["comma inside"] = 1.0
    if any(w.low in AUXILIARIES for w in words[i:j]):
        found["verb inside"] = 1.0
    if any(w.low in ("and", "or") for w in words[i:j]):
        found["and inside"] = 1.0
    if any(w.low in PREPOSITIONS for w in words[i:j]):
        found["preposition inside"] = 1.0
    if i == 0:
        found["opens"] = 1.0
    if j >= size - 1:
        found["closes"] = 1.0
    if wanted.focus:
        if words[j - 1].stem == wanted.focus:
            found["ends with focus"] = 1.0
        if behind is not None and behind.stem == wanted.focus:
            found["before focus"] = 1.0
        if any(w.stem == wanted.focus for w in words[max(0, i - 4) : i]):
            found["behind focus"] = 1.0
    if before is not None and behind is not None and before.text in "\"“'‘(`" and behind.text in "\"”'’)'":
        found["between marks"] = 1.0
    return found


def _edge(token: Token | None) -> str:  # noqa: PLR0911 - one rule a line
    """What stands beside a span, coarsely."""
    if token is None:
        return "end"
    if token.shape == "p":
        return token.text if token.text in ",.;:()\"'-" else "mark"
    if token.low in PREPOSITIONS:
        return "preposition"
    if token.low in AUXILIARIES:
        return "verb"
    if token.low in ("the", "a", "an"):
        return "article"
    if token.low in ("and", "or", "but"):
        return "and"
    if token.shape == "s":
        return "stop"
    if token.low.endswith(("ed", "ing")):
        return "ed"
    return "name" if token.shape in "CU" else "number" if token.shape in "NYM" else "word"


def _cue(token: Token | None) -> str:
    """The word before a span where it is a preposition or one like it."""
    if token is None:
        return ""
    return token.low if token.low in PREPOSITIONS or token.low in ("the", "a", "because", "called", "named") else ""


def worth(found: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Sum of the weighted features."""
    return sum(weights.get(name, 0.0) * value for name, value in found.items())
