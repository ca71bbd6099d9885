"""How much of a machine one document may take (bytes, characters, seconds, depth), and how messages call it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields
from pathlib import Path

from rag.errors import ConfigError, LoadError

__all__ = ["Clock", "Limits", "shown"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds for one document (for one record, where a file holds many); a larger one is refused whole.

    Args:
        max_bytes: bytes of the file, or of one line of a JSONL corpus.
        max_expanded: bytes that the compressed parts of a file may unpack to.
        max_chars: code points of the text that was read or extracted.
        max_seconds: wall time of parsing; looked at between steps, so a step may overrun it.
        max_depth: elements open at once in HTML.
    """

    max_bytes: int = 64 * MIB
    max_expanded: int = 256 * MIB
    max_chars: int = 64 * MIB
    max_seconds: float = 60.0
    max_depth: int = 10_000

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise ConfigError(
                    f"limits.{item.name}: must be a number > 0, got {value!r}. Leave it out for the default."
                )

    def bytes_ok(self, name: str, size: int) -> None:
        """Refuse a file or a record that is too large; `name` is how the message calls it."""
        if size > self.max_bytes:
            raise LoadError(
                f"{name}: at most {self.max_bytes:,} bytes are read, got {size:,} or more. "
                "Split it, or raise limits.max_bytes."
            )

    def expanded_ok(self, name: str, size: int) -> None:
        """Refuse a file that unpacks to too much, before it is unpacked."""
        if size > self.max_expanded:
            raise LoadError(
                f"{name}: its compressed parts may unpack to {self.max_expanded:,} bytes, got more. "
                "Split it, or raise limits.max_expanded."
            )

    def chars_ok(self, name: str, size: int) -> None:
        """Refuse a text that is too long."""
        if size > self.max_chars:
            raise LoadError(
                f"{name}: a text may have {self.max_chars:,} characters, got {size:,} or more. "
                "Split it, or raise limits.max_chars."
            )

    def depth_ok(self, name: str, depth: int) -> None:
        """Refuse markup that is nested too deep."""
        if depth > self.max_depth:
            raise LoadError(
                f"{name}: at most {self.max_depth:,} elements may be open at once, got more. "
                "Raise limits.max_depth to read it."
            )


class Clock:
    """Time spent on one document, measured from when this was made."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.seconds = name, limits.max_seconds
        self.end = time.monotonic() + limits.max_seconds

    def check(self) -> None:
        """Refuse to go on once the time is used up."""
        if time.monotonic() > self.end:
            raise LoadError(
                f"{self.name}: took longer than the {self.seconds:g} seconds allowed. "
                "Split it, or raise limits.max_seconds."
            )


def shown(path: str | Path) -> str:
    """A path as messages and ids write it: one line, and bytes that are not UTF-8 as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace("\n", "\\n")
