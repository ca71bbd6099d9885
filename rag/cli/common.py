"""What the verbs share: options, output, progress."""

from __future__ import annotations

import json as jsonlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

__all__ = ["Allow", "Json", "Quiet", "Set", "aligned", "emit", "line", "number", "progress", "say"]

Json = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no talk, no progress bars")]
Set = Annotated[list[str], typer.Option("--set", help="change a setting: stages[1].k=5 or rerankers/mmr.k=5")]
Allow = Annotated[
    list[str], typer.Option("--allow", help="a module outside the installed stages that the config may name")
]

SHOW_AFTER = 2.0  # seconds: what is quicker needs no bar


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


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar with rate and time left, on stderr, once work takes longer than two seconds.

    Off without a terminal, with `--quiet`, and with `NO_COLOR`.
    """
    if quiet or os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        yield lambda done, total, label: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[str, tuple[Any, float]] = {}
    began = time.monotonic()

    def update(done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if now - began < SHOW_AFTER and label not in tasks and done < total:
            tasks_started.setdefault(label, now)
            return
        if not bars.live.is_started:
            bars.start()
        if label not in tasks:
            tasks[label] = (bars.add_task(label, total=total, rate=""), tasks_started.get(label, now))
        task, since = tasks[label]
        rate = f"{done / max(now - since, 1e-9):,.0f}/s" if done else ""
        bars.update(task, completed=done, total=total, rate=rate)

    tasks_started: dict[str, float] = {}
    try:
        yield update
    finally:
        if bars.live.is_started:
            bars.stop()
