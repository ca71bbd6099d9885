"""The steps of a question: asked of a model where there is one, checked, else found by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rag.models.bounded import Meter
from rag.models.prompts import fenced, prompt
from retrievers.decompose import REFERENCE, decompose, references

__all__ = ["Plan", "Step", "checked", "filled", "planned"]

LONGEST = 300  # characters of a step


class Step(NamedTuple):
    """A sub-question.

    Args:
        text: with `#1`, `#2` in place of answers.
        needs: positions, from 0, of the steps whose answers it names; all before its own.
    """

    text: str
    needs: tuple[int, ...]


class Plan(NamedTuple):
    """The steps of a question.

    Args:
        steps: at least one; the last asks for the answer.
        way: `rules`, or how the model's plan was won (`strict`, `tolerant`, `repaired`); the rules are the fallback.
        problem: why the model's plan was not taken, "" where it was or none was asked for.
    """

    steps: tuple[Step, ...]
    way: str
    problem: str = ""


def planned(question: str, meter: Meter, most: int, depth: int) -> Plan:
    """Steps from the model, one call and one repair at most; by rule where there is no model or its plan is unfit.

    Args:
        question: as the user put it.
        meter: the model and its limits.
        most: steps at most.
        depth: steps at most that need each other one after the other.
    """

    def rules() -> tuple[Step, ...]:
        try:
            return checked(decompose(question, most), most, depth)
        except ValueError:
            return (Step(question, ()),)

    if meter.llm is None or most == 1:
        return Plan(rules(), "rules")
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {"steps": {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "string"}}},
        "required": ["steps"],
        "additionalProperties": False,
    }
    asked = prompt("plan")
    found = meter.ask(
        asked.fill(question=fenced(question, "question"), most=str(most)),
        schema=schema,
        parse=lambda value: checked(value["steps"], most, depth),
        fallback=rules,
        version=asked.version,
        max_tokens=60 * most,
    )
    return Plan(found.value, found.way if found.way in WON else "rules", found.problem if found.way not in WON else "")


WON = ("strict", "tolerant", "repaired")


def checked(steps: Sequence[Any], most: int, depth: int) -> tuple[Step, ...]:
    """Steps that can be taken one after the other.

    Raises:
        ValueError: there is none or too many, one is no text or too long, one refers to itself or to a later one, or
            too many hang on each other.
    """
    if not isinstance(steps, (list, tuple)) or not 1 <= len(steps) <= most:
        raise ValueError(f"there must be 1 to {most} steps")
    found: list[Step] = []
    deep: list[int] = []
    for i, text in enumerate(steps):
        if not isinstance(text, str) or not REFERENCE.sub(" ", text).strip() or len(text) > LONGEST:
            raise ValueError(f"step {i + 1} must be a question of at most {LONGEST} characters")
        needs = tuple(one - 1 for one in references(text))
        if any(not 0 <= one < i for one in needs) and len(steps) > 1:
            raise ValueError(f"step {i + 1} may only refer to the steps before it")
        deep.append(1 + max((deep[one] for one in needs if one < i), default=0))
        found.append(Step(" ".join(text.split()), needs if len(steps) > 1 else ()))
    if max(deep) > depth:
        raise ValueError(f"at most {depth} steps may need each other one after the other")
    return tuple(found)


def filled(step: Step, answers: Sequence[str]) -> str:
    """The step's text with answers in place of references; one that is not known is left out."""

    def put(match: Any) -> str:
        number = int(match.group(1)) - 1
        return answers[number] if number in step.needs else match.group()

    return " ".join(REFERENCE.sub(put, step.text).split())
