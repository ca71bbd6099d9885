"""Intents from a language model: questions with verbatim quotes, one call a window of the text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chunkers.intents import LONGEST, Intent, how_many
from rag.errors import MissingWeights, ModelError
from rag.models.prompts import fenced, prompt
from rag.models.typed import Typed, typed
from rag.pool import ordered

if TYPE_CHECKING:
    from chunkers.scaffold import Scaffold
    from rag.models.llm import LLM

__all__ = ["WINDOW", "ask", "locate"]

WINDOW = 3_000  # tokens of the text in one call
SHORTEST = 12  # characters of a quote that says anything
MOST = 2_000  # characters of a quote that are looked for
TOKENS = 96  # of an answer, for one question with its quote
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "questions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "quote": {"type": "string"}},
                "required": ["question", "quote"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["questions"],
    "additionalProperties": False,
}


class Asked(NamedTuple):
    """What a window gave.

    Args:
        intents: its questions.
        reason: why there are none, or why there are fewer, else "".
    """

    intents: tuple[Intent, ...]
    reason: str = ""


def ask(llm: LLM, scaffold: Scaffold, *, workers: int) -> tuple[list[Intent], list[str]]:
    """Questions about every window of a document; a window that fails gives none and a reason.

    Args:
        llm: the model.
        scaffold: the document.
        workers: calls at once.

    Returns:
        The intents in source order, and what was given up.
    """
    windows = _windows(scaffold)
    found: list[Intent] = []
    reasons: list[str] = []
    for number, asked in enumerate(ordered(partial(_window, llm, scaffold.document.text), windows, workers=workers), 1):
        found += asked.intents
        if asked.reason:
            reasons.append(f"window {number} of {len(windows)}: {asked.reason}")
    return found, reasons


def _windows(scaffold: Scaffold) -> list[tuple[int, int, int]]:
    """(start, end, tokens) of windows that end at cuts."""
    at = scaffold.cuts.at
    rank = scaffold.measured.rank(at)
    total = int(rank[-1])
    wanted = np.linspace(0, total, max(1, -(-total // WINDOW)) + 1)[1:-1]
    inner = at[np.searchsorted(rank, wanted)]
    places = np.unique(np.concatenate(([0], inner, [at[-1]])))
    sizes = np.diff(scaffold.measured.rank(places))
    return [(a, b, n) for a, b, n in zip(places[:-1].tolist(), places[1:].tolist(), sizes.tolist(), strict=True) if n]


def _window(llm: LLM, text: str, window: tuple[int, int, int]) -> Asked:
    start, end, tokens = window
    most = min(how_many(tokens), 16)
    asked = prompt("intents")
    try:
        said: Typed[list[tuple[str, str]]] = typed(
            llm,
            asked.fill(count=str(most), sources=fenced(text[start:end], "part")),
            schema=SCHEMA,
            parse=_questions,
            fallback=list,
            version=asked.version,
            max_tokens=TOKENS * most,
        )
    except MissingWeights:
        raise
    except ModelError as error:
        return Asked((), f"no questions: {type(error).__name__}")
    if said.way == "fallback":
        return Asked((), f"no questions: {said.problem}")
    if not said.value:
        return Asked((), "the model gave no question")
    return _verified(text, window, dict(said.value[::-1]), len(said.value))


def _verified(text: str, window: tuple[int, int, int], quotes: Mapping[str, str], said: int) -> Asked:
    """The questions with their quotes' places; a question without a true quote counts half."""
    found = []
    for question, quote in quotes.items():
        span = locate(text, quote, *window[:2])
        found.append(Intent(question[:LONGEST], 0.5 if span is None else 1.0, span, span is not None, "llm"))
    found.sort(key=lambda one: (one.span or window[:2], one.text))
    lost = sum(not one.quoted for one in found)
    reasons = [f"{said - len(found)} of {said} questions came twice"] if said > len(found) else []
    reasons += [f"{lost} of {len(found)} questions quote what is not in the text"] if lost else []
    return Asked(tuple(found), "; ".join(reasons))


def _questions(value: Any) -> list[tuple[str, str]]:
    """(question, quote) of an answer; those that are blank are left out."""
    rows: Sequence[Any] = value["questions"] if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise TypeError("'questions' must be a list")
    pairs = [(" ".join(str(row["question"]).split()), str(row["quote"]).strip()) for row in rows]
    return [(question, quote) for question, quote in pairs if question]


def locate(text: str, quote: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a quote stands in a range, word for word, white space aside; the first place, or None.

    Args:
        text: the source.
        quote: what a model says it copied.
        start: first code point of the range.
        end: one past its last.
    """
    words = quote[:MOST].strip().strip("\"“”'").split()
    if sum(map(len, words)) < SHORTEST:
        return None
    found = text.find(" ".join(words), start, end)
    if found >= 0:
        return found, found + len(" ".join(words))
    match = re.compile(r"\s+".join(map(re.escape, words))).search(text, start, end)
    return match.span() if match else None
