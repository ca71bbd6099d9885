"""Progress for a person: a bar in a terminal, a bar in a notebook, now and then a line in a log.

    with rag.progress() as bar:
        index = pipe.index("docs/", "index", progress=bar)

Nothing is shown of work that ends within two seconds, ten in a log.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TextIO

__all__ = ["Progress", "in_notebook", "progress"]

Progress = Callable[[int, int, str], None]  # done, total, label
SHOW_AFTER = 2.0  # seconds: what is quicker needs no bar
LOG_AFTER, LOG_EVERY = 10.0, 30.0  # seconds until the first line of a log, and between two
REDRAW = 0.2  # seconds between two drawings of a notebook's bar


@contextmanager
def progress(*, quiet: bool = False, stream: TextIO | None = None) -> Iterator[Progress]:
    """A callback that shows how far work is, where the person can see it.

    Args:
        quiet: show nothing.
        stream: where a terminal's bar or a log's lines go; standard error by default. `NO_COLOR` makes it a log.
    """
    out = sys.stderr if stream is None else stream
    if quiet:
        yield lambda done, total, label: None
    elif stream is None and in_notebook():
        yield _Notebook()
    elif out.isatty() and not os.environ.get("NO_COLOR"):
        with _terminal(out) as update:
            yield update
    else:
        yield _Log(out)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class _Pace:
    """How long each label has been at it."""

    def __init__(self) -> None:
        self.since: dict[str, float] = {}
        self.shown: dict[str, float] = {}

    def ended(self, label: str) -> None:
        """What comes under this label next is other work."""
        self.since.pop(label, None)
        self.shown.pop(label, None)

    def told(self, done: int, total: int, label: str, now: float) -> str:
        """Items, rate and time left as text."""
        took = max(now - self.since[label], 1e-9)
        rate = done / took
        left = f", {(total - done) / rate:,.0f} s left" if done and total > done else ""
        return f"{done:,} of {total:,}" + (f" ({rate:,.{0 if rate >= 10 else 1}f}/s{left})" if done else "")


class _Log(_Pace):
    """Lines that read well in a file."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self.out = out

    def __call__(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        since = self.since.setdefault(label, now)
        last = self.shown.get(label)
        due = now - since >= LOG_AFTER if last is None else now - last >= LOG_EVERY
        if due or (last is not None and done >= total):
            self.shown[label] = now
            self.out.write(f"rag: {label}: {self.told(done, total, label, now)}\n")
            self.out.flush()
        if done >= total:
            self.ended(label)


class _Notebook(_Pace):
    """A bar a label below the cell, drawn in place; a line when its work is done."""

    def __init__(self) -> None:
        super().__init__()
        self.handles: dict[str, Any] = {}

    def __call__(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        since = self.since.setdefault(label, now)
        handle = self.handles.get(label)
        ended = done >= total
        if handle is None and (ended or now - since < SHOW_AFTER):
            if ended:
                self.ended(label)
            return
        if not ended and now - self.shown.get(label, 0.0) < REDRAW:
            return
        self.shown[label] = now
        from rag.display import bar, shell, told

        text = f"{label}: {self.told(done, total, label, now)}"
        show: Any = import_module("IPython.display")
        shown = f"<small>{told(text)}</small>" if ended else shell(bar(done / max(total, 1), text), "", text)
        drawn = show.HTML(shown)
        if handle is None:
            self.handles[label] = show.display(drawn, display_id=True)
        else:
            handle.update(drawn)
        if ended:
            self.ended(label)


@contextmanager
def _terminal(out: TextIO) -> Iterator[Progress]:
    """Bars with rate and time left, which go when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bars = Bars(*columns, console=Console(file=out, force_jupyter=False), transient=True)
    tasks: dict[str, tuple[Any, float]] = {}
    started: dict[str, float] = {}

    def update(done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if label not in tasks and now - started.setdefault(label, now) < SHOW_AFTER:
            if done >= total:
                started.pop(label)
            return
        if not bars.live.is_started:
            bars.start()
        if label not in tasks:
            tasks[label] = (bars.add_task(label, total=total, rate=""), started.get(label, now))
        task, since = tasks[label]
        rate = f"{done / max(now - since, 1e-9):,.0f}/s" if done else ""
        bars.update(task, completed=done, total=total, rate=rate)
        if done >= total:
            tasks.pop(label)
            started.pop(label, None)

    try:
        yield update
    finally:
        if bars.live.is_started:
            bars.stop()
