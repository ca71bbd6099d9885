"""`rag eval`: run and score a dataset in one step, keeping nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Allow, Json, Quiet, Set, aligned, emit, number, progress, say
from rag.cli.completing import configs, datasets

Data = Annotated[
    Path,
    typer.Option(
        "--data", "-d", help="a dataset folder: corpus.jsonl, queries.jsonl, qrels, spans", autocompletion=datasets
    ),
]
Metrics = Annotated[str | None, typer.Option("--metrics", "-m", help="such as 'R@5,nDCG@10,SpanR@512tok'")]
Limit = Annotated[int | None, typer.Option(min=1, help="only the first questions")]
Workers = Annotated[int, typer.Option(min=1, help="questions answered at once")]
Seed = Annotated[int, typer.Option(help="of the bootstrap")]


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    data: Data,
    metrics: Metrics = None,
    limit: Limit = None,
    workers: Workers = 1,
    seed: Seed = 0,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a pipeline over a dataset and print each metric with n, failed and a 95 % interval."""
    from evals.datasets import load as load_dataset
    from evals.run import evaluated
    from rag.config import load

    pipeline = load(config, set=set, allow=allow)
    dataset = load_dataset(data)
    with progress(quiet=quiet) as bar:
        done = evaluated(pipeline, dataset, metrics, limit=limit, workers=workers, seed=seed, progress=bar)
    told(dataset, quiet=quiet)
    report(done.metrics, done.failed, json=json, quiet=quiet)


def told(dataset: Any, *, quiet: bool) -> None:
    """Say what is wrong with a dataset that can be run nevertheless."""
    if dataset.problems:
        one, count = dataset.problems[0], len(dataset.problems)
        say(
            f"rag: {dataset.folder}: {count} problem{'s' * (count > 1)}, the first {one.file}:{one.line}: {one.kind}:"
            f" {one.detail}. `rag data check {dataset.folder}` lists all.",
            quiet=quiet,
        )


def report(metrics: dict[str, Any], failed: tuple[str, ...], *, json: bool, quiet: bool, where: str = "") -> None:
    """Print the metrics; say what is switched off and what failed, and exit 1 if anything did."""
    if json:
        emit(metrics)
    else:
        print(table(metrics))
    for name, row in metrics.items():
        if row.get("off"):
            say(f"rag: {name}: off: {row['off']}", quiet=quiet)
    if failed:
        shown = ", ".join(failed[:5]) + (", …" if len(failed) > 5 else "")
        say(f"rag: {len(failed)} questions failed: {shown}{where}", quiet=quiet)
        raise typer.Exit(1)


def table(metrics: dict[str, Any]) -> str:
    """Metric, value, interval, n and failed as aligned text."""
    rows = [("metric", "value", "95 % interval", "n", "failed")]
    for name, row in metrics.items():
        if row["value"] is None:
            continue
        around = f"{number(row['low'])} – {number(row['high'])}"
        rows.append((name, number(row["value"]), around, str(row["n"]), str(row["failed"])))
    return aligned(rows)
