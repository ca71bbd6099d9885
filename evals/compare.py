"""Compare runs over the same questions, and say so when there is no winner.

All pairs of runs and all metrics form one family for Holm's correction. A run wins only when, for some
metric, its corrected p against every other run is below alpha and its mean is better, and no metric says
the opposite. Runs over different questions are refused: their means are about different things.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evals import stats
from evals.datasets import Dataset
from evals.datasets import load as load_dataset
from evals.metrics.names import Metric, parse_all
from evals.run import open_run, score_folder
from evals.score import Table
from rag.errors import DataError

__all__ = ["Comparison", "Pair", "changes", "compare", "compare_folders"]


@dataclass(frozen=True)
class Pair:
    """One metric, two runs: `delta` is the second minus the first.

    Args:
        metric: its name.
        first: name of the first run.
        second: name of the second.
        found: difference, interval, p and detectable difference.
        p: corrected over all pairs and metrics.
        failed: questions that failed in either.
        same: whether no question has another score.
    """

    metric: str
    first: str
    second: str
    found: stats.Paired
    p: float
    failed: int
    same: bool = False

    def winner(self, alpha: float, better: str) -> str | None:
        """The better run where the difference is significant."""
        if not self.p < alpha or self.found.delta == 0.0:
            return None
        return self.second if (self.found.delta > 0) == (better == "high") else self.first


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Args:
        runs: their names.
        values: run -> metric -> mean.
        pairs: every pair of runs and every metric.
        off: metrics that were not compared, and why.
        alpha: level of the corrected tests.
        better: metric -> `high` or `low`.
    """

    runs: tuple[str, ...]
    values: Mapping[str, Mapping[str, float]]
    pairs: tuple[Pair, ...]
    off: Mapping[str, str]
    alpha: float
    better: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.runs)}: {self.verdict()})"

    def _repr_html_(self) -> str:
        from evals.report.notebook import of_comparison

        return of_comparison(self)

    def winners(self) -> dict[str, str | None]:
        """Metric -> the run that beats every other one, or None."""
        found: dict[str, str | None] = {}
        for metric in dict.fromkeys(pair.metric for pair in self.pairs):
            mine = [pair for pair in self.pairs if pair.metric == metric]
            beaten = dict.fromkeys(self.runs, 0)
            for pair in mine:
                won = pair.winner(self.alpha, self.better[metric])
                if won is not None:
                    beaten[won] += 1
            best = [run for run, count in beaten.items() if count == len(self.runs) - 1]
            found[metric] = best[0] if best else None
        return found

    @property
    def identical(self) -> bool:
        """Whether every question has the same score in all runs, wall time aside."""
        judged = [pair for pair in self.pairs if pair.metric != "Seconds"]
        return bool(judged) and all(pair.same for pair in judged)

    def verdict(self) -> str:
        """One line: who wins by which metric, or what these questions could have shown, or that nothing differs."""
        if self.identical:  # wall time alone makes no winner
            return "identical results: no question has another score"
        won = {metric: run for metric, run in self.winners().items() if run is not None}
        names = list(dict.fromkeys(won.values()))
        if len(names) == 1:
            return f"{names[0]} wins by {', '.join(won)}"
        if names:
            split = "; ".join(f"{name} by {', '.join(m for m, r in won.items() if r == name)}" for name in names)
            return f"no winner: {split}"
        seen: dict[str, float] = {}  # of several pairs, the difference that all of them would show
        for p in self.pairs:
            if math.isfinite(p.found.detectable):
                seen[p.metric] = max(seen.get(p.metric, 0.0), p.found.detectable)
        reach = [f"{metric} {least:.3f}" for metric, least in list(seen.items())[:4]]
        apart = [p for p in self.pairs if p.winner(self.alpha, self.better[p.metric]) is not None]
        some = f" over all; {len(apart)} of {len(self.pairs)} pairs are told apart" if apart else ""
        return f"no winner{some}; these questions show differences from about {', '.join(reach) or 'nothing'}"

    def json(self) -> dict[str, Any]:
        """As plain values."""
        rows = [
            {
                "metric": p.metric,
                "first": p.first,
                "second": p.second,
                **{
                    k: (None if isinstance(v, float) and not math.isfinite(v) else v)
                    for k, v in p.found._asdict().items()
                },
                "p_corrected": p.p,
                "failed": p.failed,
                "same": p.same,
                "winner": p.winner(self.alpha, self.better[p.metric]),
            }
            for p in self.pairs
        ]
        return {
            "runs": list(self.runs),
            "values": {run: dict(values) for run, values in self.values.items()},
            "pairs": rows,
            "off": dict(self.off),
            "alpha": self.alpha,
            "winners": self.winners(),
            "verdict": self.verdict(),
        }


