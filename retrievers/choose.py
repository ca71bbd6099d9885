"""A language model picks the children to open: numbers only, checked, with the ranked order as the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.errors import MissingWeights, ModelError
from rag.models.llm import LLM
from rag.models.prompts import fenced, prompt
from rag.models.typed import Typed, typed

__all__ = ["choose"]

LINE = 240  # characters a section is shown with


def choose(llm: LLM, question: str, sections: Sequence[str], most: int) -> Typed[list[int]]:
    """Which of the sections to open.

    One question for a whole level, where PageIndex and MoDora ask about every node or show the whole outline
    (https://github.com/VectifyAI/PageIndex; MoDora, https://arxiv.org/abs/2602.23061). The model names numbers and
    nothing else: a number that was not shown is dropped, one named twice counts once, and where no number is left, or
    no JSON, or no model answers, the first `most` sections of the given order are opened, so an answer of the model
    can lose nothing by being unreadable.

    Args:
        llm: the model.
        question: as the user put it.
        sections: what each is shown with, best first; cut at 240 characters.
        most: sections opened at most, at least 1.

    Returns:
        Positions in `sections`, and the way they were won.
    """
    shown = "\n".join(f"{i}. {' '.join(text.split())[:LINE]}" for i, text in enumerate(sections, 1))
    asked = prompt("choose-sections")
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "open": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": len(sections)},
                "maxItems": most,
            }
        },
        "required": ["open"],
        "additionalProperties": False,
    }

    def parse(value: Any) -> list[int]:
        named = value["open"]
        if not isinstance(named, list):
            raise TypeError("`open` must be a list of numbers")
        found = [n - 1 for n in named if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= len(sections)]
        if not found:
            raise ValueError("`open` must name at least one section that was shown")
        return list(dict.fromkeys(found))[:most]

    def given() -> list[int]:
        return list(range(min(most, len(sections))))

    messages = asked.fill(question=question, sections=fenced(shown, "sections"), most=str(most))
    try:
        return typed(
            llm, messages, schema=schema, parse=parse, fallback=given, version=asked.version, max_tokens=8 * most + 16
        )
    except MissingWeights:
        raise
    except ModelError as error:
        return Typed(given(), "fallback", f"{type(error).__name__}")
