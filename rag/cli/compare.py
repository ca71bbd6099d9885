"""`rag compare`: which of several runs is better, if any is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Json, aligned, emit
from rag.cli.completing import runs as completed
from rag.cli.eval import Metrics, Seed


def command(
    runs: Annotated[
        list[Path], typer.Argument(help="folders of finished runs over the same questions", autocompletion=completed)
    ],
    metrics: Metrics = None,
    alpha: Annotated[float, typer.Option(min=1e-6, max=0.5, help="level, after Holm's correction")] = 0.05,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Paired tests on every metric, corrected, with the smallest difference these questions can show."""
    from evals.compare import changes, compare_folders

    found = compare_folders(runs, metrics, alpha=alpha, seed=seed)
    shown = found.json()
    differ = changes(runs)
    if json:
        emit({**shown, "changes": [{"setting": place, "values": values} for place, values in differ]})
        return
    for place, values in differ:
        print(f"{place}: {' | '.join(values)}")
    rows = [("metric", "runs", "difference", "95 % interval", "p", "p corrected", "detectable", "winner")]
    for row in shown["pairs"]:
        pair = f"{row['first']} -> {row['second']}"
        between = f"{row['low']:+.3f} … {row['high']:+.3f}"
        reach = "-" if row["detectable"] is None else f"{row['detectable']:.3f}"
        difference = f"{row['delta']:+.3f}"
        tests = (f"{row['p']:.4f}", f"{row['p_corrected']:.4f}")
        rows.append(
            (
                row["metric"],
                pair,
                difference,
                between,
                *tests,
                reach,
                row["winner"] or ("identical" if row["same"] else "no winner"),
            )
        )
    print(aligned(rows))
    for metric, reason in shown["off"].items():
        print(f"{metric}: not compared: {reason}")
    print(found.verdict())
