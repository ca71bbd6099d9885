"""Finished steps of map-reduce on disk, by the content they were made from."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import StoreError

__all__ = ["MapCache", "step_key"]


def step_key(subtree: bytes, heads: Sequence[str], question: str, config: str) -> str:
    """sha256 over what decides a step.

    Args:
        subtree: hash of the node with all below it (`rag.trees.merkle`), which does not depend on where it stands:
            an edit elsewhere in the document leaves the key as it is.
        heads: title and headings above it.
        question: as asked; white space is folded.
        config: the settings that decide the step, as JSON.
    """
    facts = [subtree.hex(), list(heads), " ".join(question.split()), config]
    told = json.dumps(facts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


class MapCache:
    """A file of finished steps (SQLite, write-ahead log), shared by threads and processes.

    Each step is committed when it is finished, so a run that was killed goes on where it was.

    Raises:
        StoreError: the file cannot be opened, read or written, or is no such cache.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS steps (key TEXT PRIMARY KEY, made TEXT NOT NULL)")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{path}: cannot be opened as a cache of map-reduce: {error}. Delete it or name another file."
            ) from error

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What was kept under a key; an unreadable record counts as none."""
        try:
            with self._lock:
                row = self._db.execute("SELECT made FROM steps WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {error}.") from error
        try:
            made = json.loads(row[0]) if row is not None else None
        except ValueError:
            return None
        return made if isinstance(made, dict) else None

    def put(self, key: str, made: Mapping[str, Any]) -> None:
        """Keep a step; the last writer wins, and all write the same."""
        try:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (key, json.dumps(made)))
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be written: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
