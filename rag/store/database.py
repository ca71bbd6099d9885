"""The SQLite file of an index folder: documents and trees, each valid for a range of generations.

A row is born in one generation and may die in a later one; a generation sees the rows born by
then and not dead by then. Rows are only ever added and marked, so the generation that readers
have open does not change under them. Row numbers are never used twice.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rag.errors import StoreError

__all__ = ["DATABASE", "Database", "Known", "Live", "Row", "to_blob", "to_text"]

DATABASE = "documents.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    born INTEGER NOT NULL,
    died INTEGER,
    id BLOB NOT NULL,
    root BLOB NOT NULL,
    source BLOB NOT NULL,
    digest TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    characters INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    tokenizer TEXT NOT NULL,
    metadata TEXT NOT NULL,
    leaves BLOB NOT NULL,
    keys BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_id ON documents (id);
CREATE TABLE IF NOT EXISTS bodies (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    crc INTEGER NOT NULL,
    document BLOB NOT NULL,
    tree BLOB NOT NULL
);
"""
ADD = """
INSERT INTO documents
    (born, id, root, source, digest, sha256, characters, tokens, tokenizer, metadata, leaves, keys)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
LIVE = "born <= :g AND (died IS NULL OR died > :g)"


def to_blob(text: str) -> bytes:
    """Text as SQLite keeps it here: any Python string, ordered by code point."""
    return text.encode("utf-8", "surrogatepass")


def to_text(blob: bytes) -> str:
    """The string that `to_blob` took."""
    return blob.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one document, as a chunker cut it.

    Args:
        id: the document's id.
        root: what the caller gave that it came from, "" for a `Document` object.
        source: the file it was read from, "" for a `Document` object.
        digest: hex digest of all its content.
        sha256: hex digest of its text.
        characters: code points of its text.
        tokens: tokens of its leaves, -1 where they were not counted.
        tokenizer: what counted them.
        metadata: its metadata as JSON.
        leaves: int32 indices of the leaves.
        keys: 16 bytes a leaf, see `rag.store.codec.leaf_keys`.
        document: packed document.
        tree: packed tree.
    """

    id: str
    root: str
    source: str
    digest: str
    sha256: str
    characters: int
    tokens: int
    tokenizer: str
    metadata: str
    leaves: bytes
    keys: bytes
    document: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What a writer needs to know of a document that is indexed already."""

    row: int
    root: str
    source: str
    digest: str


class Live(NamedTuple):
    """A row as a generation sees it, without its body; the fields are columns, see `Row`."""

    row: int
    id: str
    sha256: str
    characters: int
    tokens: int
    tokenizer: str
    metadata: str
    leaves: bytes
    keys: bytes


class Database:
    """A connection; calls from several threads take turns."""

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self.path = folder / DATABASE
        self._lock = threading.RLock()
        if write:
            self._link = self._writer()
            return
        try:
            self._link = self._reader()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: cannot be opened ({error}). Index into another folder.") from error

    def _writer(self) -> sqlite3.Connection:
        link = self._connect("rwc")
        try:
            link.execute("PRAGMA journal_mode = WAL")
            link.execute("PRAGMA synchronous = FULL")
            link.executescript(SCHEMA)
        except BaseException:
            link.close()
            raise
        return link

    def _reader(self) -> sqlite3.Connection:
        try:
            link = self._connect("ro")
            link.execute("SELECT 1 FROM documents LIMIT 1")
        except sqlite3.OperationalError:
            # A write-ahead log needs a file beside it, which a read-only medium refuses; there,
            # with nothing in the log, nobody writes and the file may be read as it stands.
            log = self.path.with_name(DATABASE + "-wal")
            if os.access(self.path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            link = self._connect("ro&immutable=1")
            link.execute("SELECT 1 FROM documents LIMIT 1")
        return link

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, check_same_thread=False, timeout=60, isolation_level=None)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._link.close()

    def _all(self, sql: str, values: Any = ()) -> list[Any]:
        try:
            with self._lock:
                return self._link.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: cannot be read ({error}). Index into another folder.") from error

    # Reading

    def known(self, generation: int) -> dict[str, Known]:
        """What a generation holds, by id, in order of id."""
        sql = f"SELECT id, row, root, source, digest FROM documents WHERE {LIVE} ORDER BY id"  # noqa: S608 - a constant
        found = self._all(sql, {"g": generation})
        return {
            to_text(i): Known(row, to_text(root), to_text(source), digest) for i, row, root, source, digest in found
        }

    def live(self, generation: int) -> list[Live]:
        """Every document of a generation without its body, in order of id."""
        sql = f"SELECT {', '.join(Live._fields)} FROM documents WHERE {LIVE} ORDER BY id"  # noqa: S608 - constants
        return [Live(*values)._replace(id=to_text(values[1])) for values in self._all(sql, {"g": generation})]

    def column(self, name: str, generation: int) -> list[Any]:
        """One column of a generation, in order of id."""
        sql = f"SELECT {name} FROM documents WHERE {LIVE} ORDER BY id"  # noqa: S608 - names come from this package
        return [value for (value,) in self._all(sql, {"g": generation})]

    def body(self, row: int) -> tuple[str, bytes, bytes]:
        """Id, packed document and packed tree of a row.

        Raises:
            StoreError: the row is gone, or its bytes are not the ones that were written.
        """
        sql = "SELECT id, crc, document, tree FROM bodies WHERE row = ?"
        found = self._all(sql, (row,))
        if not found:
            raise StoreError(
                f"{self.path}: updated twice since it was opened, its rows are gone. Open the index again."
            )
        id_, crc, document, tree = found[0]
        if _crc(document, tree) != crc:
            raise StoreError(f"{self.path}: document {to_text(id_)!r} is damaged. Index into another folder.")
        return to_text(id_), document, tree

    # Writing

    def begin(self) -> None:
        """Open a transaction."""
        self._link.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the open transaction durable."""
        self._link.execute("COMMIT")

    def rollback(self) -> None:
        """Leave an open transaction, if there is one."""
        if self._link.in_transaction:
            self._link.execute("ROLLBACK")

    def settle(self) -> None:
        """Move the log into the file, so that the folder can be copied or read from a read-only medium."""
        self._link.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clean(self, generation: int, previous: int) -> None:
        """Undo what an unfinished generation wrote and drop what no kept generation sees."""
        oldest = previous or generation
        with self._lock:
            self.begin()
            gone = "born > :g OR died <= :oldest"
            values = {"g": generation, "oldest": oldest}
            self._link.execute(f"DELETE FROM bodies WHERE row IN (SELECT row FROM documents WHERE {gone})", values)  # noqa: S608
            self._link.execute(f"DELETE FROM documents WHERE {gone}", values)  # noqa: S608
            self._link.execute("UPDATE documents SET died = NULL WHERE died > ?", (generation,))
            self.commit()

    def add(self, row: Row, born: int) -> None:
        """Add one version of a document."""
        head = (
            born,
            to_blob(row.id),
            to_blob(row.root),
            to_blob(row.source),
            row.digest,
            row.sha256,
            row.characters,
            row.tokens,
            row.tokenizer,
            row.metadata,
            row.leaves,
            row.keys,
        )
        with self._lock:
            at = self._link.execute(ADD, head).lastrowid
            body = (at, head[1], _crc(row.document, row.tree), row.document, row.tree)
            self._link.execute("INSERT INTO bodies (row, id, crc, document, tree) VALUES (?, ?, ?, ?, ?)", body)

    def retire(self, row: int, died: int) -> None:
        """Mark a version as not seen from a generation on."""
        with self._lock:
            self._link.execute("UPDATE documents SET died = ? WHERE row = ?", (died, row))

    def move(self, row: int, root: str, source: str) -> None:
        """Say where an unchanged document comes from now."""
        with self._lock:
            self._link.execute(
                "UPDATE documents SET root = ?, source = ? WHERE row = ?", (to_blob(root), to_blob(source), row)
            )


def _crc(document: bytes, tree: bytes) -> int:
    return zlib.crc32(tree, zlib.crc32(document))
