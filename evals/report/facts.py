"""What a report shows, gathered from a run folder: plain values, so that every picture is also data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evals import runfolder, stats
from evals.attribution import OUTCOMES, outcome, waterfall
from evals.datasets import Dataset, Item
from evals.metrics.names import Metric, parse, parse_all
from evals.ranges import merge
from evals.run import open_run, score_folder
from evals.score import Table, summary
from rag.errors import DataError

__all__ = ["curves", "gather", "pieces", "question"]

AROUND = 240  # characters of source shown on either side of what is marked
TEXT = 1_200_000  # characters of source text in all question pages together
CURVES = ("SpanR", "SpanP", "AllSup", "AIC")


def gather(folder: Path, data: Dataset, *, seed: int = 0, text: int = TEXT) -> dict[str, Any]:
    """Everything a report shows.

    Args:
        folder: a finished run.
        data: its dataset.
        seed: of the intervals.
        text: characters of source text in all question pages together; missed questions come first.
    """
    manifest = open_run(folder)
    try:
        names = list(json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: has no metrics.json that can be read. Finish the run first.") from error
    metrics = parse_all(names)
    table = score_folder(folder, data, metrics)
    records = list(runfolder.lines(folder / "perquery.jsonl"))
    budgets = [int(b) for b in manifest["budgets"]]
    config = (folder / "config.resolved.yaml").read_text(encoding="utf-8")
    return {
        "title": folder.resolve().name,
        "dataset": data.folder.name,
        "manifest": {k: manifest[k] for k in ("config", "data", "code", "seed", "python", "versions", "host")},
        "config": config,
        "problems": dict(data.counts()),
        "items": len(table.ids),
        "failed": sum(1 for r in records if r["failed"] is not None),
        "metrics": [
            {"name": m.name, "says": m.says, "better": m.better, **row}
            for m, row in zip(metrics, summary(table, data.has, seed=seed).values(), strict=True)
        ],
        "curves": curves(folder, data, budgets, metrics, seed=seed),
        "waterfall": waterfall(records, data).json(),
        "waterfalls": {str(b): waterfall(records, data, b).json() for b in budgets},
        "types": _types(table, data, seed=seed),
        "stages": _stages(folder),
        "questions": _questions(records, table, data, text),
    }


def curves(
    folder: Path, data: Dataset, budgets: Sequence[int], metrics: Iterable[Metric], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Each budget metric of the run as a curve over all its budgets, with intervals."""
    given = {m.name.partition("@")[0] for m in metrics if m.budget is not None}
    chosen = [name for name in CURVES if name in given or name in {"SpanR", "SpanP"}]
    if len(budgets) < 1:
        return []
    wanted = [parse(f"{name}@{budget}tok") for name in chosen for budget in budgets]
    found = summary(score_folder(folder, data, wanted), data.has, seed=seed)
    rows = []
    for name in chosen:
        points = [{"budget": b, **found[f"{name}@{b}tok"]} for b in budgets]
        if any(p["value"] is not None for p in points):
            rows.append({"metric": name, "points": points})
    return rows


def _types(table: Table, data: Dataset, *, seed: int) -> list[dict[str, Any]]:
    """Means by type of question; none where the set has one type."""
    kinds = [data.by_id[q].type for q in table.ids]
    names = sorted(set(kinds))
    if len(names) < 2 or len(names) > 40:
        return []
    rows = []
    for kind in names:
        mine = np.array([k == kind for k in kinds])
        row: dict[str, Any] = {"type": kind or "-", "questions": int(mine.sum()), "values": {}}
        for j, metric in enumerate(table.metrics):
            column = table.values[mine, j]
            column = column[~np.isnan(column)]
            if len(column) and not metric.cost:
                around = stats.interval(column, seed=seed, resamples=2000)
                row["values"][metric.name] = [round(v, 4) for v in around[:3]]
        rows.append(row)
    return rows


def _stages(folder: Path) -> list[dict[str, Any]]:
    """Seconds (p50, p95, p99, sum) and facts by stage, from the trace; nested spans are left to their parents."""
    took: dict[tuple[str, str], list[float]] = {}
    facts: dict[tuple[str, str], dict[str, float]] = {}
    for line in runfolder.lines(folder / "trace.jsonl"):
        for span in line["spans"]:
            if span["parent"] >= 0 and span["place"]:
                continue
            key = (span["place"], span["name"])
            took.setdefault(key, []).append(float(span["seconds"]))
            sums = facts.setdefault(key, {})
            for name in ("items_out", "tokens_in", "tokens_out", "cost"):
                sums[name] = sums.get(name, 0.0) + float(span["facts"].get(name) or 0.0)
    rows = []
    for (place, name), seconds in took.items():
        p50, p95, p99 = stats.percentiles(seconds)
        total = {k: round(v, 6) for k, v in facts[place, name].items() if v}
        rows.append(
            {"place": place, "name": name, "n": len(seconds), "p50": p50, "p95": p95, "p99": p99, "sum": sum(seconds)}
            | total
        )
    return rows


