"""Names for what retrievers keep in an index, and the link between a retriever and an opened one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import RagError

if TYPE_CHECKING:
    from rag.store.corpus import Store

__all__ = ["bound_to", "part_key", "store_of"]

T = TypeVar("T")
_STORE = "_store"


def part_key(retriever: Any) -> str:
    """Name of a retriever's part: class, models, and 12 hex digits over what shapes the index.

    Two retrievers share a part when, and only when, the settings named in their class variable
    `shapes_index` are equal. A model counts by its `fingerprint`, not by its settings, so threads
    and batch sizes may change; its name is spelled out, so that a mismatch names both models.

    Returns:
        For example `bm25-1f0c9a7de203` or `dense-bge-small-en-v1-5-77aa01cd3e5f`: letters, digits and `-`.
    """
    cls = type(retriever)
    shaping = {name: getattr(retriever, name) for name in retriever.shapes_index}
    told = json.dumps([f"{cls.__module__}.{cls.__qualname__}", _plain(shaping)], sort_keys=True)
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    words = [cls.__name__.lower(), *(_slug(name) for value in shaping.values() for name in _models(value)), digest]
    return "-".join(word for word in words if word)


def bound_to(retriever: T, store: Store) -> T:
    """A copy of a retriever that reads from a store; the settings stay equal, a pickle forgets the store."""
    copy: T = replace(retriever)  # type: ignore[type-var]
    copy.__dict__[_STORE] = store
    return copy


def store_of(retriever: Any, name: str) -> Store:
    """The store a retriever was bound to.

    Args:
        retriever: any retriever.
        name: its name, for the message.

    Raises:
        RagError: it was not bound.
    """
    store: Store | None = retriever.__dict__.get(_STORE)
    if store is None:
        raise RagError(
            f"{name}: not bound to an index: it cannot search yet. Ask through an `Index` (`pipe.index(...)` or"
            " `rag.open(folder)`), or call `bind(store)`."
        )
    return store


def _plain(value: Any) -> Any:
    """JSON values that stand for a setting."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    cls = f"{type(value).__module__}.{type(value).__qualname__}"
    return [cls, str(value.fingerprint) if hasattr(value, "fingerprint") else _plain(_settings(value))]


def _settings(value: Any) -> dict[str, Any]:
    if hasattr(value, "shapes_index"):
        return {name: getattr(value, name) for name in value.shapes_index}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a setting that shapes an index must be made of plain values and stages, got {type(value)}")


def _models(value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _models(one)
    elif hasattr(value, "fingerprint"):
        yield str(value.name)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40]
