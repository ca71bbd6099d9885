"""Many settings over one dataset, at little more than the cost of the stages that differ.

    base: quickstart                    a recipe or a YAML file
    metric: SpanR@512tok                what decides
    metrics: [nDCG@10, EM]              what is shown beside it
    grid:                               every combination; or `list:` of mappings, each one configuration
      stages[1].k: [5, 10]
      stages[2].budget: [256, 512]
    halving: {first: 50, keep: 0.5}     run all on the first 50 questions, keep the better half, double, ...
    holdout: 0.3                        share of questions kept apart: the winner is scored on them alone

Questions are the outer loop, so what a stage gave is shared by all configurations that agree up to it
(`evals.sharing`). Each configuration has a run folder of its own and the sweep continues after a crash.
Halving: Jamieson and Talwalkar, AISTATS 2016, https://arxiv.org/abs/1502.07943, with questions as the budget.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evals import runfolder, score, stats
from evals.asking import ask, tokenizer_of
from evals.datasets import Dataset, Item
from evals.metrics.names import budgets
from evals.observe import Observer
from evals.run import score_folder
from evals.sharing import Memo, Shared, interned, prefixes
from evals.sweepplan import Plan, read_plan
from rag import config
from rag.errors import DataError
from rag.index import shape
from rag.pipeline import Pipeline

__all__ = ["Plan", "Sweep", "read_plan", "sweep"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Args:
        rows: configurations, best first: name, changes, n, values by metric, tokens, seconds, `front`.
        verdict: one line.
        held_out: metric -> value, low, high, n of the winner on the questions kept apart; empty without.
        calls: stage calls made.
        saved: stage calls that sharing saved.
    """

    rows: tuple[Mapping[str, Any], ...]
    verdict: str
    held_out: Mapping[str, Mapping[str, Any]]
    calls: int
    saved: int

    def __repr__(self) -> str:
        return f"Sweep({len(self.rows)} configurations: {self.verdict})"

    def _repr_html_(self) -> str:
        from evals.report.notebook import of_sweep

        return of_sweep(self)


@dataclass(frozen=True, eq=False)
class _Entry:
    """One configuration on its way."""

    name: str
    changes: tuple[str, ...]
    folder: Path
    observe: Observer
    done: set[str]


def sweep(
    plan: Plan,
    data: Dataset,
    out: str | Path,
    *,
    limit: int | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    pipelines: Sequence[Pipeline] | None = None,
) -> Sweep:
    """Run every configuration over the questions and rank them.

    Args:
        plan: from `read_plan`.
        data: the questions.
        out: folder: one run folder a configuration, the indexes, sweep.json.
        limit: only the first questions.
        fresh: start again.
        progress: called with (done, total, label).
        pipelines: already built, one for each of `plan.changes`; by default loaded from `plan.base`.

    Raises:
        DataError: `out` holds another sweep.
    """
    out = Path(out)
    same: dict[str, Any] = {}
    given = pipelines or [config.load(plan.base, set=changes) for changes in plan.changes]
    built = [interned(pipeline, same) for pipeline in given]
    items, apart = split(data.items[:limit], plan.holdout, plan.seed)
    memo = Memo()
    with runfolder.locked(out):
        entries = _entries(plan, built, data, out, memo, fresh=fresh, progress=progress)
        alive, size = entries, plan.first or len(items)
        while True:
            _ask(alive, items[:size], progress)
            if size >= len(items):
                break
            tables = {e.name: _scores(e, data, plan, items[:size]) for e in alive}
            ranked = sorted(alive, key=lambda e: _rank(tables[e.name], plan))
            alive = sorted(ranked[: max(1, round(len(ranked) * plan.keep))], key=lambda e: e.name)
            size = min(2 * size, len(items))
        rows, tables = _rows(entries, data, plan, items)
        verdict = _verdict(rows, tables, plan, len(items))
        held: dict[str, dict[str, Any]] = {}
        if apart and rows:
            best = next(e for e in entries if e.name == rows[0]["name"])
            _ask([best], apart, progress)
            held = score.summary(_scores(best, data, plan, apart), data.has, seed=plan.seed)
        result = Sweep(tuple(rows), verdict, held, memo.calls, memo.saved)
        shown = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(result).items()}
        runfolder.write_json(out / "sweep.json", shown)
        return result