def _questions(records: Sequence[Mapping[str, Any]], table: Table, data: Dataset, budget: int) -> list[dict[str, Any]]:
    """A page a question; texts until the budget is spent, worst outcomes first, in the order of the run."""
    pages = {r["id"]: question(r, data.by_id[r["id"]], data, text=False) for r in records}
    for i, q in enumerate(table.ids):
        row = table.values[i]
        pages[q]["scores"] = {
            m.name: round(float(v), 4) for m, v in zip(table.metrics, row, strict=True) if not np.isnan(v)
        }
    by_id = {r["id"]: r for r in records}

    def urgency(q: str) -> int:
        return OUTCOMES.index(pages[q]["outcome"]) if pages[q]["outcome"] in OUTCOMES else len(OUTCOMES)

    for q in sorted(by_id, key=urgency):
        if budget <= 0:
            break
        pages[q]["sources"] = sources(by_id[q], data.by_id[q], data)
        budget -= sum(len(piece[1]) for source in pages[q]["sources"] for piece in source["pieces"])
        pages[q]["pieces"] = told = pieces(by_id[q], data)
        budget -= sum(len(row[1]) for row in told["left"]) if told else 0
    return list(pages.values())


def question(record: Mapping[str, Any], item: Item, data: Dataset, *, text: bool = True) -> dict[str, Any]:
    """The page of one question: what was asked, said, cited, lost, and the sources."""
    return {
        "id": item.id,
        "text": item.text,
        "type": item.type,
        "answers": list(item.answers[:5]),
        "answerable": item.answerable,
        "status": record["status"],
        "answer": record["answer"],
        "outcome": outcome(record, item),
        "lost": record["context"].get("lost"),
        "failed": record["failed"],
        "tokens": record["context"]["tokens"],
        "kept": record["kept"],
        "ranking": record["ranking"][:10],
        "relevant": [doc for doc, grade in item.qrels.items() if grade > 0][:20],
        "sources": sources(record, item, data) if text else [],
        "pieces": pieces(record, data) if text else None,
    }


def pieces(record: Mapping[str, Any], data: Dataset, most: int = 12) -> dict[str, Any] | None:
    """Tokens by section of what a compressor kept, and the best of what it left out, each with what it lacked.

    Returns:
        None where the compressor does not explain itself. `least` is what the weakest kept piece added; a piece that
        would have added more did not fit or is said by another.
    """
    rows = record.get("pieces")
    if not rows:
        return None
    size: dict[tuple[str, str], int] = {}
    for doc, _, _, kept, _, tokens, section, _ in rows:
        if kept:
            size[doc, section] = size.get((doc, section), 0) + tokens
    left = sorted((row for row in rows if not row[3]), key=lambda row: -row[4])[:most]
    told = [
        [doc, data.text(doc)[start:end][:AROUND], why, gain, tokens]
        for doc, start, end, _, gain, tokens, _, why in left
    ]
    ordered = sorted(size.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "sections": [[doc, section, tokens] for (doc, section), tokens in ordered[:most]],
        "left": told,
        "least": min((row[4] for row in rows if row[3]), default=0.0),
    }


def sources(record: Mapping[str, Any], item: Item, data: Dataset, most: int = 6) -> list[dict[str, Any]]:
    """Source texts around gold, context and citations: pieces of `(marks, text)` with gaps as `None` marks.

    Marks are letters: g for gold, c for context, q for a citation.
    """
    marks: dict[str, list[tuple[int, int, str]]] = {}
    for letter, spans in (
        ("g", item.spans),
        ("q", record["citations"]),
        ("c", record["context"]["spans"]),
    ):
        for doc, start, end in spans:
            marks.setdefault(doc, []).append((start, end, letter))
    shown = []
    for doc, found in list(marks.items())[:most]:
        source = data.text(doc)
        if not source:
            continue
        strong = [m for m in found if m[2] != "c"] or found[:2]
        windows = merge((max(0, s - AROUND), min(len(source), e + AROUND)) for s, e, _ in strong)
        pieces: list[list[Any]] = []
        for begin, end in windows:
            if begin > 0:
                pieces.append([None, " … "])
            pieces += _pieces(source, begin, end, found)
        if windows and windows[-1][1] < len(source):
            pieces.append([None, " … "])
        title = str(data.record(doc).get("title") or doc)
        shown.append({"doc": doc, "title": title, "pieces": pieces})
    return shown


def _pieces(source: str, begin: int, end: int, found: Sequence[tuple[int, int, str]]) -> list[list[Any]]:
    inside = [(max(s, begin), min(e, end), letter) for s, e, letter in found if s < end and e > begin]
    cuts = sorted({begin, end, *(s for s, _, _ in inside), *(e for _, e, _ in inside)})
    pieces = []
    for a, b in pairwise(cuts):
        letters = "".join(sorted({letter for s, e, letter in inside if s <= a and b <= e}))
        pieces.append([letters, source[a:b]])
    return pieces
