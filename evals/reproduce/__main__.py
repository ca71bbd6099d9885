"""`python -m evals.reproduce chroma|budgets`: published numbers beside ours, as a table; `--json FILE` pins ours."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evals.datasets import load
from evals.reproduce import budgets, chroma
from rag.errors import RagError
from rag.models.torch import SentenceTransformersEmbedder

SAMPLE = Path(__file__).parents[1] / "samples" / "chroma"


def _table(head: str, rows: list[list[str]]) -> str:
    columns = [head.split("|"), *rows]
    widths = [max(len(row[i]) for row in columns) for i in range(len(columns[0]))]
    lines = [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in columns
    ]
    return "\n".join(lines) + "\n"


def run_chroma(data: Path, vectors: Path | None, tell: Callable[[str], object]) -> dict[str, Any]:
    """Chroma's table, with all-MiniLM-L6-v2."""
    dataset = load(data)
    embedder = SentenceTransformersEmbedder()
    known = chroma.Vectors(embedder, vectors, lambda done, total, label: tell(f"\r{label} {done}/{total} "))
    result: dict[str, Any] = {"embedder": embedder.fingerprint, "k": chroma.K, "rows": {}}
    lines = []
    for row in chroma.ROWS:
        measured = chroma.measure(row.chunker, dataset, known)
        told = {**row.published, **({} if math.isnan(row.omega) else {"omega_other_table": row.omega})}
        result["rows"][row.name] = {"published": told, "measured": measured}
        cells = [
            f"{measured[name]:.1f} ({row.published.get(name, '-')})" for name in ("recall", "precision", "iou", "omega")
        ]
        lines.append([row.name, f"{measured['chunks']:,.0f}", *cells, "-" if math.isnan(row.omega) else f"{row.omega}"])
    tell("\n")
    result["table"] = _table("ours (published)|chunks|recall@5|precision@5|IoU@5|omega|omega, other table", lines)
    return result


def run_budgets(data: Path, _vectors: Path | None, tell: Callable[[str], object]) -> dict[str, Any]:
    """BM25's curves over other frameworks' chunks."""
    dataset = load(data)
    result: dict[str, Any] = {"budgets": budgets.BUDGETS, "size": budgets.SIZE, "rows": {}}
    for name, chunker in budgets.CHUNKERS.items():
        tell(f"{name}\n")
        result["rows"][name] = budgets.curve(chunker, dataset)
    lines = [[name, *(f"{value:.1f}" for value in row)] for name, row in result["rows"].items()]
    lines.append(["expected of the best", *(f"{low}-{high}" for low, high in budgets.EXPECTED)])
    result["table"] = _table("recall, points|" + "|".join(f"{b} tok" for b in budgets.BUDGETS), lines)
    return result


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m evals.reproduce", description=__doc__)
    parser.add_argument("what", choices=["chroma", "budgets"])
    parser.add_argument("--data", type=Path, default=SAMPLE, help="the dataset; default the bundled one")
    parser.add_argument("--vectors", type=Path, help="an .npz file that keeps vectors for the next time")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    run = {"chroma": run_chroma, "budgets": run_budgets}[given.what]
    try:
        result = run(given.data, given.vectors, sys.stderr.write)
    except RagError as error:
        raise SystemExit(f"reproduce: {error}") from error
    sys.stdout.write(result.pop("table"))
    if given.json:
        body = {"command": f"python -m evals.reproduce {given.what}", **result}
        given.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
