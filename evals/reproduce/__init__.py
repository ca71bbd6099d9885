"""Studies that can be run again: published numbers measured with our metrics, and what each method adds.

What came out is pinned in `evals/expected`, with the command, seeds and intervals.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SAMPLE", "as_table"]

SAMPLE = Path(__file__).parents[1] / "samples" / "chroma"


def as_table(head: str, rows: list[list[str]]) -> str:
    """Rows as aligned text.

    Args:
        head: the columns' names, with `|` between.
        rows: as many cells each; the first column is aligned left, the others right.
    """
    columns = [head.split("|"), *rows]
    widths = [max(len(row[i]) for row in columns) for i in range(len(columns[0]))]
    lines = [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in columns
    ]
    return "\n".join(lines) + "\n"
