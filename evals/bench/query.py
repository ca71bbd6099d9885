"""What `rag bench query` measures: lexical search, the cost of the framework, the time to start."""

from __future__ import annotations

from typing import Any

from evals.bench.contest import Tell, silent
from evals.bench.lexical import lexical
from evals.bench.overhead import overhead
from evals.bench.startup import startup

__all__ = ["bench"]


def bench(*, chunks: int = 100_000, repeat: int = 5, progress: Tell | None = None) -> dict[str, Any]:
    """Run the three, each with its contestants in turn.

    Args:
        chunks: leaves in the lexical index.
        repeat: measured rounds; medians are reported.
        progress: called with (done, total, label).

    Returns:
        `tables` to print, `notes`, and `figures` by name: `lexical`, `overhead`, `startup`.
    """
    tell = progress or silent
    parts = {
        "overhead": overhead(repeat, tell),
        "startup": startup(repeat, tell),
        "lexical": lexical(chunks, repeat, tell),
    }
    return {
        "tables": [part["table"] for part in parts.values()],
        "notes": [note for part in parts.values() for note in part.get("notes", [])],
        "figures": {name: part["figures"] for name, part in parts.items()},
    }
