"""What a notebook shows of a run and of a comparison: means and differences with their intervals, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from evals.report.figures import bar
from rag.display import SHOWN, fold, number, shell, table, told
from rag.display import bar as plain_bar
from rag.errors import DataError

if TYPE_CHECKING:
    from evals.attribution import Waterfall
    from evals.compare import Comparison, Pair
    from evals.run import Run
    from evals.sweep import Sweep

__all__ = ["Picture", "budget_curves", "of_comparison", "of_run", "of_sweep", "of_waterfall"]

COLOURS = ("--blue", "--teal", "--amber", "--plum", "--red")
WIDE, HIGH, LEFT, BELOW = 640, 260, 44, 30  # of a plot, in its own units


@dataclass(frozen=True)
class Picture:
    """Something to look at, with the same in words."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


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


def of_waterfall(found: Waterfall) -> str:
    """Questions from all down to those that kept their evidence, each outcome hanging where the one before ended."""
    total = found.questions or 1
    rows = [(told("questions with gold"), str(found.questions), plain_bar(1.0, colour="--soft"), "")]
    for name, gone, left in found.steps():
        where = ", ".join(f"{stage} {n}" for (outcome, stage), n in found.stages.items() if outcome == name)
        rows.append((told(name), str(gone), plain_bar(gone / total, colour="--red", begin=left / total), told(where)))
    at = 0
    for name in ("answered", "in context"):
        if kept := found.counts.get(name, 0):
            rows.append((told(name), str(kept), plain_bar(kept / total, colour="--teal", begin=at / total), ""))
            at += kept
    body = table(("outcome", "questions", "", "stage"), rows, ("", "n", "w", ""))
    return shell(body, "Where evidence was lost", "each question is blamed on the earliest stage that lost a gold span")


def of_sweep(found: Sweep) -> str:
    """Configurations, best first, with what they cost; and the winner on questions that did not choose it."""
    names = list(dict.fromkeys(name for row in found.rows for name in row["values"]))
    rows = [
        (
            "★" if row["front"] else "",
            told(row["name"]),
            told(" ".join(row["changes"])),
            *(_cell(row["values"].get(n)) for n in names),
        )
        for row in found.rows[:SHOWN]
    ]
    body = f"<div class=big>{told(found.verdict)}</div>"
    body += table(("", "name", "settings", *names), rows, ("", "", "", *("n" for _ in names)))
    body += "<p class=soft>★ on the front of the first metric against tokens and seconds</p>"
    for name, held in found.held_out.items():
        if held["value"] is not None:
            ends = f"{number(held['low'])} – {number(held['high'])}"
            body += f"<p>kept apart: {told(name)} {number(held['value'])} ({ends}, n {held['n']})</p>"
    return shell(body, "Sweep", f"{found.calls:,} stage calls", f"{found.saved:,} saved by sharing")


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        if value["value"] is None:
            return "-"
        return f"{number(value['value'])}<div class=soft>{number(value['low'])} – {number(value['high'])}</div>"
    return "-" if value is None else number(value)


def budget_curves(runs: Mapping[str, Run], metric: str = "SpanR") -> Picture:
    """One metric of several runs against tokens of context, with intervals as bands.

    Args:
        runs: name -> a run whose metrics hold `metric@Ntok` for the budgets to show.
        metric: such as SpanR.

    Raises:
        DataError: a run has no such metric.
    """
    points: dict[str, list[tuple[int, float, float, float]]] = {}
    for name, run in runs.items():
        mine = {k: v for k, v in run.metrics.items() if k.startswith(f"{metric}@") and k.endswith("tok")}
        rows = [(int(k[len(metric) + 1 : -3]), v["value"], v["low"], v["high"]) for k, v in mine.items()]
        points[name] = sorted(row for row in rows if row[1] is not None)
        if not points[name]:
            raise DataError(f"run {name!r}: has no {metric}@Ntok. Run it with metrics such as '{metric}@512tok'.")
    budgets = sorted({row[0] for rows in points.values() for row in rows})
    text = "\n".join(
        f"{name}: " + ", ".join(f"{b} tokens {v:.3f} ({low:.3f} to {high:.3f})" for b, v, low, high in rows)
        for name, rows in points.items()
    )
    keys = "".join(
        f'<span><span style="color:var({c})">■</span> {told(name)}</span>'
        for name, c in zip(points, _colours(len(points)), strict=True)
    )
    rows_ = [(told(n), str(b), f"{v:.3f}", f"{lo:.3f} – {hi:.3f}") for n, rs in points.items() for b, v, lo, hi in rs]
    same = fold("the same as a table", table(("run", "tokens", metric, "95 % interval"), rows_, ("", "n", "n", "n")))
    drawn = _plot(points, budgets, f"{metric} against tokens")
    return Picture(shell(f"{drawn}<div class=head>{keys}</div>{same}", metric, "against tokens of context"), text)


def _colours(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _plot(points: Mapping[str, list[tuple[int, float, float, float]]], budgets: list[int], label: str) -> str:
    """The curves as SVG with words beside its axes; budgets evenly spaced, values from 0 to 1."""
    inner = WIDE - LEFT - 16

    def x(budget: int) -> float:
        return LEFT + inner * (budgets.index(budget) + 0.5) / len(budgets)

    def y(value: float) -> float:
        return 10 + (HIGH - BELOW - 10) * (1 - min(max(value, 0.0), 1.0))

    words = 'font-size="12" fill="var(--soft)"'
    shapes = [
        f'<path d="M{LEFT} {y(v):.1f}H{WIDE - 16}" stroke="var(--line)"/><text x="{LEFT - 6}" y="{y(v) + 4:.1f}" '
        f'text-anchor="end" {words}>{v:.2f}</text>'
        for v in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    shapes += [f'<text x="{x(b):.1f}" y="{HIGH - 8}" text-anchor="middle" {words}>{b}</text>' for b in budgets]
    for rows, colour in zip(points.values(), _colours(len(points)), strict=True):
        ends = [f"{x(b):.1f},{y(low):.1f}" for b, _, low, _ in rows]
        ends += [f"{x(b):.1f},{y(high):.1f}" for b, _, _, high in reversed(rows)]
        line = " ".join(f"{x(b):.1f},{y(v):.1f}" for b, v, _, _ in rows)
        shapes.append(f'<polygon points="{" ".join(ends)}" fill="var({colour})" opacity="0.14"/>')
        shapes.append(f'<polyline points="{line}" fill="none" stroke="var({colour})" stroke-width="2"/>')
        shapes += [f'<circle cx="{x(b):.1f}" cy="{y(v):.1f}" r="3.5" fill="var({colour})"/>' for b, v, _, _ in rows]
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" style="height:auto;max-width:{WIDE}px" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(shapes)}</svg>'
    )


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
