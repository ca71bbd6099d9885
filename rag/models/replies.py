"""Replies kept on disk by the content of the request: the same call is paid once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import StoreError
from rag.models.llm import Message, Reply, TokenProb

__all__ = ["Replies", "key_of"]


def key_of(
    fingerprint: str,
    version: str,
    messages: Sequence[Message],
    schema: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> str:
    """sha256 over all that decides an answer: the model, the prompt's version, the messages, how it decodes."""
    facts = [fingerprint, version, [list(m) for m in messages], schema, sorted(settings.items())]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Replies:
    """A file of replies (SQLite, write-ahead log), shared by threads and processes.

    Raises:
        StoreError: the file cannot be opened, is no such cache, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{path}: cannot be opened as a cache of replies: {error}. Delete it or move it."
            ) from error

    def get(self, key: str) -> Reply | None:
        """The reply kept under a key, marked as cached; an unreadable one counts as none."""
        try:
            with self._lock:
                row = self._db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {error}.") from error
        if row is None:
            return None
        try:
            kept = json.loads(row[0])
            probs = kept["logprobs"]
            return Reply(
                text=kept["text"],
                tokens_in=kept["tokens_in"],
                tokens_out=kept["tokens_out"],
                finish=kept["finish"],
                logprobs=None
                if probs is None
                else tuple(TokenProb(t, p, tuple((a, b) for a, b in top)) for t, p, top in probs),
                cached=True,
            )
        except (ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; the last writer wins, and all write the same."""
        kept = {
            "text": reply.text,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "finish": reply.finish,
            "logprobs": reply.logprobs,
        }
        try:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, json.dumps(kept)))
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be written: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
