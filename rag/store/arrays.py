"""A retriever's part of an index folder: npy and JSON files, read through a memory map."""

from __future__ import annotations

import json
import math
import mmap
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FolderPart", "describe_file", "read_array", "write_array"]

NAME = re.compile(r"[A-Za-z0-9_-]+")
HEAD_BYTES = 4096
HEAD = re.compile(
    rb"\x93NUMPY\x02\x00.{4}\{'descr': '(?P<kind>[<|][a-zA-Z]\d+)', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[\d, ]*)\), \} *\n",
    re.DOTALL,
)
FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class FolderPart:
    """The arrays one retriever keeps in one generation of an index folder.

    Args:
        folder: where its files are.
        old: the same part in the generation before; None where nothing of it may be used.
    """

    folder: Path
    old: FolderPart | None = None

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Keep an array under a name (letters, digits, `-` and `_`)."""
        write_array(self.folder / (_checked(name, NAME) + ".npy"), array)

    def load(self, name: str) -> NDArray[Any]:
        """The array, read-only, mapped from disk.

        Raises:
            StoreError: there is none of this name, or its file is damaged.
        """
        return read_array(self.folder / (_checked(name, NAME) + ".npy"))

    def save_json(self, name: str, value: Any) -> None:
        """Keep JSON values under a name."""
        text = json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
        (self.folder / (_checked(name, NAME) + ".json")).write_text(text + "\n", encoding="utf-8")

    def load_json(self, name: str) -> Any:
        """The JSON value.

        Raises:
            StoreError: there is none of this name, or its file is damaged.
        """
        path = self.folder / (_checked(name, NAME) + ".json")
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise _missing(path) from error
        except ValueError as error:
            raise StoreError(f"{path}: damaged, not JSON. Index into another folder.") from error

    def path(self, name: str) -> Path:
        """Where a library may write a file of its own; dots are allowed in its name."""
        return self.folder / _checked(name, FILE)


def _checked(name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(name):
        raise ValueError(f"name of an array: must match {pattern.pattern}, got {name!r}")
    return name


def _missing(path: Path) -> StoreError:
    return StoreError(f"{path}: not in this index. It was updated twice since it was opened: open it again.")


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an npy file without pickle; unlike `numpy.save` a full disk shows as what it is."""
    array = np.asarray(array, order="C")
    if array.dtype.hasobject:
        raise ValueError(f"{path.name}: must be an array of numbers or fixed-width text, got {array.dtype}")
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, np.lib.format.header_data_from_array_1_0(array))
        if array.nbytes:
            file.write(array.reshape(-1).view(np.uint8).data)


def read_array(path: Path) -> NDArray[Any]:
    """Map an npy file, read-only.

    `numpy.load` is not used: it evaluates the header as a Python literal, which fails now and then
    in CPython 3.11 when several threads do it at once.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error
    except ValueError as error:  # an empty file cannot be mapped
        raise _damaged(path) from error
    head = HEAD.match(mapped[:HEAD_BYTES])
    if head is None:
        raise _damaged(path)
    kind, sizes = head["kind"].decode("ascii"), tuple(int(n) for n in head["shape"].split(b",") if n.strip())
    dtype, count = np.dtype(kind), math.prod(sizes)
    start = 12 + int.from_bytes(mapped[8:12], "little")
    if len(mapped) != start + count * dtype.itemsize:
        raise _damaged(path)
    if not count * dtype.itemsize:
        empty = np.zeros(sizes, dtype)
        empty.setflags(write=False)
        return empty
    return np.frombuffer(mapped, dtype, count, start).reshape(sizes)


def _damaged(path: Path) -> StoreError:
    return StoreError(f"{path}: damaged, not an npy file. Index into another folder.")


def describe_file(path: Path) -> tuple[int, str]:
    """Size in bytes and hex sha256 of a file."""
    state = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return path.stat().st_size, state.hexdigest()


def check_sizes(folder: Path, files: Mapping[str, tuple[int, str]]) -> None:
    """Raise StoreError unless every file is there with its size; nothing is read."""
    for name, (size, _) in files.items():
        path = folder / name
        try:
            have = path.stat().st_size
        except OSError as error:
            raise StoreError(f"{path}: missing. Restore it, or index into another folder.") from error
        if have != size:
            raise StoreError(f"{path}: damaged, must have {size} bytes, got {have}. Index into another folder.")
