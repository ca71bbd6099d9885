"""Facts to one HTML page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from evals.attribution import KEPT, OUTCOMES
from evals.report.figures import bar, curve, fall
from evals.report.style import CSS, SCRIPT

__all__ = ["html"]


def html(facts: Mapping[str, Any], compared: Mapping[str, Any] | None = None) -> str:
    """The page.

    Args:
        facts: from `gather`.
        compared: `{"comparison": Comparison.json(), "changes": [...]}` when runs are compared.
    """
    parts = [
        _head(facts),
        _headline(facts),
        _compared(compared) if compared else "",
        _curves(facts),
        _waterfall(facts),
        _types(facts),
        _stages(facts),
        _questions(facts),
        _about(facts),
    ]
    title = escape(f"{facts['title']} on {facts['dataset']}")
    data = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    data = data.encode("utf-8", "replace").decode("utf-8").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    body = "".join(parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{CSS}</style></head><body><main>{body}</main>"
        f'<script type="application/json" id="data">{data}</script><script>{SCRIPT}</script></body></html>\n'
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    top = "".join(f"<th{' class=n' if i in numbers else ''}>{escape(h)}</th>" for i, h in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i in numbers else ''}>{c}</td>" for i, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value >= 0.01 or value == 0 else f"{value:.2g}"


def _head(facts: Mapping[str, Any]) -> str:
    failed = f", <b>{facts['failed']} failed</b>" if facts["failed"] else ", none failed"
    problems = "; ".join(f"{n} {escape(kind)}" for kind, n in facts["problems"].items())
    wrong = f"<p class=soft>Left out of the dataset: {problems}.</p>" if problems else ""
    return (
        f"<header><h1>{escape(facts['title'])}</h1><p class=soft>{escape(facts['dataset'])}, "
        f"{facts['items']} questions{failed}. Intervals are 95 % bootstrap over questions.</p>{wrong}</header>"
    )


def _headline(facts: Mapping[str, Any]) -> str:
    rows, off = [], []
    for m in facts["metrics"]:
        if m["value"] is None:
            off.append(f"{escape(m['name'])}: {escape(m.get('off', ''))}")
            continue
        top = 1.0 if m["high"] <= 1.0 else m["high"]
        value, ends = _number(m["value"]), f"{_number(m['low'])} – {_number(m['high'])}"
        name = f"<span title='{escape(m['says'], quote=True)}'>{escape(m['name'])}</span>"
        cell = f"<div class=bar>{bar(m['value'], m['low'], m['high'], top)}</div>"
        rows.append((name, value, cell, ends, str(m["n"]), str(m["failed"])))
    none = f"<p class=soft>Off: {'; '.join(off)}.</p>" if off else ""
    table = _table(("metric", "value", "", "interval", "n", "failed"), rows, numbers=(1, 4, 5))
    return f"<section><h2>Scores</h2>{table}{none}</section>"


def _curves(facts: Mapping[str, Any]) -> str:
    if not facts["curves"]:
        return ""
    rows = [
        (escape(c["metric"]), str(p["budget"]), f"{p['value']:.3f}", f"{p['low']:.3f} – {p['high']:.3f}", str(p["n"]))
        for c in facts["curves"]
        for p in c["points"]
        if p["value"] is not None
    ]
    data = _table(("metric", "tokens", "value", "interval", "n"), rows, numbers=(1, 2, 4))
    return (
        "<section><h2>Evidence against tokens</h2><p class=soft>Each point is the pipeline run with that budget; "
        f"bands are intervals.</p><figure style='margin:0'>{curve(facts['curves'])}</figure>"
        f"<details><summary>The same as a table</summary>{data}</details></section>"
    )


def _waterfall(facts: Mapping[str, Any]) -> str:
    found = facts["waterfall"]
    if not found["questions"]:
        return "<section><h2>Where evidence was lost</h2><p class=soft>The dataset has no gold spans.</p></section>"
    left, steps = found["questions"], []
    for name in OUTCOMES:
        if name not in KEPT and found["counts"].get(name):
            left -= found["counts"][name]
            steps.append((name, found["counts"][name], left))
    rows = [(escape(r["outcome"]), escape(r["stage"]), str(r["questions"])) for r in found["stages"]]
    for budget, other in facts["waterfalls"].items():
        rows += [(f"{escape(n)} at {budget} tokens", "", str(c)) for n, c in other["counts"].items()]
    data = _table(("outcome", "stage", "questions"), rows, numbers=(2,))
    return (
        "<section><h2>Where evidence was lost</h2><p class=soft>Each question is blamed on the earliest stage that "
        f"lost a gold span for good. Choose an outcome to see its questions.</p>{fall(found, steps)}"
        f"<details><summary>The same as a table, by stage and budget</summary>{data}</details></section>"
    )


def _types(facts: Mapping[str, Any]) -> str:
    if not facts["types"]:
        return ""
    names = list(dict.fromkeys(n for row in facts["types"] for n in row["values"]))
    rows = []
    for row in facts["types"]:
        cells = [
            f"<span title='{v[1]:.3f} to {v[2]:.3f}'>{v[0]:.3f}</span>" if (v := row["values"].get(n)) else ""
            for n in names
        ]
        rows.append((escape(row["type"]), str(row["questions"]), *cells))
    table = _table(("type", "n", *names), rows, numbers=range(1, len(names) + 2))
    return f"<section><h2>By type of question</h2>{table}</section>"


def _stages(facts: Mapping[str, Any]) -> str:
    rows = []
    total = sum(s["sum"] for s in facts["stages"] if s["place"]) or 1.0
    for s in facts["stages"]:
        share = s["sum"] / total
        cells = [f"{1000 * s[k]:,.2f}" for k in ("p50", "p95", "p99")]
        says = {"tokens_out": "in context"} if s["place"] else {"tokens_in": "in", "tokens_out": "out"}
        cost = ", ".join(f"{s[k]:,.0f} {word}" for k, word in says.items() if k in s)
        cost += f", cost {s['cost']:.4f}" if "cost" in s else ""
        drawn = f"<div class=bar>{bar(share, share, share)}</div>" if s["place"] else ""
        rows.append((escape(s["name"]), str(s["n"]), *cells, f"{s['sum']:.2f}", drawn, escape(cost)))
    heads = ("stage", "n", "p50 ms", "p95 ms", "p99 ms", "sum s", "share", "tokens")
    return f"<section><h2>Time and cost by stage</h2>{_table(heads, rows, numbers=range(1, 6))}</section>"


def _questions(facts: Mapping[str, Any]) -> str:
    return (
        "<section id=page hidden></section><section id=questions class=noprint><h2>Questions</h2>"
        "<p><select id=outcome aria-label=Outcome><option value=''>every outcome</option></select> "
        "<input id=find type=search placeholder='words or id' aria-label='Find a question'> "
        "<span id=count class=soft></span></p><div id=list class=list></div></section>"
    )


def _about(facts: Mapping[str, Any]) -> str:
    manifest = json.dumps(facts["manifest"], indent=1, ensure_ascii=False)
    return (
        f"<section><details><summary>Config</summary><pre>{escape(facts['config'])}</pre></details>"
        f"<details><summary>Manifest</summary><pre>{escape(manifest)}</pre></details></section>"
    )


def _compared(compared: Mapping[str, Any]) -> str:
    found = compared["comparison"]
    rows = [
        (
            escape(p["metric"]),
            escape(f"{p['second']} - {p['first']}"),
            f"{p['delta']:+.4f}",
            f"{p['low']:+.4f} – {p['high']:+.4f}",
            f"{p['p_corrected']:.4f}",
            "" if p["detectable"] is None else f"{p['detectable']:.4f}",
            escape(p["winner"] or "no winner"),
        )
        for p in found["pairs"]
    ]
    heads = ("metric", "runs", "difference", "interval", "p (Holm)", "detectable", "winner")
    changed = [(escape(place), *map(escape, values)) for place, values in compared["changes"]]
    diff = _table(("setting", *map(str, found["runs"])), changed) if changed else "<p>The configs are equal.</p>"
    return (
        f"<section><h2>Compared</h2><p><b>{escape(found['verdict'])}</b></p>"
        f"{_table(heads, rows, numbers=range(2, 6))}<h2>What differs</h2>{diff}</section>"
    )
