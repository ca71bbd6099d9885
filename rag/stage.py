"""The six kinds of stage as protocols, `@stage`, and `apply`.

A stage is a frozen set of settings that can be called with one argument. No class inherits from
another: a stage is what its `__call__` takes and gives.

    chunker     Document -> DocTree
    grower      DocTree  -> DocTree
    retriever   Query    -> Hits      plus `build` and `bind`
    reranker    Hits     -> Hits      reorders, chooses
    compressor  Hits     -> Hits      shrinks, never over its budget
    reader      Hits     -> Answer
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast, dataclass_transform, runtime_checkable

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from rag.doctree import DocTree
from rag.types import Answer, Document, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = [
    "Chunker",
    "Compressor",
    "Field",
    "Grower",
    "Reader",
    "Reranker",
    "Retriever",
    "Stage",
    "apply",
    "stage",
]

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=True)
T = TypeVar("T")


@runtime_checkable
class Stage(Protocol):
    """Settings that can be called."""

    def __call__(self, item: Any, /) -> Any:
        """Do this stage's work on one item."""


@runtime_checkable
class Chunker(Protocol):
    """Cut one document into leaves that tile it."""

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""


@runtime_checkable
class Grower(Protocol):
    """Add levels or notes to a tree; leaves never move."""

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The same leaves under more structure."""


@runtime_checkable
class Retriever(Protocol):
    """Find evidence for a question in an index it built.

    `build` writes what this retriever needs into its part of a store; `bind` gives a copy of
    the retriever that reads an opened store. Settings named in the class variable
    `shapes_index` decide what is built; all others may change at query time.
    """

    shapes_index: ClassVar[tuple[str, ...]]

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the arrays for every leaf of the corpus."""

    def bind(self, store: Store, /) -> Retriever:
        """This retriever, reading from an opened store."""

    def __call__(self, query: Query, /) -> Hits:
        """Evidence, best first."""


@runtime_checkable
class Reranker(Protocol):
    """Reorder and choose; invent nothing; give every drop a reason."""

    def __call__(self, hits: Hits, /) -> Hits:
        """A selection of the same hits, best first."""


@runtime_checkable
class Compressor(Protocol):
    """Shrink hits to ranges inside themselves, within a token budget."""

    def __call__(self, hits: Hits, /) -> Hits:
        """What fits, in reading order."""


@runtime_checkable
class Reader(Protocol):
    """Answer from the evidence, or abstain."""

    def __call__(self, hits: Hits, /) -> Answer:
        """The answer with its citations."""


def _settings(self: Any) -> dict[str, Any]:
    """What pickles: the settings, never opened weights, clients or files."""
    return {one.name: self.__dict__[one.name] for one in fields(self) if one.name in self.__dict__}


def _hash(self: Any) -> int:
    return hash((type(self), repr(self)))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def stage(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, keyword-only, validated set of settings.

    The constructor stores and checks; weights, clients and files open on the first call (use
    `functools.cached_property`). A pickle carries settings only. An unknown setting is an error.
    """
    setattr(cls, "__getstate__", _settings)  # noqa: B010 - the class gains it before pydantic reads it
    if "__hash__" not in cls.__dict__:
        setattr(cls, "__hash__", _hash)  # noqa: B010 - settings may be lists, which have no hash of their own
    return cast("type[T]", dataclass(frozen=True, kw_only=True, config=STRICT)(cls))


def apply(step: Any, items: Iterable[Any]) -> list[Any]:
    """Run a stage over many items, through its own `batch` where it has one.

    Both ways must give the same results in the same order; a contract check compares them.
    """
    batch = getattr(step, "batch", None)
    return list(batch(list(items))) if batch is not None else [step(item) for item in items]


def fields_of(step: Any) -> Mapping[str, Any]:
    """Name -> value of a stage's settings, in the order they were declared; none for other things."""
    return {one.name: getattr(step, one.name) for one in fields(step)} if is_dataclass(step) else {}
