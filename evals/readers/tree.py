"""JSON files read with errors that name the file and the key: `train.json: data[3].paragraphs[0].context`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.lines import Problem
from evals.readers.records import Wrong
from rag.errors import DataError

__all__ = ["At", "load", "wrong"]


@dataclass(frozen=True, slots=True)
class At:
    """A JSON value and where it stands.

    Args:
        file: the file.
        key: path to the value; "" for the whole.
        value: the value.
    """

    file: Path
    key: str
    value: Any

    def __str__(self) -> str:
        return f"{self.file}: {self.key or 'the file'}"

    def _fail(self, wanted: str) -> DataError:
        return DataError(f"{self}: must be {wanted}, got {type(self.value).__name__}.")

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> At:
        """The value under a key of an object."""
        if not isinstance(self.value, dict):
            raise self._fail("an object")
        if key not in self.value:
            raise DataError(f"{self}: has no {key!r}; its keys are {', '.join(sorted(self.value)[:12]) or 'none'}.")
        return At(self.file, f"{self.key}.{key}".lstrip("."), self.value[key])

    def __iter__(self) -> Iterator[At]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self._fail("a list")
        return (At(self.file, f"{self.key}[{i}]", one) for i, one in enumerate(self.value))

    def items(self) -> Iterator[tuple[str, At]]:
        """The members of an object."""
        if not isinstance(self.value, dict):
            raise self._fail("an object")
        return ((key, self[key]) for key in self.value)

    @property
    def text(self) -> str:
        """The value, which must be text; a whole number is written out."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        if not isinstance(self.value, str):
            raise self._fail("text")
        return self.value

    @property
    def whole(self) -> int:
        """The value, which must be a whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self._fail("a whole number")
        return self.value

    @property
    def texts(self) -> tuple[str, ...]:
        """The value as a list of texts."""
        return tuple(one.text for one in self)


def load(path: Path) -> At:
    """A JSON file.

    Raises:
        DataError: it cannot be read, or is not JSON.
    """
    try:
        return At(path, "", json.loads(path.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: is not JSON: {error.msg} at column {error.colno}.") from error
    except RecursionError as error:
        raise DataError(f"{path}: is not JSON that can be read: it is nested too deeply.") from error


def wrong(at: At, kind: str, detail: str) -> Wrong:
    """A problem of the source at this place."""
    return Wrong(Problem(at.file.name, 0, kind, f"{at.key}: {detail}"))
