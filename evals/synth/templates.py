"""Questions from one sentence without a language model: who or what, what is, how many, which year."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rag.lexical import STOP

__all__ = ["Draft", "drafts", "rouge"]

NAME = r"[A-Z][\w’'-]*(?:\.(?=\s[A-Z]))?"
VERB = (
    "(?:is|are|was|were|has|have|had|can|could|will|would|may|must|became|began|made|took|gave|won|led|built|wrote|held"
    "|[a-z]{2,}ed)"
)
SUBJECT = re.compile(rf"(?:The )?({NAME}(?: (?:of|the|and|de|van|von|{NAME}))* {NAME}|{NAME}) ({VERB} .+)")
DEFINITION = re.compile(
    r"((?:The |An? )?[\w’'()-]+(?: [\w’'()-]+){0,5}?) (is|are|was|were) ((?:an?|the|one of) [^,.;:()]{8,90})"
)
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "date",
        re.compile(rf"\b(?:\d{{1,2}} (?:{MONTH})(?: \d{{4}})?|(?:{MONTH}) \d{{1,2}}(?:, \d{{4}})?)\b"),
        "which date",
    ),
    ("year", re.compile(r"\b(?:1[5-9]|20)\d\d\b(?![,.]?\d)"), "which year"),
    ("share", re.compile(r"\b\d+(?:\.\d+)?(?: ?%| percent| per cent)"), "what percentage"),
    ("amount", re.compile(r"[$€£]\d[\d,.]*\d(?: (?:million|billion|thousand))?"), "what amount"),
    (
        "number",
        re.compile(
            r"(?<![\w.,$€£-])(?<!\ba )(?<!\bor )(?<!\ball )(?<!\bthe )\d(?:[\d,]*\d)?(?:\.\d+)?"
            r"(?= [a-z]{3,})(?! percent| per cent)"
        ),
        "how many",
    ),
)
OPENERS = frozenset(  # a sentence that begins so leans on another, or begins with a clause
    """it they he she this that these those we you i its their his her there here such both although while when if as
    since because after before though whereas unless until once where however note now then thus also even in on at by
    for from with without under during despite to of""".split()  # noqa: SIM905 - reads as a list
)
MARKS = re.compile(r"[|`<>*_{}\[\]\\]|\b(?:fig|table|eq)\b", re.IGNORECASE)
CLAUSE = re.compile(r"[;:—]|, (?:and|but|which|who|while|although|so|because) |\.$")


class Draft(NamedTuple):
    """A question and where its answer stands in the sentence."""

    question: str
    start: int
    end: int
    kind: str


def drafts(sentence: str) -> Iterator[Draft]:
    """Every question the templates find; few for most sentences, none for many.

    The answer is `sentence[start:end]`. Sentences that lean on their neighbours (a pronoun first), with marks, or out
    of 6 to 60 words give none.
    """
    words = sentence.split()
    if (
        not 6 <= len(words) <= 60
        or MARKS.search(sentence)
        or sentence.rstrip()[-1:] not in ".!"
        or not words[0][:1].isupper()
    ):
        return
    if re.split(r"[^\w]", words[0].lower())[0] in OPENERS:
        return
    told = DEFINITION.match(sentence)
    if told and told[1].split()[-1].lower() not in STOP and told[1].lower() not in OPENERS:
        end = told.start(3) + len(told[3].rstrip())
        yield Draft(f"What {told[2]} {_inner(told[1])}?", told.start(3), end, "definition")
    named = SUBJECT.match(sentence)
    if named and named[1].lower() not in STOP and "’" not in named[1]:
        yield Draft(f"Who or what {_clause(named[2])}?", named.start(1), named.end(1), "subject")
    for kind, form, asks in KINDS:
        for found in form.finditer(sentence):
            start, end = _around(sentence, found.start(), found.end())
            asked = f"{sentence[start : found.start()]}{asks}{sentence[found.end() : end]}"
            yield Draft(_asked(asked), found.start(), found.end(), kind)


def rouge(a: str, b: str) -> float:
    """ROUGE-L F of two texts by words: Lin, 2004, https://aclanthology.org/W04-1013."""
    one, other = (re.findall(r"\w+", text.lower()) for text in (a, b))
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for j, against in enumerate(other, 1):
            kept, row[j] = row[j], before + 1 if word == against else max(row[j], row[j - 1])
            before = kept
    return 2 * row[-1] / (len(one) + len(other)) if row[-1] else 0.0


def _asked(clause: str) -> str:
    text = " ".join(clause.split()).strip(" .,;:")
    return text[:1].upper() + text[1:] + "?"


def _inner(phrase: str) -> str:
    """A phrase from the head of a sentence, inside one."""
    first, space, rest = phrase.partition(" ")
    return first.lower() + space + rest if first in ("The", "A", "An") else phrase


def _clause(text: str) -> str:
    found = CLAUSE.search(text)
    return " ".join(text[: found.start() if found else None].split()).rstrip(" .,")


def _around(sentence: str, start: int, end: int) -> tuple[int, int]:
    """The clause a range stands in."""
    cuts = [match.span() for match in CLAUSE.finditer(sentence)]
    return max((b for _, b in cuts if b <= start), default=0), min(
        (a for a, _ in cuts if a >= end), default=len(sentence)
    )
