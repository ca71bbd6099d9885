"""What the verbs share: options, output, progress."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.bars import progress

__all__ = ["Allow", "Json", "Quiet", "Set", "aligned", "emit", "line", "number", "progress", "say", "stoppable"]

Json = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no talk, no progress bars")]
Set = Annotated[list[str], typer.Option("--set", help="change a setting: stages[1].k=5 or rerankers/mmr.k=5")]


def _reachable(modules: list[str]) -> list[str]:
    """With `--allow` a module may lie in the folder one works in; it comes last, so it hides nothing installed."""
    here = str(Path.cwd())
    if modules and here not in sys.path:
        sys.path.append(here)
    return modules


Allow = Annotated[
    list[str],
    typer.Option("--allow", callback=_reachable, help="a module outside the installed stages that the config may name"),
]


@contextmanager
def stoppable(kept: str) -> Iterator[None]:
    """Tell a person who stops a verb what there is now; the verb ends as one that was stopped."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"rag: {kept}", file=sys.stderr)
        raise


def emit(value: Any) -> None:
    """Print a value as JSON, readable and stable."""
    print(jsonlib.dumps(value, ensure_ascii=False, indent=2, default=str))


def line(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(jsonlib.dumps(value, ensure_ascii=False, default=str))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns, two spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """Three decimals; two significant digits where that would show nothing."""
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def say(text: str, *, quiet: bool = False) -> None:
    """Tell the person at the terminal something; never part of the data."""
    if not quiet:
        print(text, file=sys.stderr)
