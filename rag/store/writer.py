"""What makes the next generation of an index, on disk or in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from rag.store.corpus import Corpus, Part, Store
from rag.store.database import Known, Live, Row
from rag.store.manifest import Manifest

__all__ = ["Writer"]


class Writer(Protocol):
    """Makes the next generation of an index; used in a `with`, which undoes what was not published."""

    manifest: Manifest | None

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None:
        """Undo what was not published."""

    @property
    def known(self) -> Mapping[str, Known]:
        """What is indexed already, by id."""

    def body(self, row: int) -> tuple[str, bytes, bytes]:
        """Id, packed document and packed tree of a row."""

    def add(self, row: Row) -> None:
        """Add one version of a document."""

    def retire(self, row: int) -> None:
        """Leave a version out from now on."""

    def move(self, row: int, root: str, source: str) -> None:
        """Say where an unchanged document comes from now."""

    def live(self) -> list[Live]:
        """Every document of the generation to come, in order of id."""

    def assemble(self, *, reuse: bool) -> Corpus:
        """The corpus of the generation to come; no document may be added afterwards."""

    def part(self, key: str, *, reuse: bool) -> Part:
        """An empty part for a retriever to build into."""

    def carry(self, key: str) -> bool:
        """Take a part over as it is; False when the generation before has none."""

    def publish(self, *, config: str, config_digest: str, cut_digest: str, fingerprint: Mapping[str, str]) -> Store:
        """Swap: readers see the new generation from here on."""

    def restate(self, *, config: str, config_digest: str) -> Store:
        """Keep the generation, change the configuration text it carries."""

    def reopen(self) -> Store:
        """The generation before, unchanged."""

    def report(self, lines: Sequence[str]) -> None:
        """Leave the list of failures where a user finds it."""
