"""Typed answers: strict JSON, one tolerant second reading, one repair, then the declared fallback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rag.models.calls import Calls, call, current
from rag.models.ledger import note
from rag.models.llm import LLM, Message

__all__ = ["Typed", "loose", "typed"]

T = TypeVar("T")
UNFIT = (ValueError, TypeError, KeyError, RecursionError)
FENCE = re.compile(r"```[a-zA-Z]*\n?(.*?)(?:```|\Z)", re.DOTALL)
TRAILING = re.compile(r",(\s*[}\]])")
TRIES = 32  # opening brackets looked at
REPAIR = (
    "That could not be used: {problem}. Give the answer again as one JSON value that fits the form asked for, and"
    " nothing else."
)


@dataclass(frozen=True, slots=True)
class Typed(Generic[T]):
    """A value and the way it was won.

    Args:
        value: what `parse` or the fallback gave.
        way: `strict`, `tolerant`, `repaired` or `fallback`.
        problem: why the way is not `strict`, else "".
    """

    value: T
    way: str
    problem: str = ""


def typed(
    llm: LLM,
    messages: Sequence[Message],
    *,
    schema: Mapping[str, Any],
    parse: Callable[[Any], T],
    fallback: Callable[[], T],
    **settings: Any,
) -> Typed[T]:
    """Ask for JSON and make a value of it.

    Args:
        llm: the model.
        messages: the conversation; says in words what the JSON is to hold.
        schema: JSON Schema of the answer, enforced where the model can.
        parse: JSON value -> value; raises ValueError, TypeError or KeyError where it does not fit.
        fallback: the value where the repair fails too; counted in the ledger.
        settings: as for `rag.models.calls.call`.

    Raises:
        ModelError: the model failed; an answer of the wrong form is no failure.
    """
    reply = call(llm, messages, schema=schema, **settings)
    try:
        return Typed(parse(json.loads(reply.text)), "strict")
    except UNFIT as error:
        problem = _problem(error, reply.finish)
    try:
        return Typed(parse(loose(reply.text)), "tolerant", problem)
    except UNFIT as error:
        problem = _problem(error, reply.finish)
    _count(llm, repairs=1)
    asked = [*messages, Message("assistant", reply.text), Message("user", REPAIR.format(problem=problem))]
    again = call(llm, asked, schema=schema, **settings)
    try:
        return Typed(parse(loose(again.text)), "repaired", problem)
    except UNFIT as error:
        problem = _problem(error, again.finish)
    _count(llm, fallbacks=1)
    return Typed(fallback(), "fallback", problem)


def loose(text: str) -> Any:
    """The first JSON object or array in a text, fences, talk and trailing commas forgiven.

    Raises:
        ValueError: there is none.
    """
    for body in (text, *FENCE.findall(text)):
        for begin in [m.start() for m in re.finditer(r"[{\[]", body)][:TRIES]:
            for form in (body[begin:], TRAILING.sub(r"\1", body[begin:])):
                try:
                    return json.JSONDecoder(strict=False).raw_decode(form)[0]
                except (ValueError, RecursionError):
                    continue
    raise ValueError("there is no JSON object or array in it")


def _count(llm: LLM, **amounts: float) -> None:
    own = getattr(llm, "calls", None)  # of `llms/cached`
    for calls in (current(), *([own] if isinstance(own, Calls) else [])):
        calls.ledger.add(**amounts)
    note(**amounts)


def _problem(error: Exception, finish: str) -> str:
    """One short line without the answer's text."""
    if finish == "length":
        return "it was cut off before its end"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos}"
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return str(error).partition("\n")[0][:160]
