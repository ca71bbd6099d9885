"""`rag run`: a batch over a dataset, kept in a folder that can be stopped and continued."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Allow, Json, Quiet, Set, emit, progress, say, stoppable
from rag.cli.completing import configs
from rag.cli.eval import Data, Limit, Metrics, Seed, Workers, report, told


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the run's folder")] = None,
    metrics: Metrics = None,
    limit: Limit = None,
    workers: Workers = 1,
    seed: Seed = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw away what the folder holds")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="say what it would take; run nothing")] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="keeps stages for other runs; default beside --out")
    ] = None,
    cache_gib: Annotated[
        float, typer.Option(min=0, help="what that folder may grow to, oldest out first; 0: any")
    ] = 8.0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="neither read nor keep stages of other runs")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="run failed questions again")] = False,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer every question of a dataset; a second start skips what is done."""
    from evals.datasets import load as load_dataset
    from evals.run import run
    from rag.config import load
    from rag.errors import ConfigError

    pipeline = load(config, set=set, allow=allow)
    dataset = load_dataset(data)
    if plan:
        _plan(pipeline, dataset, limit, json=json)
        return
    if out is None:
        raise ConfigError("--out: a run needs a folder to keep its results in. Give one: --out runs/first.")
    kept = f"answers that are done are kept in {out}: the same command goes on from there."
    with stoppable(kept), progress(quiet=quiet) as bar:
        done = run(
            pipeline,
            dataset,
            out,
            metrics=metrics,
            limit=limit,
            workers=workers,
            seed=seed,
            fresh=fresh,
            retry=retry,
            progress=bar,
            cache=None if no_cache else cache or out.parent / ".stages",
            cache_gib=cache_gib,
        )
    told(dataset, quiet=quiet)
    for stage in done.reuse:
        why = f", ran {stage.ran}: {stage.why}" if stage.ran else ""
        say(f"rag: {stage.place} ({stage.name}): reused {stage.reused}{why}", quiet=quiet)
    asked = f"{done.items} question{'s' * (done.items != 1)}, {done.skipped} of them done before"
    say(f"rag: {asked}; in {out}. A page of it: rag report {out}", quiet=quiet)
    report(done.metrics, done.failed, json=json, quiet=quiet, where=f"; listed in {out / 'failures.jsonl'}")


def _plan(pipeline: Any, dataset: Any, limit: int | None, *, json: bool) -> None:
    from dataclasses import asdict

    from evals.plan import estimate

    expected = asdict(estimate(pipeline, dataset, limit=limit))
    if json:
        emit(expected)
        return
    for name, value in expected.items():
        print(f"{name.replace('_', ' '):<18} {value:,.0f}" if name != "cost" else f"{name:<18} {value:,.2f}")
