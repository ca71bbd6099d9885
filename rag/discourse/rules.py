"""Discourse units by rule alone, for comparison with what was learned, and for text without its kind of words.

Cues that need no parser: marks, brackets, subordinators, relative words, speech verbs, participles, purpose. English.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from rag.discourse.words import TOKEN, kind_of, words_of
from rag.sentences import sentence_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["rule_starts"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STRONG = _set("because although though whereas unless whenever if until while when where whether which who whose once")
WEAK = _set("after before since as than")  # also prepositions: only where a verb follows soon
RELATIVE = _set("which who whose whom where")
PREPOSITIONS = _set("in on at by for with from of to about into through under over")
COORDINATORS = _set("and or but nor so yet")
SUBJECTS = _set("i you he she it we they there this that these those")
AUXILIARIES = _set(
    "is are was were am has have had do does did will would can could may might shall should must isn aren wasn weren"
)
VERBAL = AUXILIARIES | _set(
    "said says think thinks thought believe believes know knows went came made took gave got saw became began found"
)
SPEECH = _set(
    "said says say told tell tells think thinks thought believe believes believed know knows knew claim claims claimed "
    "argue argues argued report reports reported suggest suggests suggested show shows showed found explained noted "
    "announced added hope hopes feel feels felt state states stated"
)
RAISING = _set(
    "want wants wanted have has had need needs needed able going go try tries tried trying seem seems seemed used "
    "ought like likely begin began continue continued fail failed start started allow allowed expected supposed "
    "willing according due right up close back access led related"
)
SOON = 6
BARE = re.compile(r"[a-z]+")
PLAIN = 49  # the least class of a word without a telling ending


def rule_starts(text: str, start: int = 0, end: int | None = None) -> NDArray[np.int64]:
    """Where units begin in a text or a range of it.

    Args:
        text: any text.
        start: first code point of the range.
        end: one past its last; None means the end of the text.

    Returns:
        int64 (n,), ascending, the range's own start first. Linear in the range.
    """
    stop = len(text) if end is None else end
    words, _ = words_of(text, [(start, stop)])
    forms = [match.group().lower() for match in TOKEN.finditer(text, start, stop)]
    at = words.start.tolist()
    found = {at[i] for i in range(len(forms)) if _begins(words.gap, forms, i)}
    found |= {a for a, _ in sentence_spans(text, start, stop)}
    found |= {at[i] for i in np.flatnonzero(words.gap >= 2).tolist()}
    first = at[0] if at else stop
    return np.array([start, *sorted(a for a in found if first < a < stop)], dtype=np.int64)


def _begins(gap: NDArray[np.uint8], forms: list[str], i: int) -> bool:
    """Whether a unit begins at a word inside a sentence."""
    word = forms[i]
    before = forms[i - 1] if i else ""
    left = len(forms) - i
    if not word[0].isalnum():
        return word in "([" and left > 2
    if before in (";", ":", "—", "–", ")", "]") or (before == "-" and bool(gap[i] and gap[i - 1])):
        return True
    return left > 2 and _clause(word, before, forms[i + 1 : i + 1 + SOON])


def _clause(word: str, before: str, soon: list[str]) -> bool:  # noqa: PLR0911 - one rule a line
    """Whether a word opens a clause, by itself, the word before it and those that follow soon."""
    follows = soon[0]
    if word in COORDINATORS:
        late = before == "," and any(one in AUXILIARIES for one in soon)
        return follows in STRONG or follows in SUBJECTS or _finite(follows) or late
    if word in STRONG:
        return before not in PREPOSITIONS and before not in COORDINATORS
    if word in WEAK:
        return any(_finite(one) for one in soon) or follows.endswith("ing")
    if word == "to":
        plain = bool(BARE.fullmatch(follows)) and kind_of(follows, follows) >= PLAIN
        return follows in RELATIVE or (plain and before not in RAISING)
    if word in PREPOSITIONS and follows in RELATIVE:
        return True
    if word in ("by", "for", "without") and follows.endswith("ing"):
        return True
    if before in SPEECH:
        return word == "that" or word in SUBJECTS
    participle = len(word) > 4 and word.endswith("ing")
    return before == "," and (participle or (word in SUBJECTS and any(one in AUXILIARIES for one in soon[:2])))


def _finite(word: str) -> bool:
    return word in VERBAL or (len(word) > 4 and word.endswith("ed"))
