"""Pictures as inline SVG and plain HTML; sizes are shares of the width, so they fit any screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["bar", "curve", "fall", "legend"]

COLOURS = ("--blue", "--teal", "--amber", "--plum")


def _share(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.2f}%"


def bar(value: float, low: float, high: float, top: float = 1.0) -> str:
    """A value as a bar with its interval as a whisker, on a scale from 0 to `top`."""
    top = top or 1.0
    v, a, b = (_share(x / top) for x in (value, low, high))
    width = _share((high - low) / top)
    return (
        f'<svg role="img" aria-label="{value:.3f}, {low:.3f} to {high:.3f}"><rect width="100%" height="6" y="6" rx="3" '
        f'fill="var(--line)"/><rect width="{v}" height="6" y="6" rx="3" fill="var(--blue)"/>'
        f'<rect x="{a}" y="8" width="{width}" height="2" fill="var(--ink)"/>'
        f'<rect x="{a}" y="4" width="1.5" height="10" fill="var(--ink)"/>'
        f'<rect x="{b}" y="4" width="1.5" height="10" fill="var(--ink)"/></svg>'
    )


def fall(data: Mapping[str, Any], steps: Sequence[tuple[str, int, int]]) -> str:
    """The attribution waterfall: each bar hangs where the one before ended."""
    total = data["questions"] or 1
    rows = [_step("questions with gold", 0, data["questions"], total=total, colour="--soft", outcome=None)]
    for name, gone, left in steps:
        rows.append(_step(name, left, gone, total=total, colour="--red", outcome=name))
    at = 0
    for name in ("answered", "in context"):
        kept = data["counts"].get(name, 0)
        if kept:
            rows.append(_step(name, at, kept, total=total, colour="--teal", outcome=name))
            at += kept
    return f'<div class="fall">{"".join(rows)}</div>'


def _step(label: str, begin: int, size: int, *, total: int, colour: str, outcome: str | None) -> str:
    text = escape(label)
    head = f'<button data-outcome="{escape(outcome)}">{text}</button>' if outcome else f"<span>{text}</span>"
    return (
        f'{head}<svg role="img" aria-label="{text}: {size} of {total}"><rect x="{_share(begin / total)}" y="2" '
        f'width="{_share(size / total)}" height="16" rx="2" fill="var({colour})"/></svg>'
        f"<span>{size} <span class=soft>({size / total:.1%})</span></span>"
    )


def curve(rows: Sequence[Mapping[str, Any]]) -> str:
    """Metrics against tokens of context, budgets evenly spaced, intervals as bands."""
    budgets = [p["budget"] for p in rows[0]["points"]] if rows else []
    if not budgets:
        return ""
    place = {b: (i + 0.5) / len(budgets) for i, b in enumerate(budgets)}
    shapes, labels = [], []
    for step in (0.25, 0.5, 0.75, 1.0):
        y = 100 * (1 - step)
        shapes.append(
            f'<path d="M0 {y}H100" stroke="var(--line)" vector-effect="non-scaling-stroke" stroke-width="1"/>'
        )
        labels.append(f'<span class="y" style="left:0;bottom:{100 * step}%">{step:.2f}</span>')
    labels += [f'<span style="left:{100 * place[b]}%;top:100%">{b}</span>' for b in budgets]
    for row, colour in zip(rows, COLOURS, strict=False):
        points = [p for p in row["points"] if p["value"] is not None]
        xy = [(100 * place[p["budget"]], *(100 * (1 - p[k]) for k in ("value", "low", "high"))) for p in points]
        line = " ".join(f"{x:.2f},{y:.2f}" for x, y, _, _ in xy)
        low = [f"{x:.2f},{y:.2f}" for x, _, y, _ in xy]
        high = [f"{x:.2f},{y:.2f}" for x, _, _, y in reversed(xy)]
        shapes.append(f'<polygon points="{" ".join(low + high)}" fill="var({colour})" opacity=".15"/>')
        shapes.append(
            f'<polyline points="{line}" fill="none" stroke="var({colour})" stroke-width="2" '
            'vector-effect="non-scaling-stroke"/>'
        )
        shapes += [
            f'<path d="M{x:.2f} {y:.2f}h.01" stroke="var({colour})" stroke-width="8" stroke-linecap="round" '
            'vector-effect="non-scaling-stroke"/>'
            for x, y, _, _ in xy
        ]
    svg = (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="curves">{"".join(shapes)}</svg>'
    )
    return f'<div class="plot">{svg}{"".join(labels)}</div>{legend([r["metric"] for r in rows])}'


def legend(names: Sequence[str]) -> str:
    """Colour keys, in words."""
    keys = (
        f'<span><i style="background:var({c})"></i>{escape(n)}</span>' for n, c in zip(names, COLOURS, strict=False)
    )
    return f'<div class="key">{"".join(keys)}</div>'
