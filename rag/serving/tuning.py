"""The numbers and switches of a pipeline that a caller may change for one question.

Nothing else can be changed from outside: no stage, no name, no path, no model, nothing that shapes the index. A
changed pipeline shares the models of the one it came from, so no weights are opened again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError
from rag.index import shape
from rag.stage import fields_of

if TYPE_CHECKING:
    from rag.index import Index

__all__ = ["MOST", "Number", "tunable", "tuned"]

Number = bool | int | float
MOST = 10  # times the configured value that a caller may ask for
FLOOR = 100  # small settings may be raised to this


def tunable(index: Index) -> dict[str, Number]:
    """Path -> value of every number and switch of the stages that is not part of the index's shape."""
    found: dict[str, Number] = {}
    for i, step in enumerate(index.pipeline.stages):
        found |= dict(_numbers(step, f"stages[{i}]"))
    return found


def tuned(index: Index, changes: Mapping[str, Number]) -> Index:
    """The index under other numbers.

    Args:
        index: an opened index.
        changes: path, as `tunable` names them, -> value.

    Raises:
        ConfigError: no such setting, a value of another type or out of its range.
    """
    allowed = tunable(index)
    stages = list(index.pipeline.stages)
    for path, value in sorted(changes.items()):
        if path not in allowed:
            raise ConfigError(f"set: no setting {path[:80]!r} that may be changed. `/indexes` lists them.")
        head, _, rest = path.removeprefix("stages[").partition("]")
        stages[int(head)] = _changed(stages[int(head)], rest, _checked(path, allowed[path], value), path)
    pipeline = replace(index.pipeline, stages=tuple(stages))
    if shape(pipeline) != shape(index.pipeline):
        raise ConfigError("set: this change would need another index. Change settings of other stages.")
    return replace(index, pipeline=pipeline)


def _numbers(step: Any, path: str) -> Iterator[tuple[str, Number]]:
    if hasattr(type(step), "fingerprint"):  # a model: its settings are its owner's
        return
    fixed = getattr(type(step), "shapes_index", ())
    for name, value in fields_of(step).items():
        if name in fixed:
            continue
        if isinstance(value, (bool, int, float)):
            yield f"{path}.{name}", value
        elif is_dataclass(value):
            yield from _numbers(value, f"{path}.{name}")
        elif isinstance(value, tuple):
            for i, one in enumerate(value):
                if is_dataclass(one):
                    yield from _numbers(one, f"{path}.{name}[{i}]")


def _checked(path: str, have: Number, value: Any) -> Number:
    if isinstance(have, bool):
        if isinstance(value, bool):
            return value
        raise ConfigError(f"set: {path}: must be true or false, got {_kind(value)}.")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"set: {path}: must be a number, got {_kind(value)}.")
    if isinstance(have, int) and value != int(value):
        raise ConfigError(f"set: {path}: must be a whole number, got {value}.")
    most = max(abs(have) * MOST, FLOOR)
    if abs(value) > most:
        raise ConfigError(f"set: {path}: must be at most {most} here, got {value:g}.")
    return int(value) if isinstance(have, int) else float(value)


def _kind(value: Any) -> str:
    return {str: "text", list: "a list", dict: "an object", bool: "a switch"}.get(type(value), repr(value)[:40])


def _changed(step: Any, rest: str, value: Number, path: str) -> Any:
    """The stage with one setting changed, `rest` being the way to it: `.k` or `.retrievers[1].k`."""
    name, dot, below = rest.removeprefix(".").partition(".")
    if dot:
        field, bracket, at = name.partition("[")
        inner = getattr(step, field)
        if bracket:
            place = int(at.removesuffix("]"))
            new: Any = (*inner[:place], _changed(inner[place], below, value, path), *inner[place + 1 :])
        else:
            new = _changed(inner, below, value, path)
        name = field
    else:
        new = value
    try:
        return replace(step, **{name: new})
    except ValueError as error:  # pydantic's ValidationError is one
        errors = getattr(error, "errors", None)
        why = errors()[0]["msg"] if errors is not None else str(error)
        raise ConfigError(f"set: {path}: {why.partition(chr(10))[0]}, got {value}.") from error