def split(items: Sequence[Item], holdout: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Questions to choose by and questions kept apart, by a seeded hash of their ids."""

    def place(item: Item) -> float:
        return int.from_bytes(hashlib.sha256(f"{seed}\0{item.id}".encode()).digest()[:8], "big") / 2**64

    return [i for i in items if place(i) >= holdout], [i for i in items if place(i) < holdout]


def _entries(
    plan: Plan,
    built: Sequence[Pipeline],
    data: Dataset,
    out: Path,
    memo: Memo,
    *,
    fresh: bool,
    progress: Progress | None,
) -> list[_Entry]:
    indexes: dict[str, Any] = {}
    sizes = budgets(plan.metrics)
    read = any(m.reads and not m.cost for m in plan.metrics)
    entries = []
    for number, (pipeline, changes) in enumerate(zip(built, plan.changes, strict=True)):
        name = f"{number:03d}"
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        written = config.dump(pipeline)
        new = runfolder.manifest(
            config=written, data=data.digest, folder=data.folder.resolve(), budgets=sizes, read=read, seed=plan.seed
        )
        old = None if fresh else runfolder.read_manifest(folder)
        wrong = runfolder.differences(old, new) if old is not None else []
        if wrong:
            raise DataError(
                f"{folder}: holds a run of {', '.join(wrong)}. Choose another --out, or start with --fresh."
            )
        if old is None:
            for file in ("perquery.jsonl", "trace.jsonl"):
                (folder / file).unlink(missing_ok=True)
        runfolder.write_text(folder / "config.resolved.yaml", written)
        runfolder.write_json(folder / "manifest.json", {**new, "changes": list(changes)})
        key = hashlib.sha256(json.dumps(shape(pipeline), sort_keys=True, default=str).encode()).hexdigest()[:12]
        if key not in indexes:
            indexes[key] = pipeline.index([data.corpus], out / f"index-{key}", progress=progress)
        index = replace(indexes[key], pipeline=pipeline)
        shared = Shared(index.bound, prefixes(key, pipeline), memo)
        observe = Observer(shared, index.store.corpus, tokenizer_of(pipeline), sizes, read)
        entries.append(_Entry(name, changes, folder, observe, set(runfolder.finished(folder))))
    return entries


def _ask(entries: Sequence[_Entry], items: Sequence[Item], progress: Progress | None) -> None:
    """Every question once a configuration; one question at a time, so that stages are shared."""
    for count, item in enumerate(items, start=1):
        for entry in entries:
            if item.id in entry.done:
                continue
            record, spans = ask(entry.observe, item)
            with (entry.folder / "trace.jsonl").open("ab") as out:
                runfolder.append(out, spans)
            with (entry.folder / "perquery.jsonl").open("ab") as out:
                runfolder.append(out, record)
            entry.done.add(item.id)
        if progress is not None:
            progress(count, len(items), f"questions x {len(entries)} configurations")


def _scores(entry: _Entry, data: Dataset, plan: Plan, items: Sequence[Item]) -> score.Table:
    return score_folder(entry.folder, data, plan.metrics, {item.id for item in items})


def _rank(table: score.Table, plan: Plan) -> float:
    values = table.of(plan.metric.name)[1]
    mean = float(np.mean(values)) if len(values) else 0.0
    return -mean if plan.metric.better == "high" else mean


def _rows(
    entries: Sequence[_Entry], data: Dataset, plan: Plan, items: Sequence[Item]
) -> tuple[list[dict[str, Any]], dict[str, score.Table]]:
    tables = {entry.name: _scores(entry, data, plan, items) for entry in entries}
    rows: list[dict[str, Any]] = []
    for entry in entries:
        table = tables[entry.name]
        found = score.summary(table, data.has, seed=plan.seed)
        tokens = sum(found[m]["value"] or 0.0 for m in ("Context", "Tokens"))
        row: dict[str, Any] = {
            "name": entry.name,
            "changes": list(entry.changes),
            "n": len(table.ids),
            "values": found,
            "tokens": tokens,
            "seconds": found["Seconds"]["value"] or 0.0,
        }
        rows.append(row)
    rows.sort(key=lambda row: (-row["n"], _rank(tables[row["name"]], plan), row["name"]))
    sign = 1.0 if plan.metric.better == "high" else -1.0
    full = [row for row in rows if row["n"] == rows[0]["n"]]
    for row in rows:
        mine = _quality(row, plan, sign), -row["tokens"], -row["seconds"]
        others = [(_quality(o, plan, sign), -o["tokens"], -o["seconds"]) for o in full if o is not row]
        beaten = any(all(a >= b for a, b in zip(o, mine, strict=True)) and o != mine for o in others)
        row["front"] = row in full and not beaten
    return rows, tables


def _quality(row: Mapping[str, Any], plan: Plan, sign: float) -> float:
    value = row["values"][plan.metric.name]["value"]
    return sign * value if value is not None else float("-inf")


def _verdict(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, score.Table], plan: Plan, items: int) -> str:
    """Whether the best is told apart from every other that ran on all questions."""
    full = [row["name"] for row in rows if row["n"] == items]
    if len(full) < 2:
        return f"{full[0]} was the only one left" if full else "no configuration ran on all questions"
    name = plan.metric.name
    best = dict(zip(*tables[full[0]].of(name), strict=True))
    ps = {}
    for other in full[1:]:
        mine = dict(zip(*tables[other].of(name), strict=True))
        shared = [q for q in best if q in mine]
        ps[other] = stats.permutation_p([best[q] - mine[q] for q in shared], seed=plan.seed)
    close = [other for other, p in stats.holm(ps).items() if not p < 0.05]
    if not close:
        return f"{full[0]} wins by {name}"
    more = f" and {len(close) - 5} more" if len(close) > 5 else ""
    return f"no winner: by {name}, {full[0]} leads but is not told apart from {', '.join(close[:5])}{more}"
