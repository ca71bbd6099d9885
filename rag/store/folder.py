"""An index folder, opened for reading: `open_store`.

    manifest.json           what is here; its atomic replacement publishes a generation
    documents.sqlite        documents and trees; every row valid for a range of generations
    gen-000007/corpus/*.npy the leaves in order
    gen-000007/<part>/*     what each retriever built
    failures.jsonl          what the last `rag index` could not read
    writer.lock             held by the process that writes

The generation before the newest is kept, so a reader that has it open is not disturbed by one
update; after two updates it must open the folder again, and is told so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import StoreError, StoreMismatch
from rag.store.arrays import FolderPart, check_sizes, describe_file, read_array
from rag.store.cache import CACHE_CHARACTERS, Column, TreeCache
from rag.store.corpus import Corpus
from rag.store.database import DATABASE, Database, to_text
from rag.store.leaves import Leaves
from rag.store.manifest import Manifest, folder_name, read_manifest, summary

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.types import Document

__all__ = ["FAILURES", "FolderStore", "open_store"]

FAILURES = "failures.jsonl"
DIGEST = re.compile(r"-[0-9a-f]{12}$")
ATTEMPTS = 5  # a folder updated between reading the manifest and opening its files is read again


def open_store(folder: str | Path, *, cache: int = CACHE_CHARACTERS) -> FolderStore:
    """Open an index folder for reading.

    Args:
        folder: what `rag index --out` wrote.
        cache: characters of documents kept in memory.

    Raises:
        StoreError: no index is there, it is damaged, or a newer version wrote it.
    """
    path = Path(folder)
    for attempt in range(ATTEMPTS):
        manifest = read_manifest(path)
        if manifest is None:
            there = "no such folder" if not path.exists() else "not an index: it has no manifest.json"
            raise StoreError(f"{path}: {there}. Make one with `rag index CONFIG PATH --out {path}`.")
        try:
            return FolderStore(path, manifest, cache=cache)
        except StoreError:
            newer = read_manifest(path)
            if attempt + 1 == ATTEMPTS or newer is None or newer.generation == manifest.generation:
                raise
    raise AssertionError("unreachable")


class FolderStore:
    """One generation of an index folder; a `Store`. Close it, or use it in a `with`."""

    def __init__(self, folder: Path, manifest: Manifest, *, cache: int = CACHE_CHARACTERS) -> None:
        self.folder, self.manifest = folder, manifest
        self._at = folder / folder_name(manifest.generation)
        check_sizes(self._at, manifest.files)
        if not (folder / DATABASE).exists():
            raise StoreError(f"{folder / DATABASE}: missing. Restore it, or index into another folder.")
        self.leaves = read_leaves(self._at)
        self._database = Database(folder)
        self._trees = TreeCache(self._body, cache)

    def __enter__(self) -> FolderStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        counts = self.manifest.counts
        return f"FolderStore({str(self.folder)!r}, {counts['documents']} documents, {counts['leaves']} leaves)"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Pickle by the folder: another process opens it for itself."""
        return open_store, (str(self.folder),)

    def close(self) -> None:
        """Close the database; mapped arrays stay readable as long as someone holds them."""
        self._database.close()

    def _body(self, ordinal: int) -> tuple[str, bytes, bytes]:
        return self._database.body(int(self.leaves.row[ordinal]))

    def _column(self, name: str) -> list[Any]:
        found = self._database.column(name, self.manifest.generation)
        if len(found) != len(self.leaves.row):
            raise StoreError(f"{self.folder}: updated twice since it was opened. Open the index again.")
        return found

    @property
    def config(self) -> str:
        """The resolved pipeline file the index was built with."""
        return self.manifest.config

    @cached_property
    def corpus(self) -> Corpus:
        """The leaves of all documents, in order of document id."""
        import numpy as np

        size = len(self.leaves.row)
        return Corpus(
            doc_ids=Column(size, lambda: [to_text(i) for i in self._column("id")]),
            metadata=Column(size, lambda: [json.loads(m) for m in self._column("metadata")]),
            doc=self.leaves.doc,
            node=self.leaves.node,
            reuse=np.full(len(self.leaves.doc), -1, dtype=np.int64),
            tree=self._trees,
        )

    def part(self, key: str) -> FolderPart:
        """The arrays kept under a key.

        Raises:
            StoreMismatch: this index has no such part.
        """
        if key not in self.manifest.parts:
            raise StoreMismatch(mismatch(str(self.folder), key, self.manifest.parts))
        return FolderPart(self._at / key)

    def documents(self) -> list[tuple[str, str]]:
        """Id and hex sha256 of the text of every document, in order of id."""
        return list(zip(self.corpus.doc_ids, self._column("sha256"), strict=True))

    def document(self, doc: str) -> Document:
        """One document by its id."""
        return self.tree(doc).document

    def tree(self, doc: str) -> DocTree:
        """The outline of one document by its id.

        Raises:
            StoreError: there is no such document.
        """
        at = self.corpus.ordinals.get(doc)
        if at is None:
            raise StoreError(f"{self.folder}: no document {doc!r} among {len(self.leaves.row)}. Check the id.")
        return self._trees(at)

    def failures(self) -> list[Mapping[str, str]]:
        """What the last indexing could not read: `id`, `error` (a class) and `message`."""
        try:
            lines = (self.folder / FAILURES).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def verify(self) -> None:
        """Read everything and compare it with the digests of the manifest.

        Raises:
            StoreError: names the first file or document that is not what was written.
        """
        for name, expected in self.manifest.files.items():
            if describe_file(self._at / name) != tuple(expected):
                raise StoreError(f"{self._at / name}: damaged, its sha256 differs. Index into another folder.")
        if summary(self._database.live(self.manifest.generation))["documents"] != self.manifest.documents:
            raise StoreError(f"{self.folder / DATABASE}: not the documents of its manifest. Index into another folder.")
        for ordinal in range(len(self.leaves.row)):
            self._body(ordinal)


def read_leaves(at: Path) -> Leaves:
    """The arrays of a generation's corpus."""
    corpus = at / "corpus"
    return Leaves(*(read_array(corpus / f"{name}.npy") for name in ("row", "doc", "node", "keys")))


def mismatch(where: str, key: str, have: tuple[str, ...]) -> str:
    """The message for a part that an index lacks: names of retrievers and models, without digests."""
    asked, built = DIGEST.sub("", key), [DIGEST.sub("", one) for one in have]
    if asked in built:
        what = f"was built with other settings of {asked!r}, or another version of its model, than are asked of it now"
    else:
        what = f"must have been built with {asked!r}, got {', '.join(map(repr, built)) or 'no parts'}"
    return f"{where}: {what}. Index again with these settings, or ask with the settings of the index."
