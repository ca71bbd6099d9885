"""What a pipeline needs on this machine before it can run: extras and model files."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from rag.errors import RagError
from rag.models import weights
from rag.stage import fields_of

__all__ = ["missing"]


def missing(step: Any) -> list[str]:
    """One line for each thing that is not here, with the command that brings it.

    Looks at every model below a stage: the files it names, and what its optional method `ready`
    says by raising the error that its first call would raise.
    """
    found: list[str] = []

    def visit(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                visit(one)
        elif is_dataclass(value):
            for one in fields_of(value).values():
                visit(one)
            try:
                _check(value)
            except RagError as error:
                found.append(str(error))

    visit(step)
    return list(dict.fromkeys(found))


def _check(value: Any) -> None:
    model = getattr(value, "model", None)
    if isinstance(model, str) and hasattr(value, "fingerprint") and weights.known(model):
        weights.locate(model)
    ready = getattr(value, "ready", None)
    if callable(ready):
        ready()
