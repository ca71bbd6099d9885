"""What a notebook shows of a run and of a comparison: means and differences with their intervals, drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evals.report.figures import bar
from rag.display import SHOWN, fold, number, shell, table, told

if TYPE_CHECKING:
    from evals.compare import Comparison, Pair
    from evals.run import Run

__all__ = ["of_comparison", "of_run"]


def of_run(run: Run) -> str:
    """Every metric with its interval; what is off, and which questions failed."""
    rows, off = [], []
    for name, row in run.metrics.items():
        if row["value"] is None:
            off.append(f"{name}: {row.get('off', '')}")
            continue
        drawn = bar(row["value"], row["low"], row["high"], max(1.0, row["high"]))
        ends = f"{number(row['low'])} – {number(row['high'])}"
        rows.append((told(name), number(row["value"]), drawn, ends, str(row["n"]), str(row["failed"])))
    body = table(("metric", "value", "", "95 % interval", "n", "failed"), rows, ("", "n", "w", "n", "n", "n"))
    if off:
        body += fold(f"{len(off)} metrics are off", "<br>".join(told(one) for one in off))
    if run.failed:
        body += fold(f"{len(run.failed)} questions failed", told(", ".join(run.failed[:SHOWN])), opened=True)
    where = "not kept" if run.folder is None else str(run.folder)
    return shell(body, "Run", f"{run.items} questions", where, f"{run.skipped} done before" if run.skipped else "")


def of_comparison(found: Comparison) -> str:
    """The verdict, the means of each run, and every paired difference around zero."""
    metrics = list(dict.fromkeys(pair.metric for pair in found.pairs))
    means = [(told(name), *(number(found.values[run].get(name, math.nan)) for run in found.runs)) for name in metrics]
    widths = {m: max((_reach(p) for p in found.pairs if p.metric == m), default=1.0) or 1.0 for m in metrics}
    rows = [
        (
            told(p.metric),
            told(f"{p.second} − {p.first}"),
            f"{p.found.delta:+.4f}",
            _around(p, widths[p.metric]),
            f"{p.found.low:+.4f} to {p.found.high:+.4f}",
            f"{p.p:.4f}",
            told(p.winner(found.alpha, found.better[p.metric]) or "no winner"),
        )
        for p in found.pairs[: 2 * SHOWN]
    ]
    body = f"<div class=big>{told(found.verdict())}</div>"
    body += table(
        ("metric", "runs", "difference", "", "95 % interval", "p (Holm)", "winner"),
        rows,
        ("", "", "n", "w", "", "n", ""),
    )
    body += fold("means", table(("metric", *found.runs), means, ("", *("n" for _ in found.runs))))
    if found.off:
        body += fold(f"{len(found.off)} metrics are off", "<br>".join(told(f"{k}: {v}") for k, v in found.off.items()))
    return shell(body, "Comparison", " against ".join(found.runs))


def _reach(pair: Pair) -> float:
    return max((abs(x) for x in (pair.found.low, pair.found.high, pair.found.delta) if math.isfinite(x)), default=0.0)


def _around(pair: Pair, reach: float) -> str:
    """A difference and its interval on a scale with zero in the middle."""
    low, high, delta = (
        50 + 48 * min(max(x / reach, -1.0), 1.0) if math.isfinite(x) else 50.0 for x in pair.found[1:3] + pair.found[:1]
    )
    clear = "--teal" if (pair.found.low > 0) == (pair.found.high > 0) and pair.found.delta else "--soft"
    return (
        f'<svg role="img" aria-label="{pair.found.delta:+.4f}, {pair.found.low:+.4f} to {pair.found.high:+.4f}">'
        '<rect x="50%" width="1" height="16" fill="var(--soft)"/>'
        f'<rect x="{low:.2f}%" width="{max(high - low, 0.5):.2f}%" y="7" height="2" fill="var({clear})"/>'
        f'<circle cx="{delta:.2f}%" cy="8" r="4" fill="var({clear})"/></svg>'
    )
