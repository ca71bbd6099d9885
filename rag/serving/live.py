"""An index folder kept open while it changes on disk.

`rag index` publishes a new generation by replacing `manifest.json`; `Live` sees that, opens the new generation beside
the old one, and hands it to the next question. Questions that are under way end on the generation they began with.
An index that cannot be opened any more leaves the last good one in place, and says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import RagError, StoreError
from rag.index import open_index
from rag.serving.tuning import Number, tuned
from rag.store.manifest import MANIFEST

if TYPE_CHECKING:
    from rag.index import Index

__all__ = ["Live", "Opened"]

VARIANTS = 16  # changed pipelines kept ready
T = TypeVar("T")


@dataclass(eq=False)
class Opened:
    """One generation, and how many questions read it."""

    index: Index
    users: int = 0
    retired: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    variants: OrderedDict[tuple[tuple[str, str, Number], ...], Index] = field(default_factory=OrderedDict)

    @property
    def generation(self) -> int:
        """Number of the generation, from 1."""
        return int(self.index.store.manifest.generation)  # type: ignore[attr-defined]

    def variant(self, changes: Mapping[str, Number]) -> Index:
        """The index under other numbers; the ones asked for last are kept ready."""
        if not changes:
            return self.index
        key = tuple(sorted((path, type(value).__name__, value) for path, value in changes.items()))  # True == 1
        with self.lock:
            if key in self.variants:
                self.variants.move_to_end(key)
                return self.variants[key]
        made = tuned(self.index, changes)
        with self.lock:
            self.variants[key] = made
            while len(self.variants) > VARIANTS:
                self.variants.popitem(last=False)
        return made


class Live:
    """An index folder, always in its newest readable generation.

    Args:
        name: what callers call it.
        folder: what `rag index --out` wrote.
        set: overrides of query-time settings, as `rag ask --set` takes them.
        allow: modules outside the installed stages that the index's config may name.

    Raises:
        StoreError: it cannot be opened at all.
    """

    def __init__(self, name: str, folder: Path, *, set: Sequence[str] = (), allow: Sequence[str] = ()) -> None:  # noqa: A002
        self.name, self.folder = name, folder
        self._set, self._allow = tuple(set), tuple(allow)
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self.problem = ""  # why the newest generation is not the one that answers
        self._seen = self._signature()
        self._now = Opened(self._open(None))

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = (self.folder / MANIFEST).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _open(self, old: Index | None) -> Index:
        index = open_index(self.folder, set=self._set, allow=self._allow)
        if old is not None and index.store.config == old.store.config:  # type: ignore[attr-defined]
            index = replace(index, pipeline=old.pipeline)  # its models are open already
        index.bound  # noqa: B018 - made now, not under the first question
        index.store.corpus.ordinals  # noqa: B018
        return index

    def refresh(self) -> bool:
        """Look at the folder, and open what is new there.

        Returns:
            Whether another generation answers now.
        """
        with self._opening:
            seen = self._signature()
            if seen == self._seen:
                return False
            old = self._now
            try:
                new = Opened(self._open(old.index))
            except (RagError, OSError) as error:
                self.problem = str(error).partition("\n")[0]
                return False  # it is tried again: a folder may be half copied
            self.problem, self._seen = "", seen
            with self._lock:
                self._now, old.retired = new, True
                idle = old.users == 0
            if idle:
                _close(old)
            return True

    @contextmanager
    def hold(self) -> Iterator[Opened]:
        """The newest generation; it stays open while the block runs."""
        with self._lock:
            opened = self._now
            opened.users += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                idle = opened.retired and opened.users == 0
            if idle:
                _close(opened)

    def read(self, work: Callable[[Opened], T]) -> T:
        """Do work on the newest generation; once more where an update took its rows away meanwhile."""
        try:
            with self.hold() as opened:
                return work(opened)
        except RagError as error:
            if not _stale(error) or not self.refresh():
                raise
        with self.hold() as opened:
            return work(opened)

    def close(self) -> None:
        """Close the folder when the last question is done."""
        with self._lock:
            self._now.retired = True
            idle = self._now.users == 0
        if idle:
            _close(self._now)


def _stale(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, StoreError):
            return True
        error = error.__cause__
    return False


def _close(opened: Opened) -> None:
    close: Any = getattr(opened.index.store, "close", None)
    if close is not None:
        close()
