"""What a pipeline needs on this machine before it can run: extras and model files."""

from __future__ import annotations

from typing import Any

from rag.errors import RagError
from rag.stage import fields_of

__all__ = ["missing"]


def missing(step: Any) -> list[str]:
    """One line for each thing that is not here, with the command that brings it.

    A stage or model tells by an optional method `ready()`, which raises the RagError that its
    first call would raise.
    """
    found: list[str] = []

    def visit(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                visit(one)
        elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            for one in fields_of(value).values():
                visit(one)
            ready = getattr(value, "ready", None)
            if callable(ready):
                try:
                    ready()
                except RagError as error:
                    found.append(str(error))

    visit(step)
    return list(dict.fromkeys(found))
