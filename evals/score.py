"""From the lines of a run to a table of scores, and from the table to means with intervals.

A failed item is never left out of a mean and never mistaken for a zero: it scores the worst value
(0, or 1 where low is better) and is counted in `failed`. So `n` is the number of questions the metric
applies to, failed ones included. Costs are the exception: what failed has none, and `n` says how many do.
A metric that gives NaN has failed on that question.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evals import stats
from evals.datasets import Dataset, Item
from evals.metrics.names import Case, Metric, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Table", "blank", "score", "summary"]


@dataclass(frozen=True, eq=False)
class Table:
    """Scores of a run.

    Args:
        ids: the questions, one a row.
        metrics: one a column.
        values: float64 (n, m); NaN where a metric does not apply.
        failed: bool (n, m); the item failed, or the metric did.
        errors: what failed: question, metric or "" for the whole item, reason.
    """

    ids: tuple[str, ...]
    metrics: tuple[Metric, ...]
    values: NDArray[np.float64]
    failed: NDArray[np.bool_]
    errors: tuple[tuple[str, str, str], ...]

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """Metric name -> column."""
        return {metric.name: j for j, metric in enumerate(self.metrics)}

    def of(self, metric: str) -> tuple[list[str], NDArray[np.float64]]:
        """The questions a metric applies to, and their scores."""
        column = self.values[:, self.columns[metric]]
        used = np.flatnonzero(~np.isnan(column))
        return [self.ids[i] for i in used], column[used]


def blank(item: Item) -> dict[str, Any]:
    """The record of a question for which nothing came back."""
    context = {"tokens": 0, "spans": [], "lost": None}
    return {
        "id": item.id,
        "status": "failed",
        "answer": "",
        "citations": [],
        "ranking": [],
        "hits": [],
        "retrieved": [],
        "context": context,
        "flagged": [],
        "cuts": {"omega": 0.0, "compat": 0.0, "whole": 0.0},
        "kept": [],
        "usage": {},
        "failed": None,
        "at": _Any(context),
    }


class _Any(dict[str, Any]):
    """One value under every key."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def __missing__(self, key: str) -> Any:
        return self.value


def score(lines: Iterable[tuple[Record, float | None]], data: Dataset, metrics: Sequence[Metric]) -> Table:
    """Score the lines of a run, one at a time.

    Args:
        lines: records, each with the seconds its question took where they are known.
        data: the questions and their gold; a record of an unknown question is an error of the run.
        metrics: what to compute.
    """
    ids: list[str] = []
    rows: list[list[float]] = []
    flags: list[list[bool]] = []
    errors: list[tuple[str, str, str]] = []
    for record, seconds in lines:
        item = data.by_id[record["id"]]
        broken = record["failed"] is not None
        shown = blank(item) if broken else {**record, "seconds": seconds}
        if broken:
            errors.append((item.id, "", str(record["failed"]["message"])))
        row, flag = [], []
        for metric in metrics:
            value = metric(Case(shown, item, data.text))
            wrong = broken
            if value is not None and not math.isfinite(value):
                wrong = True
                errors.append((item.id, metric.name, f"gave {value}"))
            if value is None or (broken and metric.cost):
                row.append(math.nan)
                flag.append(broken and metric.cost)
                continue
            row.append((0.0 if metric.better == "high" else 1.0) if wrong and not metric.cost else value)
            flag.append(wrong)
            if wrong and metric.cost:
                row[-1] = math.nan
        ids.append(item.id)
        rows.append(row)
        flags.append(flag)
    shape = (len(ids), len(metrics))
    return Table(
        tuple(ids),
        tuple(metrics),
        np.array(rows, dtype=np.float64).reshape(shape),
        np.array(flags, dtype=bool).reshape(shape),
        tuple(errors),
    )


def summary(
    table: Table, has: Iterable[str], *, resamples: int = stats.RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, dict[str, Any]]:
    """`{metric: {"value", "low", "high", "n", "failed"}}`, in the order of the metrics.

    A metric without its gold has the value None, n = 0 and says under `off` what is missing. Metrics that
    apply to the same questions are resampled together.
    """
    held = set(has)
    used = ~np.isnan(table.values)
    groups: dict[bytes, list[int]] = {}
    for j in range(len(table.metrics)):
        groups.setdefault(used[:, j].tobytes(), []).append(j)
    around: dict[int, stats.Interval] = {}
    for columns in groups.values():
        rows = np.flatnonzero(used[:, columns[0]])
        found = stats.intervals(table.values[rows][:, columns], resamples=resamples, seed=seed, level=level)
        around.update(zip(columns, found, strict=True))
    result: dict[str, dict[str, Any]] = {}
    for j, metric in enumerate(table.metrics):
        mean = around[j]
        row: dict[str, Any] = {
            "value": _plain(mean.value),
            "low": _plain(mean.low),
            "high": _plain(mean.high),
            "n": mean.n,
            "failed": int(table.failed[:, j].sum()),
        }
        if mean.n == 0:
            row["off"] = _why(metric, held, len(table.ids))
        result[metric.name] = row
    return result


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 9)


FILES = {"qrels": "qrels.tsv", "spans": "spans.jsonl", "answers": "answers in queries.jsonl", "poison": "poison.tsv"}


def _why(metric: Metric, has: set[str], items: int) -> str:
    if not items:
        return "no question was run"
    if metric.needs and metric.needs not in has:
        return f"the dataset has no {FILES[metric.needs]}"
    if metric.needs:
        return f"no question has what it needs ({FILES[metric.needs]})"
    return "it applies to no question of this run"
