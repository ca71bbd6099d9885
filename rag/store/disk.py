"""A disk that is full or fails, told to a person."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StoreError

__all__ = ["saving"]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Turn a full disk, or one that fails, into a StoreError that says what to do."""
    kept = "What was indexed before is unchanged."
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            why = error.strerror
            free = shutil.disk_usage(folder).free if folder.exists() else 0
            raise StoreError(
                f"{folder}: the disk is full ({why}; {free:,} bytes free). {kept} Free some and start again."
            ) from error
        if error.filename is not None and str(folder) in str(error.filename):
            raise StoreError(f"{folder}: cannot be written ({error.strerror}). {kept}") from error
        raise
    except sqlite3.OperationalError as error:
        full = error.sqlite_errorname == "SQLITE_FULL"
        what = "the disk is full" if full else f"cannot be written ({error})"
        raise StoreError(f"{folder}: {what}. {kept} Check the disk, free space and start again.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{folder}: its database is damaged ({error}). Index into another folder.") from error
