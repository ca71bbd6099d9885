"""Run a pipeline over a dataset into a folder that can be stopped at any instant and continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evals import runfolder, score
from evals.asking import Mapper, answer_all
from evals.cache import Reuse, StageCache, ground
from evals.cachesize import GIB
from evals.datasets import Dataset
from evals.metrics.names import Metric, budgets, default, parse_all
from rag import config, pool
from rag.errors import DataError
from rag.index import Index
from rag.pipeline import Pipeline

__all__ = ["Mapper", "Progress", "Run", "answer_all", "evaluate", "open_run", "run"]

Progress = Callable[[int, int, str], None]
FILES = (
    "perquery.jsonl",
    "trace.jsonl",
    "run.trec",
    "metrics.json",
    "failures.jsonl",
    "report.html",
    "manifest.json",
    "cache.json",
)


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Args:
        folder: where it lies; None when it was not kept.
        metrics: `{metric: {"value", "low", "high", "n", "failed"}}`.
        items: questions that were run.
        failed: ids of questions that failed.
        skipped: questions that were already done.
        reuse: by stage, what came from the cache and why the rest did not; empty without a cache.
    """

    folder: Path | None
    metrics: dict[str, dict[str, Any]]
    items: int
    failed: tuple[str, ...]
    skipped: int = 0
    reuse: tuple[Reuse, ...] = ()

    def __repr__(self) -> str:
        return f"Run({self.items} questions, {len(self.failed)} failed, {self.folder or 'not kept'})"

    def _repr_html_(self) -> str:
        from evals.report.notebook import of_run

        return of_run(self)


def run(
    pipeline: Pipeline,
    data: Dataset,
    out: str | Path,
    *,
    metrics: str | Sequence[str] | None = None,
    limit: int | None = None,
    workers: int = 1,
    seed: int = 0,
    fresh: bool = False,
    retry: bool = False,
    read: bool = True,
    index: Index | None = None,
    progress: Progress | None = None,
    mapper: Mapper | None = None,
    cache: str | Path | None = None,
    cache_gib: float = 8.0,
) -> Run:
    """Answer every question of a dataset, keep each as it is done, and score them all.

    Args:
        pipeline: unbound; its index is built in `out/index`, or continued there.
        data: the questions.
        out: the run's folder; a second start skips what is done.
        metrics: names; by default those the dataset has gold for.
        limit: only the first questions.
        workers: threads; results do not depend on them.
        seed: of the bootstrap; stages have seeds of their own.
        fresh: throw away what the folder holds.
        retry: run failed questions again.
        read: whether the reader runs.
        index: an index that is there already; must have been built by this pipeline from this data.
        progress: called with (done, total, label).
        mapper: spreads the questions instead of threads.
        cache: folder where what stages gave is kept for other runs, and the index with it; None keeps nothing.
        cache_gib: what it may grow to; beyond, what was not used for longest goes when a run ends. 0 sets no limit.

    Raises:
        DataError: the folder holds a run of another config, data or version, or is being written.
    """
    folder = Path(out)
    chosen = parse_all(metrics) if metrics is not None else default(data.has, reads=read and pipeline.reads)
    sizes = budgets(chosen)
    written = config.dump(pipeline)
    new = runfolder.manifest(
        config=written, data=data.digest, folder=data.folder.resolve(), budgets=sizes, read=read, seed=seed
    )
    items = data.items[:limit]
    with runfolder.locked(folder):
        _take(folder, new, fresh=fresh)
        runfolder.write_text(folder / "config.resolved.yaml", written)
        runfolder.write_json(folder / "manifest.json", new)
        done = runfolder.finished(folder, retry=retry)
        skip = set(done)
        todo = [item for item in items if item.id not in skip]
        reuse: tuple[Reuse, ...] = ()
        if todo:
            facts = {} if cache is None else ground(pipeline, data, new["code"], new["versions"])
            kept = None if cache is None else StageCache(Path(cache), int(cache_gib * GIB) or None)
            where = folder / "index" if kept is None else kept.index_folder(facts)
            with nullcontext() if kept is None else closing(kept):
                ready = index or pipeline.index([data.corpus], where, workers=workers, progress=progress)
                subject = None if kept is None else kept.over(ready, facts)
                spread = mapper or partial(pool.ordered, workers=workers)
                results = answer_all(ready, todo, sizes=sizes, read=read, mapper=spread, subject=subject)
                _append(folder, results, len(done), len(items), progress)
            if subject is not None:
                reuse = subject.reuse()
                runfolder.write_json(folder / "cache.json", {"folder": str(cache), "stages": [r.json() for r in reuse]})
            if retry:
                _sort(folder, data)
        wanted = {item.id for item in items}
        done_ = _finish(folder, data, chosen, wanted=wanted, skipped=len(items) - len(todo), seed=seed)
        return replace(done_, reuse=reuse)


def _take(folder: Path, new: dict[str, Any], *, fresh: bool) -> None:
    """Make the folder this run's, or refuse."""
    if fresh:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "index", ignore_errors=True)
    old = runfolder.read_manifest(folder)
    if old is None and (folder / "perquery.jsonl").exists():
        raise DataError(f"{folder}: has results but no manifest.json. Start with --fresh, or choose another --out.")
    wrong = runfolder.differences(old, new) if old is not None else []
    if wrong:
        raise DataError(
            f"{folder}: holds a run of {', '.join(wrong)}. Choose another --out, or start with --fresh to replace it."
        )


