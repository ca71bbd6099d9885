"""What the earlier turns of a conversation say about the last one, by rule."""

from __future__ import annotations

import re
from typing import NamedTuple

from rag.lexical import WORD, terms
from rag.types import Query

__all__ = ["Turns", "distinct", "read_turns", "shifted"]

SPEAKER = re.compile(
    r"\s*(user|human|customer|client|student|patient|q|question|assistant|agent|system|bot|ai|model|expert|teacher"
    r"|a|answer)\s*:\s*",
    re.IGNORECASE,
)
ANSWERS = frozenset(("assistant", "agent", "system", "bot", "ai", "model", "expert", "teacher", "a", "answer"))
LEANS = re.compile(  # words that a turn seldom has unless it leans on what was said before
    r"\b(?:its?|they|them|theirs?|this|that|these|those|he|him|his|she|hers?|there|here|ones?|others?|another|else|more"
    r"|same|both|such|also|too|then|instead|again|we|us|above|previous|earlier|latter|former)\b"
    r"|^\W*(?:and|or|but|so|because|what about|how about|why|ok|okay|yes|no|thanks?)\b",
    re.IGNORECASE,
)
LONGEST = 2000  # characters of a turn that are read
LEAST = 2  # words of meaning of a turn that can stand alone


class Turns(NamedTuple):
    """A conversation before its last turn.

    Args:
        asked: what the user said, the latest first.
        answer: what was answered last, "" where nothing was.
    """

    asked: tuple[str, ...]
    answer: str


def read_turns(query: Query, most: int = 8) -> Turns:
    """Who said what.

    A turn may begin with its speaker (`user: ...`, `assistant: ...`). Where none does, they are taken to alternate, the
    user's first; where some do, the others are the user's.

    Args:
        query: its history is read, oldest first.
        most: turns of the user that are looked at.
    """
    marks = [SPEAKER.match(turn) for turn in query.history]
    plain = not any(marks)
    asked: list[str] = []
    answer = ""
    for i in reversed(range(len(marks))):
        mark, turn = marks[i], query.history[i]
        text = turn[mark.end() if mark else 0 :].strip()[:LONGEST]
        if (mark[1].lower() in ANSWERS) if mark else (plain and i % 2):
            answer = answer or ("" if asked else text)
        elif text and len(asked) < most:
            asked.append(text)
    return Turns(tuple(asked), answer)


def distinct(text: str) -> str:
    """The words of a text, each once, in order: a long answer does not outweigh a short question."""
    return " ".join({word.lower(): word for word in WORD.findall(text)}.values())


def shifted(text: str, turns: Turns) -> bool:
    """Whether a turn seems to open another topic: it can stand alone, and nothing in it was said before.

    It holds two words of meaning or more, none of which the user's turns or the last answer hold, and no pronoun or
    other word that leans on what was said.
    """
    words = set(terms(text))
    if len(words) < LEAST or not (turns.asked or turns.answer) or LEANS.search(text):
        return False
    before = {word for said in (*turns.asked, turns.answer) for word in terms(said)}
    return not words & before
