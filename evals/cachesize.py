"""How large a cache of stages may grow: what was not used for longest goes first, never what a run is using.

Every run that has the cache open holds a shared lock on it. Only a run that finds itself alone at its end takes
things away, and never what it kept or used itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from pathlib import Path

from rag.errors import DataError

__all__ = ["GIB", "Use", "shrink"]

GIB = 1 << 30
ROOM = 0.8  # of the limit is left filled, so that not every run has to take away
AT_ONCE = 500  # keys of one statement


class Use:
    """A shared hold on a cache's folder, until `leave`.

    Raises:
        DataError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / ".lock").open("a")
        except OSError as error:
            raise DataError(f"{folder}: cannot hold a cache: {error.strerror}. Give another --cache.") from error
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Whether nobody else has it open; if so, nobody can open it before `leave`."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def end(self, db: sqlite3.Connection, most: int | None, mine: frozenset[str], index: Path | None) -> None:
        """Note what was used, and shrink the cache if nobody else has it open; other arguments as of `shrink`."""
        now = int(time.time())
        db.execute("BEGIN IMMEDIATE")
        db.executemany("UPDATE kept SET used = ? WHERE key = ?", ((now, key) for key in sorted(mine)))
        db.execute("COMMIT")
        if index is not None and index.is_dir():
            os.utime(index)
        if most is not None and self.alone():
            shrink(self.folder, db, most, mine, index)

    def leave(self) -> None:
        """Let go."""
        self._lock.close()


def shrink(folder: Path, db: sqlite3.Connection, most: int, mine: frozenset[str], index: Path | None) -> int:
    """Take away the oldest values and indexes until the rest is below the limit.

    Args:
        folder: of the cache.
        db: its open database, whose `kept` has `key`, `value` and `used`, seconds of the epoch.
        most: bytes; nothing happens at or below.
        mine: keys that stay.
        index: the index folder that stays.

    Returns:
        How many bytes went.
    """
    values = [(used, size, key) for key, used, size in db.execute("SELECT key, used, length(value) FROM kept")]
    indexes = [(int(one.stat().st_mtime), _size(one), one) for one in folder.glob("index-*") if one.is_dir()]
    total = sum(size for _, size, _ in values) + sum(size for _, size, _ in indexes)
    if total <= most:
        return 0
    free = total - int(ROOM * most)
    gone: list[str] = []
    went = 0
    rows: list[tuple[int, int, str | Path]] = [*values, *indexes]
    for _, size, one in sorted(rows, key=lambda row: (row[0], str(row[2]))):
        if went >= free:
            break
        if one == index or one in mine:
            continue
        if isinstance(one, Path):
            shutil.rmtree(one)
        else:
            gone.append(one)
        went += size
    _forget(db, gone)
    return went


def _forget(db: sqlite3.Connection, keys: list[str]) -> None:
    if not keys:
        return
    db.execute("BEGIN IMMEDIATE")
    for at in range(0, len(keys), AT_ONCE):
        part = keys[at : at + AT_ONCE]
        db.execute(f"DELETE FROM kept WHERE key IN ({','.join('?' * len(part))})", part)  # noqa: S608
    db.execute("COMMIT")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
