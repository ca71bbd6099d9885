"""Writing an index folder: everything beside the old generation, then one atomic swap.

Order of a run: take the lock; undo what an unfinished run left; add and retire rows for
generation g + 1; write its arrays into `gen-(g+1)`; make all of it durable; replace
`manifest.json`; drop generation g - 1. Before the replacement a reader sees generation g, after it
g + 1, whatever instant the process dies at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from rag.errors import StoreError
from rag.store.arrays import FolderPart, describe_file, write_array
from rag.store.cache import TreeCache
from rag.store.corpus import Corpus
from rag.store.database import DATABASE, Database, Known, Live, Row
from rag.store.disk import saving
from rag.store.folder import FAILURES, FolderStore, open_store, read_leaves
from rag.store.leaves import Leaves, gather, reused
from rag.store.lock import Lock
from rag.store.manifest import MANIFEST, Manifest, folder_name, fsync_folder, read_manifest, replace_file, summary

__all__ = ["FolderWriter"]

GENERATION = re.compile(r"gen-\d{6,}")
PENDING = 32 << 20  # bytes of rows in one transaction


class FolderWriter:
    """Writes the next generation of an index folder.

    Args:
        folder: made if it is not there.

    Raises:
        StoreError: another process writes this index; the disk is full; the folder is no folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = False
        self._published = False
        self._pending = -1  # bytes in the open transaction; -1 for none

    def __enter__(self) -> FolderWriter:
        with saving(self.folder):
            self._made = not self.folder.exists()
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise StoreError(f"{self.folder}: must be a folder, got a file. Name another folder.") from error
            self._lock = Lock(self.folder)
            try:
                self.manifest = read_manifest(self.folder)
                self._now = self.manifest.generation if self.manifest else 0
                self._next = self._now + 1
                if self.manifest and not (self.folder / DATABASE).exists():
                    raise StoreError(f"{self.folder / DATABASE}: missing. Restore it, or index into another folder.")
                self._database = Database(self.folder, write=True)
            except BaseException:
                self._lock.release()
                raise
            self._clean()
            self._at = self.folder / folder_name(self._next)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if not self._published:
                with suppress(OSError, sqlite3.Error):  # the next start cleans what cannot be cleaned now
                    self._database.rollback()
                    self._clean()
            self._database.close()
            if self._made and self.manifest is None:
                with suppress(OSError):
                    shutil.rmtree(self.folder)
        finally:
            self._lock.release()

    def _clean(self) -> None:
        """Drop every trace of a generation that no manifest names."""
        previous = self.manifest.previous if self.manifest else 0
        self._database.clean(self._now, previous)
        keep = {folder_name(g) for g in (self._now, previous) if g}
        for path in self.folder.iterdir():
            if path.name.endswith(".new") and path.name.removesuffix(".new") in (MANIFEST, FAILURES):
                path.unlink()
            elif GENERATION.fullmatch(path.name) and path.name not in keep:
                shutil.rmtree(path)

    @cached_property
    def known(self) -> Mapping[str, Known]:
        """What is indexed already, by id."""
        return self._database.known(self._now)

    def body(self, row: int) -> tuple[str, bytes, bytes]:
        """Id, packed document and packed tree of a row."""
        return self._database.body(row)

    def add(self, row: Row) -> None:
        """Add one version of a document."""
        self._write(len(row.document) + len(row.tree))
        self._database.add(row, self._next)

    def retire(self, row: int) -> None:
        """Leave a version out from the next generation on."""
        self._write(64)
        self._database.retire(row, self._next)

    def move(self, row: int, root: str, source: str) -> None:
        """Say where an unchanged document comes from now."""
        self._write(64)
        self._database.move(row, root, source)

    def _write(self, size: int) -> None:
        if self._pending > PENDING:
            self._commit()
        if self._pending < 0:
            self._database.begin()
            self._pending = 0
        self._pending += size

    def _commit(self) -> None:
        if self._pending >= 0:
            self._database.commit()
            self._pending = -1

    @cached_property
    def _live(self) -> list[Live]:
        return self._database.live(self._next)

    def live(self) -> list[Live]:
        """Every document of the generation to come, in order of id."""
        return self._live

    def assemble(self, *, reuse: bool) -> Corpus:
        """The corpus of the generation to come; no document may be added afterwards."""
        self._commit()
        live = self._live
        leaves = gather([r.row for r in live], [r.leaves for r in live], [r.keys for r in live])
        corpus = self._at / "corpus"
        corpus.mkdir(parents=True)
        for name in ("row", "doc", "node", "keys"):
            write_array(corpus / f"{name}.npy", getattr(leaves, name))
        return Corpus(
            doc_ids=[r.id for r in live],
            metadata=[json.loads(r.metadata) for r in live],
            doc=leaves.doc,
            node=leaves.node,
            reuse=self._reused(leaves) if reuse and self._now else np.full(len(leaves.doc), -1, dtype=np.int64),
            tree=TreeCache(lambda ordinal: self._database.body(int(leaves.row[ordinal]))),
        )

    def _reused(self, leaves: Leaves) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return reused(leaves, read_leaves(self.folder / folder_name(self._now)))

    def part(self, key: str, *, reuse: bool) -> FolderPart:
        """An empty part for a retriever to build into."""
        old = self.folder / folder_name(self._now) / key
        has = reuse and self.manifest is not None and key in self.manifest.parts
        (self._at / key).mkdir(parents=True)
        return FolderPart(self._at / key, FolderPart(old) if has else None)

    def carry(self, key: str) -> bool:
        """Take a part over as it is, by hard links where the disk allows."""
        if self.manifest is None or key not in self.manifest.parts:
            return False
        old, new = self.folder / folder_name(self._now) / key, self._at / key
        new.mkdir(parents=True)
        for path in sorted(old.iterdir()):
            try:
                os.link(path, new / path.name)
            except OSError:
                shutil.copyfile(path, new / path.name)
        return True

    def publish(
        self, *, config: str, config_digest: str, cut_digest: str, fingerprint: Mapping[str, str]
    ) -> FolderStore:
        """Make the generation durable, then swap the manifest."""
        self._commit()
        folders = sorted(path for path in self._at.iterdir() if path.is_dir())
        files = {}
        for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.relative_to(self._at).as_posix()] = describe_file(path)
        for folder in (*folders, self._at, self.folder):
            fsync_folder(folder)
        self._database.settle()
        self._swap(
            Manifest(
                generation=self._next,
                previous=self._now,
                config=config,
                config_digest=config_digest,
                cut_digest=cut_digest,
                fingerprint=fingerprint,
                files=files,
                parts=tuple(folder.name for folder in folders if folder.name != "corpus"),
                **summary(self._live),
            )
        )
        self._now = self._next
        with suppress(OSError, sqlite3.Error):  # readers have the new generation; the next start cleans up
            self._clean()
            self._database.settle()
        return open_store(self.folder)

    def _swap(self, manifest: Manifest) -> None:
        replace_file(self.folder / MANIFEST, manifest.to_json())
        self.manifest = manifest
        self._published = True

    def restate(self, *, config: str, config_digest: str) -> FolderStore:
        """Keep the generation, change the configuration text it carries."""
        assert self.manifest is not None
        self._commit()
        self._swap(replace(self.manifest, config=config, config_digest=config_digest))
        return open_store(self.folder)

    def reopen(self) -> FolderStore:
        """The generation before, unchanged."""
        self._commit()
        return open_store(self.folder)

    def report(self, lines: Sequence[str]) -> None:
        """Write `failures.jsonl`, or remove it when nothing failed."""
        path = self.folder / FAILURES
        if lines:
            replace_file(path, "".join(f"{line}\n" for line in lines))
        else:
            path.unlink(missing_ok=True)
