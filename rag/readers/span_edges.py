"""The words beside a span in coarse classes, and lengths and distances in steps: what the features of spans name."""

from __future__ import annotations

from functools import lru_cache

from rag.readers.spans import AUXILIARIES, PREPOSITIONS, Token

__all__ = ["COPULAS", "FAR", "QUOTES", "bucket", "cue", "edge", "steps"]

QUOTES = "\"“”'‘’`*_"
COPULAS = frozenset(("is", "are", "was", "were", "means", "meant", "called", "named", "known", "became"))
FAR = 12


def bucket(length: int) -> str:
    """A length in words, in steps."""
    return (
        str(length)
        if length < 5
        else "5-6"
        if length < 7
        else "7-9"
        if length < 10
        else "10-15"
        if length < 16
        else "long"
    )


def steps(gap: int) -> str:
    """A distance in words, in steps; `FAR` and above is far."""
    return str(gap) if gap < 4 else "4-5" if gap < 6 else "6-8" if gap < 9 else "9-11" if gap < FAR else "far"


@lru_cache(maxsize=1 << 14)
def _class(low: str, text: str, shape: str) -> str:  # noqa: PLR0911 - one rule a line
    if shape == "p":
        return text if text in ",.;:()\"'-%" else "quote" if text in QUOTES else "mark"
    if low in PREPOSITIONS:
        return "preposition"
    if low in AUXILIARIES:
        return "verb"
    if low in ("the", "a", "an"):
        return "article"
    if low in ("and", "or", "but"):
        return "and"
    if low in ("his", "her", "their", "its", "our", "my", "your"):
        return "owner"
    if low in ("that", "which", "who", "whom", "whose", "where", "when", "while"):
        return "which"
    if shape == "s":
        return "stop"
    if low.endswith(("ed", "ing")):
        return "ed"
    return "name" if shape in "CU" else "number" if shape in "NYM" else "word"


def edge(token: Token) -> str:
    """What stands beside a span, coarsely."""
    return _class(token.low, token.text, token.shape)


def cue(token: Token) -> str:
    """The word before a span where it is a preposition or one like it."""
    listed = token.low in PREPOSITIONS or token.low in COPULAS or token.low in ("the", "a", "because", "that", "how")
    return token.low if listed else "'s" if token.low in ("s", "'s") else ""
