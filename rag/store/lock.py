"""One writer at a time: an advisory lock that the system releases when the process ends."""

from __future__ import annotations

import os
from pathlib import Path

from rag.errors import StoreError

__all__ = ["LOCK", "Lock"]

LOCK = "writer.lock"


class Lock:
    """Holds the lock of an index folder until `release`.

    Raises:
        StoreError: another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        import fcntl

        path = folder / LOCK
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = os.read(self._handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise StoreError(
                f"{folder}: another process (pid {who}) is writing this index. Wait for it, then start again."
            ) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next writer in."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
