"""What a notebook shows of hits, answers, pipelines and indexes: local HTML with inline SVG, no script.

Each function gives a fragment that carries its own style, fetches nothing and reads in light and dark. Every text is
escaped and stands in an element that isolates its direction, so that a document can neither add markup nor turn the
line around it. Objects call these from `_repr_html_`; where there is no HTML their short `repr` is shown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rag.trace import TraceSpan
    from rag.types import Answer, Citation, Hit, Hits

__all__ = ["Box", "answer", "bar", "facts", "flow", "fold", "histogram", "hits", "number", "shell", "table", "told"]

SHOWN = 50  # rows of a table
LONG = 600  # characters of one text
AROUND = 160  # characters on either side of a quotation
STYLE = """
.rag-look{--paper:#fbfaf7;--card:#fff;--ink:#1d232a;--soft:#5d6570;--line:#d9d4c8;--blue:#2a6fbb;--teal:#0f766e;
--red:#b3362a;--amber:#9a6412;--plum:#7d46ad;--mark:#fde68a;color:var(--ink);background:var(--paper);
border:1px solid var(--line);border-radius:8px;padding:12px 14px;margin:4px 0;max-width:62rem;
font:14px/1.5 system-ui,sans-serif;overflow-wrap:anywhere;text-align:left}
@media(prefers-color-scheme:dark){.rag-look{--paper:#16181b;--card:#1e2124;--ink:#e6e3dc;--soft:#9aa2ad;--line:#373b41;
--blue:#6ea8e5;--teal:#5eead4;--red:#ef7a6c;--amber:#e0a94a;--plum:#c39bee;--mark:#6b4e00}}
[data-jp-theme-light=false] .rag-look,.vscode-dark .rag-look,html[theme=dark] .rag-look{--paper:#16181b;--card:#1e2124;
--ink:#e6e3dc;--soft:#9aa2ad;--line:#373b41;--blue:#6ea8e5;--teal:#5eead4;--red:#ef7a6c;--amber:#e0a94a;--plum:#c39bee;
--mark:#6b4e00}
[data-jp-theme-light=true] .rag-look,.vscode-light .rag-look,html[theme=light] .rag-look{--paper:#fbfaf7;--card:#fff;
--ink:#1d232a;--soft:#5d6570;--line:#d9d4c8;--blue:#2a6fbb;--teal:#0f766e;--red:#b3362a;--amber:#9a6412;--plum:#7d46ad;
--mark:#fde68a}
.rag-look .head{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;margin-bottom:6px}
.rag-look .head b{font-size:15px}.rag-look .soft{color:var(--soft);font-size:12.5px}
.rag-look .chip{border:1px solid currentColor;border-radius:1em;padding:0 .6em;font-size:12px;color:var(--teal)}
.rag-look .chip.no{color:var(--amber)}
.rag-look .big{font-size:17px;line-height:1.4;margin:4px 0 8px;white-space:pre-wrap}
.rag-look .wide{overflow-x:auto}
.rag-look table{table-layout:auto!important}
.rag-look table{border-collapse:collapse;width:100%;margin:2px 0;font:inherit;font-variant-numeric:tabular-nums;
color:inherit;background:none;border:0}
.rag-look tr{background:none!important}
.rag-look th,.rag-look td{text-align:left!important;vertical-align:top;padding:4px 12px 4px 0;border:0;
border-bottom:1px solid var(--line);background:none;color:inherit;white-space:normal;max-width:none}
.rag-look th{color:var(--soft);font-weight:600;font-size:12.5px}
.rag-look td.n,.rag-look th.n{text-align:right!important;white-space:nowrap}
.rag-look td.at{min-width:9rem}.rag-look td.text{min-width:16rem;width:60%;white-space:pre-wrap}
.rag-look td.w{min-width:90px;width:18%}
.rag-look svg{display:block;width:100%;height:16px}
.rag-look details{margin:4px 0}.rag-look summary{cursor:pointer;color:var(--soft);font-size:13px}
.rag-look summary:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
.rag-look mark{background:var(--mark);color:inherit}
.rag-look blockquote{margin:4px 0 8px;padding:2px 0 2px 12px;border-left:3px solid var(--line);white-space:pre-wrap;
color:inherit;font-size:inherit}
.rag-look .flow{display:flex;flex-wrap:wrap;gap:6px;align-items:flex-start}
.rag-look .flow>.arrow{color:var(--soft);padding-top:7px}
.rag-look .box{background:var(--card);border:1px solid var(--line);border-top:3px solid var(--soft);border-radius:6px;
padding:4px 10px;margin:0;max-width:100%}
.rag-look .box summary{color:var(--ink)}.rag-look .box .kind{display:block;color:var(--soft);font-size:11.5px}
.rag-look .chunker,.rag-look .grower{border-top-color:var(--plum)}.rag-look .retriever{border-top-color:var(--blue)}
.rag-look .reranker{border-top-color:var(--amber)}.rag-look .compressor{border-top-color:var(--teal)}
.rag-look .reader{border-top-color:var(--red)}
"""


def shell(body: str, title: str = "", *notes: str) -> str:
    """The fragment: style, a head with a title and short facts (text, escaped here), and the body (HTML)."""
    said = "".join(f"<span class=soft>{told(note)}</span>" for note in notes if note)
    head = f"<div class=head><b>{told(title)}</b>{said}</div>" if title or said else ""
    whole = f"<style>{STYLE}</style><div class=rag-look>{head}{body}</div>"
    return whole.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be sent to a browser


def told(text: Any, most: int = LONG) -> str:
    """A text as HTML: escaped, cut, and with a direction of its own."""
    plain = str(text)
    cut = plain if len(plain) <= most else plain[: most - 1] + "…"
    return f"<bdi>{escape(_plain(cut))}</bdi>"


def _plain(text: str) -> str:
    """Control characters shown as a box, line ends and tabs kept."""
    return "".join(c if c >= " " or c in "\n\t\r" else "\u25a1" for c in text)


def number(value: float) -> str:
    """Four significant digits; thousands divided, large ones whole."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = ()) -> str:
    """Rows of cells that are HTML already, under heads that are text.

    Args:
        heads: one a column.
        rows: cells.
        kinds: class of each column: `n` number, `at` a place, `text` long text, `w` a drawing, "" anything.
    """
    marks = [f" class={kind}" if kind else "" for kind in kinds] or [""] * len(heads)
    top = "".join(f"<th{mark}>{escape(head)}</th>" for head, mark in zip(heads, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class=wide><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def fold(summary: str, body: str, *, opened: bool = False) -> str:
    """Something that unfolds; the summary is text, the body HTML."""
    return f"<details{' open' if opened else ''}><summary>{told(summary)}</summary>{body}</details>"


def facts(pairs: Mapping[str, Any]) -> str:
    """Names and values as a table of two columns."""
    return table(("", ""), ((told(k), told(v)) for k, v in pairs.items())) if pairs else ""


def bar(share: float, label: str = "", colour: str = "--blue", *, begin: float = 0.0) -> str:
    """A bar over a share of the width, from `begin`; both in [0, 1]."""
    a, w = (100 * min(max(x, 0.0), 1.0) if math.isfinite(x) else 0.0 for x in (begin, share))
    return (
        f'<svg role="img" aria-label="{escape(label or f"{share:.0%}", quote=True)}">'
        f'<rect width="100%" height="6" y="5" rx="3" fill="var(--line)"/>'
        f'<rect x="{a:.2f}%" width="{min(w, 100 - a):.2f}%" height="6" y="5" rx="3" fill="var({colour})"/></svg>'
    )


def histogram(values: Sequence[int], unit: str, bins: int = 40) -> str:
    """How values spread, as bars with the ends of the scale below; "" for none."""
    if not values:
        return ""
    low, high = min(values), max(values)
    step = max(1, -(-(high - low + 1) // bins))
    counts = Counter((v - low) // step for v in values)
    top, size = max(counts.values()), (high - low) // step + 1
    bars = "".join(
        f'<rect x="{100 * i / size:.2f}%" y="{40 - 38 * n / top:.1f}" width="{90 / size:.2f}%" '
        f'height="{38 * n / top:.1f}" fill="var(--blue)"><title>{low + i * step} to {low + (i + 1) * step - 1} '
        f"{escape(unit)}: {n}</title></rect>"
        for i, n in sorted(counts.items())
    )
    return (
        f'<svg style="height:42px" role="img" aria-label="{len(values)} values from {low} to {high} {escape(unit)}">'
        f'{bars}</svg><div class="head soft"><span>{low} {escape(unit)}</span>'
        f'<span style="margin-left:auto">{high} {escape(unit)}</span></div>'
    )


class Box(NamedTuple):
    """A stage in a drawing: its kind, its name, what it does, its settings."""

    kind: str
    name: str
    does: str
    settings: Mapping[str, Any]


def flow(boxes: Sequence[Box]) -> str:
    """Stages in a row with arrows; each opens to its settings."""
    drawn = []
    for box in boxes:
        does = f"<span class=soft>{told(box.does)}</span>"
        drawn.append(
            f"<details class='box {escape(box.kind, quote=True)}'><summary>{told(box.name)}"
            f"<span class=kind>{told(box.kind)}</span></summary>{does}{facts(box.settings)}</details>"
        )
    arrow = "<span class=arrow aria-hidden=true>→</span>"
    return f"<div class=flow>{arrow.join(drawn)}</div>"


def hits(found: Hits) -> str:
    """A ranking: where each hit lies, what is kept of it, what each stage gave, and what was dropped and why."""
    size = "" if found.tokens is None else f"{found.tokens:,} tokens"
    from rag.chosen import chosen

    body = _rows(found.items) + _drops(found)
    if found.notes:
        body += fold("notes of the stages", facts(found.notes))
    told_hits = shell(body, found.query.text[:LONG], f"{len(found.items)} hits", f"{len(found.drops)} dropped", size)
    return chosen(found) + told_hits


def _rows(items: Sequence[Hit]) -> str:
    if not items:
        return "<p class=soft>No hits.</p>"
    scores = [hit.score for hit in items if math.isfinite(hit.score)]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    low = min(low, 0.0) if low >= 0 else low
    rows = []
    for rank, hit in enumerate(items[:SHOWN], start=1):
        share = (hit.score - low) / (high - low) if high > low else 1.0
        gave = " · ".join(f"{name.partition('/')[2] or name} {number(value)}" for name, value in hit.scores.items())
        why = "".join(f"<div class=soft>{told(line)}</div>" for line in (gave, hit.why) if line)
        path = f"<div class=soft>{told(' › '.join(hit.path), 160)}</div>" if hit.path else ""
        where = f"{told(hit.doc)} <span class=soft>[{hit.start}:{hit.end}]</span>{path}"
        drawn = bar(share, f"score {number(hit.score)}") + f"<span class=soft>{number(hit.score)}</span>{why}"
        rows.append((str(rank), where, told(hit.text, 400), drawn))
    more = f"<p class=soft>{len(items) - SHOWN} more</p>" if len(items) > SHOWN else ""
    return table(("", "where", "text", "score"), rows, ("n", "at", "text", "w")) + more


def _drops(found: Hits) -> str:
    if not found.drops:
        return ""
    rows = [
        (told(d.stage), told(d.reason), f"{told(d.hit.doc)} <span class=soft>[{d.hit.start}:{d.hit.end}]</span>")
        for d in found.drops[:SHOWN]
    ]
    by_stage = ", ".join(f"{n} by {stage}" for stage, n in Counter(d.stage for d in found.drops).items())
    more = f"<p class=soft>{len(found.drops) - SHOWN} more</p>" if len(found.drops) > SHOWN else ""
    return fold(f"left out: {by_stage}", table(("stage", "reason", "where"), rows) + more)


def answer(said: Answer) -> str:
    """An answer with its quotations inside their sources, the evidence behind it, and what each stage took."""
    kind = "chip" if said.status == "answered" else "chip no"
    text = told(said.text, 8000) if said.text else "<span class=soft>" + escape(_silent(said.status)) + "</span>"
    body = f"<div class=big>{text}</div><span class='{kind}'>{told(said.status)}</span>"
    sources = {hit.doc: hit.document.text for hit in said.context or ()}
    body += "".join(_quoted(i, cited, sources.get(cited.doc)) for i, cited in enumerate(said.citations[:SHOWN], 1))
    if said.context is not None:
        size = "" if said.context.tokens is None else f", {said.context.tokens:,} tokens"
        body += fold(f"evidence: {len(said.context)} hits{size}", _rows(said.context.items) + _drops(said.context))
    if said.trace:
        body += fold("time by stage", trace(said.trace))
    if said.notes or said.usage:
        body += fold("notes and usage", facts({**said.usage, **said.notes}))
    sure = "" if said.confidence is None else f"confidence {said.confidence:.2f}"
    return shell(body, said.query.text[:LONG], f"{said.seconds:.2f} s" if said.seconds else "", sure)


def _silent(status: str) -> str:
    return "This pipeline has no reader: see the evidence." if status == "retrieved" else "The documents do not say."


def _quoted(place: int, cited: Citation, text: str | None) -> str:
    """A quotation where it stands in its source; alone where the source is not at hand."""
    before = after = ""
    if text is not None and text[cited.start : cited.end] == cited.quote:
        begin, end = max(0, cited.start - AROUND), min(len(text), cited.end + AROUND)
        before = ("…" if begin else "") + text[begin : cited.start]
        after = text[cited.end : end] + ("…" if end < len(text) else "")
    return (
        f"<div><span class=soft>[{place}] {told(cited.doc)} [{cited.start}:{cited.end}]</span>"
        f"<blockquote dir=auto><span class=soft>{told(before.lstrip())}</span><mark>{told(cited.quote, 4000)}</mark>"
        f"<span class=soft>{told(after.rstrip())}</span></blockquote></div>"
    )


def trace(spans: Sequence[TraceSpan]) -> str:
    """Spans as bars over the time of the whole."""
    whole = max((one.start + max(one.seconds, 0.0) for one in spans), default=0.0) or 1.0
    depths: list[int] = []
    rows = []
    for one in spans:
        depths.append(0 if one.parent < 0 else depths[one.parent] + 1)
        took = max(one.seconds, 0.0)
        drawn = bar(took / whole, f"{took:.4f} s", "--teal", begin=one.start / whole)
        told_facts = ", ".join(f"{k} {v}" for k, v in one.facts.items())
        rows.append((told("\u2003" * depths[-1] + one.name), f"{took:.4f}", drawn, told(told_facts)))
    return table(("stage", "seconds", "", "facts"), rows[:SHOWN], ("", "n", "w", ""))
