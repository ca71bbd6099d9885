"""What an index is made of: documents from files, folders, datasets and Python, one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, MissingExtra
from rag.pool import Ordered
from rag.types import Document, Failed

if TYPE_CHECKING:
    from rag.loaders.limits import Limits
    from rag.loaders.walk import Found, Skipped

__all__ = ["Item", "Listing", "listing", "root_of"]

RECORDS = ".jsonl"


@dataclass(frozen=True, slots=True)
class Item:
    """One document, or why there is none.

    Args:
        value: the document; `Failed` where it could not be read.
        root: the path as the caller gave it, "" for a `Document` object.
        source: the file, below or equal to `root`; "" for a `Document` object.
    """

    value: Document | Failed
    root: str
    source: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that a list of sources means, before any is read.

    Args:
        roots: every path given.
        total: documents to come: exact for files and objects, lines for JSONL corpora.
        skipped: id and reason of files inside folders that hold no text.
        entries: what to read, with the root it belongs to.
    """

    roots: frozenset[str]
    total: int
    skipped: tuple[tuple[str, str], ...]
    entries: tuple[tuple[str, Document | Found | Failed], ...]

    def read(self, limits: Limits, ordered: Ordered = map) -> Iterator[Item]:
        """Read one after the other; what cannot be read is `Failed`, and the rest goes on.

        Args:
            limits: what one document may take.
            ordered: reads files, lazily and in order; JSONL corpora are always streamed in this process.
        """
        from rag.loaders.walk import Found

        files = (entry for _, entry in self.entries if isinstance(entry, Found) and not _streams(entry))
        read = iter(ordered(partial(_file, limits=limits), files))
        for root, entry in self.entries:
            if isinstance(entry, Document):
                yield Item(entry, root, "")
            elif isinstance(entry, Failed):
                yield Item(entry, root, f"{root}/{entry.id}")
            else:
                for value in _records(entry, limits) if _streams(entry) else next(read):
                    yield Item(value, root, entry.path.as_posix())


def root_of(path: str | Path) -> str:
    """How an index remembers a path it was given: as written, without `./` and the like.

    It is not made absolute: a folder that is checked out at another place is the same source when it
    is named the same way, and an index does not depend on the machine that made it.
    """
    return Path(os.path.normpath(path)).as_posix()


def listing(sources: Sequence[str | Path | Document], *, avoid: Path | None = None, count: bool = False) -> Listing:
    """Find the files of all sources.

    Args:
        sources: files, folders, dataset folders or `Document`s.
        avoid: a folder of which nothing is read: the index itself, where it lies inside a source.
        count: count the lines of JSONL corpora for `total`.

    Raises:
        LoadError: a given path does not exist; nothing was read yet.
    """
    from rag.loaders.walk import Found, Skipped, apart, walk

    paths = [source for source in sources if not isinstance(source, Document)]
    walk(paths)  # complains of missing paths at once
    away = None if avoid is None else avoid.resolve()
    entries: list[tuple[str, Document | Found | Failed]] = []
    skipped: list[tuple[str, str]] = []
    seen: set[Path] = set()
    ids: dict[str, Path] = {}
    total = 0
    for source in sources:
        root = "" if isinstance(source, Document) else root_of(source)
        found: Iterable[Document | Found | Skipped | Failed]
        found = [source] if isinstance(source, Document) else walk([source])
        for one in found:
            if isinstance(one, Skipped):
                skipped.append((one.id, one.reason))
                continue
            if isinstance(one, Found):
                real = one.path.resolve()
                if real in seen or (away is not None and real.is_relative_to(away)):
                    continue
                seen.add(real)
                total += _lines(one.path) if count and _streams(one) else 1
                entries.append((root, apart(one, ids) or one))
            else:
                total += 1
                entries.append((root, one))
    return Listing(frozenset(map(root_of, paths)), total, tuple(skipped), tuple(entries))


def _streams(found: Found) -> bool:
    from rag.loaders.jsonlines import is_corpus

    return found.path.suffix == RECORDS and is_corpus(found.path)


def _file(found: Found, limits: Limits) -> list[Document | Failed]:
    from rag.loaders.read import read

    try:
        return [*read(found.path, id=found.id, limits=limits)]
    except (LoadError, MissingExtra) as error:
        return [Failed(found.id, error)]
    except Exception as error:  # of a parser that met what nobody foresaw: one file must not end the others
        return [Failed(found.id, _unforeseen(found, error))]


def _records(found: Found, limits: Limits) -> Iterator[Document | Failed]:
    from rag.loaders.jsonl import scan_corpus

    try:
        yield from scan_corpus(found.path, limits=limits)
    except LoadError as error:
        yield Failed(found.id, error)
    except OSError as error:
        yield Failed(found.id, _unforeseen(found, error))


def _unforeseen(found: Found, error: Exception) -> LoadError:
    what = f"{type(error).__name__}: {error}".partition("\n")[0]
    return LoadError(f"{found.path}: cannot be read: {what}. Check the file, or leave it out.")


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return 1  # reading it will say what is wrong