def _append(
    folder: Path,
    results: Iterator[tuple[dict[str, Any], dict[str, Any]]],
    before: int,
    total: int,
    progress: Progress | None,
) -> None:
    with (folder / "perquery.jsonl").open("ab") as out, (folder / "trace.jsonl").open("ab") as traces:
        for count, (record, spans) in enumerate(results, start=before + 1):
            runfolder.append(traces, spans)
            runfolder.append(out, record)
            if progress is not None:
                progress(count, total, "questions")


def _sort(folder: Path, data: Dataset) -> None:
    """Put the lines back into the order of the dataset after failed ones were run again."""
    for name in ("perquery.jsonl", "trace.jsonl"):
        by_id = {line["id"]: line for line in runfolder.lines(folder / name)}
        rows = [json.dumps(by_id[i.id], separators=(",", ":")) + "\n" for i in data.items if i.id in by_id]
        runfolder.write_text(folder / name, "".join(rows))


def _finish(
    folder: Path, data: Dataset, metrics: Sequence[Metric], *, wanted: set[str], skipped: int, seed: int
) -> Run:
    table = score_folder(folder, data, metrics, wanted)
    found = score.summary(table, data.has, seed=seed)
    failed = tuple(q for q, metric, _ in table.errors if not metric)
    rows = [{"id": q, "metric": metric, "reason": reason} for q, metric, reason in table.errors]
    runfolder.write_text(folder / "failures.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    runfolder.write_text(folder / "run.trec", "".join(_trec(folder)))
    runfolder.write_json(
        folder / "metrics.json",
        {"metrics": found, "items": len(table.ids), "failed": len(failed), "problems": dict(data.counts())},
    )
    return Run(folder, found, len(table.ids), failed, skipped)


def _trec(folder: Path) -> Iterator[str]:
    """TREC lines whose scores fall with the rank, so that trec_eval sees our order and no ties."""
    for line in runfolder.lines(folder / "perquery.jsonl"):
        for rank, doc in enumerate(line["ranking"], start=1):
            yield f"{line['id']} Q0 {doc} {rank} {len(line['ranking']) - rank + 1} ragtree\n"


def score_folder(folder: Path, data: Dataset, metrics: Sequence[Metric], wanted: set[str] | None = None) -> score.Table:
    """Score the lines of a run folder, read one at a time."""
    took = runfolder.seconds(folder)
    lines = (line for line in runfolder.lines(folder / "perquery.jsonl") if wanted is None or line["id"] in wanted)
    return score.score(((line, took.get(line["id"])) for line in lines), data, metrics)


def open_run(folder: str | Path) -> dict[str, Any]:
    """The manifest of a run folder.

    Raises:
        DataError: it is no run folder, or one of another format.
    """
    found = runfolder.read_manifest(Path(folder))
    if found is None:
        why = "it has no manifest.json" if Path(folder).is_dir() else "no such folder"
        raise DataError(
            f"{folder}: is not the folder of a run: {why}. Make one with `rag run CONFIG --data DIR --out {folder}`."
        )
    if found["format"] != runfolder.FORMAT:
        raise DataError(
            f"{folder}: has format {found['format']!r}, this version reads {runfolder.FORMAT}. Run it again."
        )
    return found


def evaluate(
    pipeline: Pipeline,
    data: Dataset,
    metrics: str | Sequence[str] | None = None,
    *,
    limit: int | None = None,
    workers: int = 1,
    seed: int = 0,
    index: Index | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Run and score in one step, keeping nothing: `{metric: {"value", "low", "high", "n", "failed"}}`.

    The reader runs only when a metric asks for its answer. Other arguments as in `run`.
    """
    return evaluated(
        pipeline, data, metrics, limit=limit, workers=workers, seed=seed, index=index, progress=progress
    ).metrics


def evaluated(
    pipeline: Pipeline,
    data: Dataset,
    metrics: str | Sequence[str] | None = None,
    *,
    limit: int | None = None,
    workers: int = 1,
    seed: int = 0,
    index: Index | None = None,
    progress: Progress | None = None,
) -> Run:
    """As `evaluate`, with the ids that failed."""
    chosen = parse_all(metrics) if metrics is not None else default(data.has, reads=pipeline.reads)
    items = data.items[:limit]
    ready = index or pipeline.index([data.corpus], workers=workers, progress=progress)
    results = answer_all(
        ready,
        items,
        sizes=budgets(chosen),
        read=any(m.reads for m in chosen),
        mapper=partial(pool.ordered, workers=workers),
    )

    def lines() -> Iterator[tuple[dict[str, Any], float]]:
        for count, (record, spans) in enumerate(results, start=1):
            if progress is not None:
                progress(count, len(items), "questions")
            yield record, spans["seconds"]

    table = score.score(lines(), data, chosen)
    failed = tuple(q for q, metric, _ in table.errors if not metric)
    return Run(None, score.summary(table, data.has, seed=seed), len(table.ids), failed)
