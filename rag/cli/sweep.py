"""`rag sweep`: many settings over one dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Json, Quiet, aligned, emit, number, progress
from rag.cli.eval import Data, Limit


def command(
    config: Annotated[Path, typer.Argument(help="a YAML file with base, metric and grid or list")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="a folder for the runs; continued when it is there")],
    limit: Limit = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw away what the folder holds")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rank configurations by a metric, sharing the stages they have in common."""
    from evals.datasets import load
    from evals.sweep import read_plan, sweep

    plan = read_plan(config)
    with progress(quiet=quiet) as bar:
        found = sweep(plan, load(data), out, limit=limit, fresh=fresh, progress=bar)
    if json:
        emit({**vars(found), "rows": list(found.rows)})
        return
    names = [metric.name for metric in plan.metrics]
    rows = [("", "name", "settings", "n", *names)]
    for row in found.rows:
        cells = (_cell(row, name) for name in names)
        rows.append(("*" if row["front"] else "", row["name"], " ".join(row["changes"]), str(row["n"]), *cells))
    print(aligned(rows))
    print("* on the Pareto front of the metric against tokens and seconds")
    print(found.verdict)
    for name, held in found.held_out.items():
        print(f"kept apart: {name} {held['value']:.3f} ({held['low']:.3f} – {held['high']:.3f}, n {held['n']})")
    print(f"{found.calls} stage calls, {found.saved} more saved by sharing")


def _cell(row: Mapping[str, Any], metric: str) -> str:
    value = row["values"].get(metric)
    if value is None:
        return "-"
    if isinstance(value, dict):
        return (
            "-"
            if value["value"] is None
            else f"{number(value['value'])} [{number(value['low'])}, {number(value['high'])}]"
        )
    return number(value)
