"""A pair scorer whose scores are kept on disk: the same question and text are read once."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import SkipValidation

from rag.errors import StoreError
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer, logits
from rag.stage import Field, stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CachedScorer"]

NAME = "scorers/cached"
FILE = "scores.sqlite"
AT_ONCE = 500  # keys of one statement


@stage
class CachedScorer:
    """Scores through a cache on disk.

    A score is kept by a digest of the inner scorer's fingerprint, the question and the text, and read back bit for bit,
    so that a cache changes no result. Name and fingerprint are the inner scorer's. Threads and processes may share a
    folder; the texts themselves are not in it.

    Raises:
        StoreError: the file cannot be opened, is no such cache, or the disk is full.
    """

    inner: SkipValidation[Scorer] = Field(default_factory=OnnxScorer, description="scores what is not kept yet")
    folder: Path | None = Field(default=None, description="where scores are kept; none keeps none")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        checked_scorer(self.inner, f"{NAME}: inner")

    @property
    def name(self) -> str:
        """The inner scorer's."""
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        """The inner scorer's: a cache changes no score."""
        return self.inner.fingerprint

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """float32 (n,), as the inner scorer gives them; only texts that are not kept go through it, each once."""
        if self.folder is None or not len(texts):
            return self.inner.score(query, texts)
        keys = [_key(self.fingerprint, query, text) for text in texts]
        have = self._kept.get(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in have}
        if new:
            scores = logits(np.asarray(self.inner.score(query, list(new.values()))), len(new), self.name)
            made = {key: one.tobytes() for key, one in zip(new, scores, strict=True)}
            self._kept.put(made)
            have = {**have, **made}
        return np.frombuffer(b"".join(have[key] for key in keys), dtype=np.float32).copy()

    def ends(self, query: str, texts: Sequence[str], /) -> NDArray[np.int64]:
        """int64 (n,), one past the last code point of each text that the inner scorer reads, where it can tell."""
        told = getattr(self.inner, "ends", None)
        return np.array([len(text) for text in texts], dtype=np.int64) if told is None else told(query, texts)

    @cached_property
    def _kept(self) -> _Kept:
        return _Kept((self.folder or Path()) / FILE)


def _key(fingerprint: str, query: str, text: str) -> bytes:
    """32 bytes; lengths stand in front, so that no two inputs run together."""
    parts = [part.encode("utf-8", "surrogatepass") for part in (fingerprint, query, text)]
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


class _Kept:
    """The file of scores (SQLite, write-ahead log)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, score BLOB) WITHOUT ROWID")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The scores that are kept; a damaged one counts as none."""
        found: dict[bytes, bytes] = {}
        with self._told(), self._lock:
            for at in range(0, len(keys), AT_ONCE):
                part = keys[at : at + AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._db.execute(f"SELECT key, score FROM scores WHERE key IN ({marks})", part)  # noqa: S608
                found.update((key, score) for key, score in rows if isinstance(score, bytes) and len(score) == 4)
        return {key: score for key, score in found.items() if np.isfinite(np.frombuffer(score, np.float32)[0])}

    def put(self, made: Mapping[bytes, bytes]) -> None:
        """Keep scores; the last writer wins, and all write the same."""
        with self._told(), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", made.items())
            self._db.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self.path}: cannot serve as a cache of scores: {error}. Delete it or move it."
            ) from error
