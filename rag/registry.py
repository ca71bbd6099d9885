"""Names -> stages, through entry points: nothing to decorate, no dict to fill.

A stage's name is its path, `rerankers/mmr`: the kind, then the entry point's name in the group
`rag.rerankers`. Other packages add stages by declaring entry points of their own.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rag.errors import ConfigError, UnknownStage

__all__ = ["KINDS", "find", "name_of", "names"]

KINDS: tuple[str, ...] = (
    "chunkers",
    "trees",
    "retrievers",
    "rerankers",
    "compressors",
    "readers",
    "llms",
    "embedders",
    "scorers",
)


@cache
def _table(kind: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"rag.{kind}"):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise ConfigError(f"two owners of {kind}/{entry.name}: {other.value} and {entry.value}. Uninstall one.")
    return found


@cache
def _owners() -> dict[str, str]:
    return {entry.value: f"{kind}/{entry.name}" for kind in KINDS for entry in _table(kind).values()}


def names(kind: str) -> list[str]:
    """Installed names of one kind, sorted."""
    return sorted(_table(kind))


def find(use: str) -> Any:
    """The class behind a name such as `rerankers/mmr`.

    Raises:
        UnknownStage: with the nearest name, and what is installed; or its module cannot be imported.
    """
    kind, _, name = use.partition("/")
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f" Did you mean {near[0]}/{name}?" if near and name else ""
        raise UnknownStage(f"no stage {use!r}.{hint} A name is kind/name, with kind one of: {', '.join(KINDS)}.")
    if name in _table(kind):
        entry = _table(kind)[name]
        try:
            return entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            owner = "" if entry.dist is None else f" of the package {entry.dist.name!r}"
            raise UnknownStage(
                f"{use}: is listed as {entry.value}{owner}, but cannot be imported: {type(error).__name__}:"
                f" {str(error).partition(chr(10))[0]}. Install that package again, or see `rag doctor`."
            ) from error
    near = difflib.get_close_matches(name, names(kind), n=1)
    hint = f" Did you mean {kind}/{near[0]}?" if near else ""
    raise UnknownStage(f"no stage {use!r}.{hint} Installed {kind}: {', '.join(names(kind)) or 'none'}.")


def name_of(cls: type) -> str:
    """The path of an installed class; `module:Class` for one that is not installed."""
    value = f"{cls.__module__}:{cls.__qualname__}"
    return _owners().get(value, value)
