"""Files of one JSON object a line, and of tab-separated rows, read with errors that name the line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rag.errors import DataError

__all__ = ["Line", "Problem", "Row", "objects", "parse", "rows", "word"]


class Line(NamedTuple):
    """One JSON object: its line number from 1, its byte offset and length, and the object."""

    number: int
    offset: int
    size: int
    value: dict[str, Any]


class Row(NamedTuple):
    """One row: its line number from 1 and its cells."""

    number: int
    cells: list[str]


class Problem(NamedTuple):
    """One thing that is wrong with a dataset.

    Args:
        file: name of the file in the folder.
        line: line number from 1; 0 where it concerns the whole file.
        kind: what is wrong, the same words for the same mistake.
        detail: which ids and numbers; never a document's text.
    """

    file: str
    line: int
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.detail}"


def _raw(path: Path) -> Iterator[tuple[int, int, bytes]]:
    try:
        with path.open("rb") as source:
            offset = 0
            for number, raw in enumerate(source, start=1):
                yield number, offset, raw
                offset += len(raw)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error


def parse(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    """One line of a JSONL file.

    Raises:
        DataError: it is not UTF-8, not JSON or not an object.
    """
    try:
        value = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{number}: is not UTF-8 (byte {error.start} of the line). Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{number}: is not JSON: {error.msg} at column {error.colno}.") from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}:{number}: is not JSON that can be read: {type(error).__name__}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}:{number}: must be a JSON object, got {type(value).__name__}.")
    return value


def objects(path: Path) -> Iterator[Line]:
    """The objects of a JSONL file, in order; blank lines are skipped.

    Raises:
        DataError: `file:line: ...` at the first line that is not a JSON object.
    """
    for number, offset, raw in _raw(path):
        if raw.strip():
            yield Line(number, offset, len(raw), parse(path, number, raw))


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file whose cells are separated by tabs, or by blanks where a line has no tab."""
    for number, _, raw in _raw(path):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number}: is not UTF-8. Save it as UTF-8.") from error
        if line.strip():
            yield Row(number, line.split("\t") if "\t" in line else line.split())


def word(path: Path, number: int, value: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that the object has, as text; numbers are written out.

    Raises:
        DataError: none is there, or it is neither text nor a whole number.
    """
    for key in keys:
        if key in value:
            found = value[key]
            if isinstance(found, str):
                return found
            if isinstance(found, int) and not isinstance(found, bool):
                return str(found)
            raise DataError(f"{path}:{number}: {key!r} must be text, got {type(found).__name__}.")
    raise DataError(f"{path}:{number}: has no {keys[0]!r}; its keys are {', '.join(sorted(value)) or 'none'}.")
