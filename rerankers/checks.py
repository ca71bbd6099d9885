"""A language model's second look at passages: what it blames must be quoted, and it may not blame everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from rag.models.llm import LLM
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed

__all__ = ["Blame", "Checked", "checked"]

REASONS = ("instruction", "contradiction")
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "bad": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "passage": {"type": "integer"},
                    "reason": {"type": "string", "enum": list(REASONS)},
                    "quote": {"type": "string"},
                },
                "required": ["passage", "reason", "quote"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["bad"],
    "additionalProperties": False,
}
SHOWN = 1200  # characters of a passage
ACCEPTED = 6  # kept passages shown for comparison


class Blame(NamedTuple):
    """A passage that the model wants kept from the reader.

    Args:
        at: its place.
        reason: `instruction` or `contradiction`.
        start: where the quoted words begin in the passage.
        end: one past their last.
    """

    at: int
    reason: str
    start: int
    end: int


class Checked(NamedTuple):
    """What came of the checks.

    Args:
        blamed: in ascending order of their places.
        calls: batches asked.
        ways: how the replies were won, by way.
        unquoted: blames that were set aside because their quotation does not stand in the passage.
        refused: batches set aside because the model blamed more than half of what it was shown.
    """

    blamed: tuple[Blame, ...]
    calls: int
    ways: Mapping[str, int]
    unquoted: int
    refused: int


def checked(llm: LLM, question: str, texts: Sequence[str], batch: int = 5) -> Checked:
    """Ask about every passage, a few a call, best first, against what was kept so far and nothing else.

    METEORA (arXiv 2505.16014) compares with every earlier passage, blamed or not, so that one false passage at the
    front condemns true ones behind it, and asks three times a passage. Here a blamed passage is never shown again.
    The first batch has nothing to contradict and is only asked for instructions. A batch of three or more of which the
    model blames more than half is taken for a model that cannot tell, and kept whole.

    Args:
        llm: the model, at temperature 0.
        question: the question.
        texts: n passages, best first.
        batch: passages a call.

    Returns:
        Blames, each with a quotation that stands in its passage; a reply that is no JSON after one repair blames none.

    Raises:
        ModelError: the model failed.
    """
    blamed: list[Blame] = []
    kept: list[int] = []
    ways: dict[str, int] = {}
    unquoted = refused = 0
    for begin in range(0, len(texts), batch):
        places = list(range(begin, min(len(texts), begin + batch)))
        messages = prompt("verify").fill(
            question=question,
            kept=_shown([texts[i] for i in kept[:ACCEPTED]], "accepted") if kept else "No passage is accepted yet.",
            sources=_shown([texts[i] for i in places], "candidates"),
        )
        made = typed(llm, messages, schema=SCHEMA, parse=partial(_parsed, count=len(places)), fallback=_none)
        ways[made.way] = ways.get(made.way, 0) + 1
        named = {at: (reason, quote) for at, reason, quote in made.value if kept or reason != "contradiction"}
        if len(places) > 2 and 2 * len(named) > len(places):
            refused += 1
            named = {}
        for number, place in enumerate(places, start=1):
            reason, quote = named.get(number, ("", ""))
            start = texts[place].find(quote) if quote.strip() else -1
            if reason and start >= 0:
                blamed.append(Blame(place, reason, start, start + len(quote)))
                continue
            unquoted += bool(reason)
            kept.append(place)
    return Checked(tuple(blamed), -(-len(texts) // batch), ways, unquoted, refused)


def _shown(texts: Sequence[str], label: str) -> str:
    return fenced("\n\n".join(f"({i}) {text[:SHOWN]}" for i, text in enumerate(texts, start=1)), label)


def _none() -> list[tuple[int, str, str]]:
    return []


def _parsed(value: Any, count: int) -> list[tuple[int, str, str]]:
    """The blames of a reply, the first of each passage.

    Raises:
        ValueError: of another form, or naming a passage that is not there.
    """
    if not isinstance(value, dict) or not isinstance(value.get("bad"), list):
        raise ValueError('"bad" must be a list')
    found: dict[int, tuple[int, str, str]] = {}
    for one in value["bad"]:
        at, reason, quote = one["passage"], one["reason"], one["quote"]
        if type(at) is not int or not 1 <= at <= count:
            raise ValueError(f"a passage must be a number from 1 to {count}")
        if reason not in REASONS or not isinstance(quote, str):
            raise ValueError(f"a reason must be one of {', '.join(REASONS)}, a quote a text")
        found.setdefault(at, (at, reason, quote))
    return list(found.values())