def compare(
    tables: Mapping[str, Table], *, alpha: float = 0.05, resamples: int = stats.RESAMPLES, seed: int = 0
) -> Comparison:
    """Test every pair of runs on every metric.

    Args:
        tables: run name -> its scores; at least two.
        alpha: level after correction.
        resamples: of bootstrap and permutation.
        seed: of both.

    Raises:
        DataError: the runs hold different questions, or a metric applies to different ones.
    """
    names = tuple(tables)
    if len(names) < 2:
        raise DataError(f"compare: needs at least 2 runs, got {len(names)}.")
    first = tables[names[0]]
    for name in names[1:]:
        same = set(tables[name].ids) & set(first.ids)
        if len(same) != len(first.ids) or len(same) != len(tables[name].ids):
            raise DataError(
                f"compare: {names[0]!r} holds {len(first.ids)} questions and {name!r} {len(tables[name].ids)},"
                f" {len(same)} of them shared. Run both over the same questions."
            )
    off = {m.name: reason for m in first.metrics if (reason := _apart(m, tables))}
    family = [(m, a, b) for m in first.metrics if m.name not in off for a, b in itertools.combinations(names, 2)]
    raw: list[tuple[str, str, str, stats.Paired, int, bool]] = []
    for metric, a, b in family:
        one, other = _column(tables[a], metric.name), _column(tables[b], metric.name)
        before, after = list(one.values()), [other[q] for q in one]
        found = stats.paired(before, after, resamples=resamples, seed=seed, alpha=alpha)
        # What the corrected test can find: its first step asks for alpha / size of the family.
        reach = stats.minimum_detectable(np.subtract(after, before), alpha=alpha / len(family))
        failed = _failed(tables[a], tables[b], metric.name)
        raw.append((metric.name, a, b, found._replace(detectable=reach), failed, before == after))
    adjusted = stats.holm({i: row[3].p for i, row in enumerate(raw)})
    pairs = tuple(Pair(*row[:4], adjusted[i], *row[4:]) for i, row in enumerate(raw))
    values = {
        name: {m.name: float(np.mean(table.of(m.name)[1])) for m in first.metrics if m.name not in off}
        for name, table in tables.items()
    }
    return Comparison(names, values, pairs, off, alpha, {m.name: m.better for m in first.metrics})


def _column(table: Table, metric: str) -> dict[str, float]:
    ids, values = table.of(metric)
    return dict(zip(ids, values.tolist(), strict=True))


def _failed(a: Table, b: Table, metric: str) -> int:
    bad = [{t.ids[i] for i in np.flatnonzero(t.failed[:, t.columns[metric]])} for t in (a, b)]
    return len(bad[0] | bad[1])


def _apart(metric: Metric, tables: Mapping[str, Table]) -> str:
    """Why a metric cannot be compared; "" when it can."""
    sets = [set(table.of(metric.name)[0]) for table in tables.values()]
    if not sets[0]:
        return "it applies to no question"
    if any(s != sets[0] for s in sets):
        sizes = ", ".join(str(len(s)) for s in sets)
        return f"it applies to different questions of the runs ({sizes}); failed questions have no cost"
    return ""


def compare_folders(
    folders: Sequence[str | Path],
    metrics: str | Sequence[str] | None = None,
    *,
    data: Dataset | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare run folders.

    Args:
        folders: of finished runs.
        metrics: names; by default those of the first run's metrics.json.
        data: the dataset; by default where the first run found it.
        alpha: level after correction.
        seed: of bootstrap and permutation.

    Raises:
        DataError: no run folder, runs over other data, or over different questions.
    """
    paths = [Path(f) for f in folders]
    manifests = [open_run(path) for path in paths]
    if len({m["data"] for m in manifests}) > 1:
        raise DataError(f"compare: {paths[0]} and the others were run over different data. Run all over one dataset.")
    found = data or load_dataset(manifests[0]["dataset"])
    if found.digest != manifests[0]["data"]:
        raise DataError(f"compare: {found.folder} has changed since {paths[0]} was run. Run again.")
    if metrics is None:
        try:
            metrics = list(json.loads((paths[0] / "metrics.json").read_text(encoding="utf-8"))["metrics"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{paths[0]}: has no metrics.json that can be read. Finish the run first.") from error
    chosen = parse_all(metrics)
    tables = {name: score_folder(path, found, chosen) for name, path in zip(_names(paths), paths, strict=True)}
    return compare(tables, alpha=alpha, seed=seed)


def _names(paths: Sequence[Path]) -> list[str]:
    """Folder names where they differ, else the paths as given."""
    short = [path.resolve().name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def changes(folders: Sequence[str | Path]) -> list[tuple[str, tuple[str, ...]]]:
    """The settings in which runs differ: `(place, value in each)`, in the order of the first config."""
    flat = []
    for folder in folders:
        path = Path(folder) / "config.resolved.yaml"
        try:
            flat.append(_flat(yaml.safe_load(path.read_text(encoding="utf-8"))))
        except (OSError, yaml.YAMLError) as error:
            raise DataError(f"{path}: cannot be read: {type(error).__name__}.") from error
    places = list(dict.fromkeys(place for one in flat for place in one))
    rows = [(place, tuple(one.get(place, "-") for one in flat)) for place in places]
    return [(place, values) for place, values in rows if len(set(values)) > 1]


def _flat(value: Any, place: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        items = [(f"{place}.{k}" if place else str(k), v) for k, v in value.items()]
    elif isinstance(value, list):
        items = [(f"{place}[{i}]", v) for i, v in enumerate(value)]
    else:
        return {place: str(value)}
    return {k: v for name, inner in items for k, v in _flat(inner, name).items()}
