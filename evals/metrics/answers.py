"""Answers against gold answers: exact match, token F1, inclusion, abstention, answer in context.

EM and F1 are SQuAD's, with its normalisation: Rajpurkar et al., EMNLP 2016,
https://arxiv.org/abs/1606.05250; questions without an answer as in SQuAD 2.0, ACL 2018,
https://arxiv.org/abs/1806.03822: there only an abstention is right.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["abstain", "contains", "exact_match", "f1", "in_context", "inclusion", "normalise", "words"]

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
BOOLEAN = frozenset({"yes", "no", "true", "false", "maybe", "noanswer"})


def normalise(text: str) -> str:
    """SQuAD's: lower case, ASCII punctuation and English articles removed, white space folded."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """EM: 1 when the answer equals any gold answer after normalisation; no gold means "" is right."""
    said = normalise(answer)
    return float(any(said == normalise(gold) for gold in golds or ("",)))


def f1(answer: str, golds: Sequence[str]) -> float:
    """F1: the best token overlap with any gold answer; where either is empty, 1 only when both are."""
    return max(_f1(normalise(answer).split(), normalise(gold).split()) for gold in golds or ("",))


def _f1(said: list[str], gold: list[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    same = sum((Counter(said) & Counter(gold)).values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(gold)
    return 2 * precision * recall / (precision + recall)


class _Spaced(dict[int, str]):
    """Punctuation and symbols become blanks; a character of a script without blanks stands alone."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        name = unicodedata.name(char, "")
        if unicodedata.category(char)[0] in "PSZC":
            spaced = " "
        elif name.startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")):
            spaced = f" {char} "
        else:
            spaced = char
        self[code] = spaced
        return spaced


_spaced = _Spaced()


def words(text: str) -> str:
    """Lower-case words with single blanks between and around them, articles left out.

    Punctuation of any script parts words; characters of scripts without blanks are words of their own.
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_spaced)
    return f" {' '.join(w for w in plain.split() if w not in {'a', 'an', 'the'})} "


def contains(text: str, answer: str) -> bool:
    """Whether the answer's words occur in the text as an unbroken run; both as `words` gives them."""
    return bool(answer.strip()) and answer in text


def inclusion(answer: str, golds: Sequence[str]) -> float:
    """Incl: 1 when any gold answer's words stand in the answer as an unbroken run."""
    said = words(answer)
    return float(any(contains(said, words(gold)) for gold in golds))


def in_context(runs: Iterable[str], golds: Sequence[str]) -> float | None:
    """AIC: 1 when any gold answer stands in one unbroken run of the context.

    Yes and no are left out, since a context does not say them; None when no other answer is left.
    """
    wanted = [words(gold) for gold in golds if normalise(gold) not in BOOLEAN]
    wanted = [gold for gold in wanted if gold.strip()]
    if not wanted:
        return None
    found = [words(run) for run in runs]
    return float(any(gold in run for run in found for gold in wanted))


def abstain(abstained: bool, answerable: bool) -> float:
    """Abstain: 1 when an answerable question was answered, or one without an answer was not."""
    return float(abstained != answerable)
