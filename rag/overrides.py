"""Changing a config before it is built: `extends` and `--set`."""

from __future__ import annotations

import copy
import difflib
import re
from typing import Any

import yaml

from rag.errors import ConfigError
from rag.located import Located, place_of

__all__ = ["merge", "override"]

PLACES = ("chunker", "growers", "stages")
STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]")


def merge(base: Located, over: Located) -> Located:
    """`over` on top of `base`: mappings are merged, a stage of another name and lists are replaced."""
    value = copy.deepcopy(base.value)
    value.pop("description", None)
    merged = _merged(value, {k: v for k, v in over.value.items() if k != "extends"})
    lines = {path: line for path, line in base.lines.items() if not _kept(over.value, path)} | dict(over.lines)
    return Located(merged, over.source, lines)


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if "use" in over and over["use"] != base.get("use"):
        return over
    return {**base, **{key: _merged(base.get(key), one) for key, one in over.items()}}


def _kept(value: Any, path: tuple[str | int, ...]) -> bool:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def override(located: Located, change: str) -> Located:
    """Apply `path=value`: a path such as `chunker.size`, `stages[1].k` or `rerankers/mmr.k`.

    A path that begins with a stage's name means the one stage of that name. The value is YAML.

    Raises:
        ConfigError: no `=`, no such place, or a name that fits several stages.
    """
    target, equals, text = change.partition("=")
    if not equals:
        raise ConfigError(f"--set {change!r}: must be path=value, such as stages[1].k=5.")
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change!r}: the value is not YAML.") from error
    path = _path(target.strip(), located.value, change)
    if path[0] not in PLACES:
        near = difflib.get_close_matches(str(path[0]), PLACES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Name a setting as stages[1].k=5 or rerankers/mmr.k=5."
        raise ConfigError(f"--set {change!r}: must begin with {', '.join(PLACES)}, got {path[0]!r}. {hint}")
    value = copy.deepcopy(located.value)
    holder: Any = value
    for depth, part in enumerate(path[:-1]):
        try:
            holder = holder[part]
        except (KeyError, IndexError, TypeError):
            raise ConfigError(_missing(change, path[: depth + 1], holder)) from None
    last = path[-1]
    if isinstance(holder, list) and not (isinstance(last, int) and last < len(holder)):
        raise ConfigError(_missing(change, path, holder))
    if not isinstance(holder, (dict, list)):
        raise ConfigError(f"--set {change!r}: {place_of(path[:-1])} is not a stage, it has no settings.")
    holder[last] = given  # type: ignore[index]  # a list's index is an int, as just checked
    lines = {p: line for p, line in located.lines.items() if p[: len(path)] != path}
    return Located(value, located.source, {**lines, path: f"--set {change}"})


def _missing(change: str, path: tuple[str | int, ...], holder: Any) -> str:
    """That a place is not there, and which are beside it."""
    above = place_of(path[:-1])
    beside = [*map(str, holder)] if isinstance(holder, dict) else []
    if isinstance(holder, list):
        ends = sorted({0, max(len(holder) - 1, 0)})
        beside = [f"{above}[{i}]" for i in ends] if holder else []
    told = (" to " if isinstance(holder, list) else ", ").join(beside) or "nothing"
    return f"--set {change!r}: there is no {place_of(path)}; {above} has {told}."


def _path(target: str, value: Any, change: str) -> tuple[str | int, ...]:
    named = re.match(r"([a-z]+/[A-Za-z0-9_-]+)(.*)", target)
    start: tuple[str | int, ...] = ()
    if named:
        places = _uses(value, named[1])
        if len(places) != 1:
            found = ", ".join(place_of(p) for p in places) or "nowhere"
            raise ConfigError(f"--set {change!r}: {named[1]} stands in {found}; name one place, such as stages[1].")
        start, target = places[0], named[2]
    rest: list[str | int] = []
    at = 0
    while at < len(target):
        step = STEP.match(target, at)
        if step is None:
            raise ConfigError(f"--set {change!r}: {target!r} is not a path, such as stages[1].k.")
        rest.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    if not (*start, *rest):
        raise ConfigError(f"--set {change!r}: no setting is named, such as stages[1].k=5.")
    return (*start, *rest)


def _uses(value: Any, use: str, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        here = [path] if value.get("use") == use else []
        return here + [p for key, one in value.items() for p in _uses(one, use, (*path, key))]
    if isinstance(value, list):
        return [p for i, one in enumerate(value) for p in _uses(one, use, (*path, i))]
    return []
