"""Contestants run in turn, several times; what counts is the median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Tell", "in_turn", "silent", "table"]

Tell = Callable[[int, int, str], None]


def silent(done: int, total: int, label: str) -> None:
    """Where nobody watches."""


def in_turn(
    contestants: Mapping[str, Callable[[], object]], repeat: int, tell: Tell = silent, label: str = "rounds"
) -> dict[str, float]:
    """Median seconds of each contestant.

    Rounds are interleaved, so that a machine that slows down slows everyone; each runs once before, unmeasured.

    Args:
        contestants: name -> the work.
        repeat: measured rounds, at least 1.
        tell: called with (done, total, label).
        label: what the rounds are called.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeat + 1):
        for name, work in contestants.items():
            began = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - began)
        tell(turn, repeat, label)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title: str, columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """One table of a result, as `rag bench` prints it."""
    return {"title": title, "columns": columns, "rows": rows}
