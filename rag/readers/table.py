"""A table whose cells know where they come from, as CSV, JSON and HTML."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from rag.types import Citation

__all__ = ["TYPES", "Cell", "Column", "Table"]

TYPES = ("text", "number", "date", "year", "amount", "money", "percent", "span", "time", "yes-no", "list")


class Column(NamedTuple):
    """One question asked of every row.

    Args:
        name: the column's head.
        question: `{row}` in it stands for the row's name.
        type: one of `TYPES`.
    """

    name: str
    question: str
    type: str = "text"


class Cell(NamedTuple):
    """One answer.

    Args:
        value: as written in the source; "" where there is none.
        status: `found`, `empty` or `error`.
        reason: why there is no value.
        confidence: in [0, 1].
        citations: what it rests on; the sentence first, then the value itself where the column has a type.
    """

    value: str
    status: str
    reason: str = ""
    confidence: float = 0.0
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows by columns.

    Args:
        rows: names of the rows.
        columns: the questions.
        cells: one row of cells a row, in the order of the columns.
    """

    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def to_csv(self, *, spans: bool = False) -> str:
        """The values as CSV (RFC 4180, lines end in LF), the rows' names in the first column.

        Args:
            spans: behind each column one with `document:start-end` of what its cells rest on.
        """
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n")
        heads = [(c.name, f"{c.name} spans") if spans else (c.name,) for c in self.columns]
        write.writerow(["row", *(name for pair in heads for name in pair)])
        for name, cells in zip(self.rows, self.cells, strict=True):
            line = [name]
            for cell in cells:
                line.append(cell.value)
                if spans:
                    line.append(" ".join(f"{c.doc}:{c.start}-{c.end}" for c in cell.citations))
            write.writerow(line)
        return out.getvalue()

    def to_json(self) -> str:
        """Columns and rows with everything a cell knows."""
        rows: list[dict[str, Any]] = [
            {
                "row": name,
                "cells": {
                    column.name: {
                        "value": cell.value,
                        "status": cell.status,
                        "reason": cell.reason,
                        "confidence": cell.confidence,
                        "spans": [_told(c) for c in cell.citations],
                    }
                    for column, cell in zip(self.columns, cells, strict=True)
                },
            }
            for name, cells in zip(self.rows, self.cells, strict=True)
        ]
        columns = [{"name": c.name, "question": c.question, "type": c.type} for c in self.columns]
        return json.dumps({"columns": columns, "rows": rows}, ensure_ascii=False, indent=1)

    def _repr_html_(self) -> str:
        """For notebooks; every text is escaped, quotations show on hovering."""

        def shown(cell: Cell) -> str:
            if cell.status != "found":
                return f'<td style="color:#888" title="{html.escape(cell.reason)}">{html.escape(cell.status)}</td>'
            quote = cell.citations[0].quote if cell.citations else ""
            return f'<td title="{html.escape(quote)}">{html.escape(cell.value)}</td>'

        heads = "".join(f'<th title="{html.escape(c.question)}">{html.escape(c.name)}</th>' for c in self.columns)
        lines = "".join(
            f"<tr><th>{html.escape(name)}</th>{''.join(map(shown, cells))}</tr>"
            for name, cells in zip(self.rows, self.cells, strict=True)
        )
        return f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _told(cited: Citation) -> dict[str, Any]:
    return {"doc": cited.doc, "start": cited.start, "end": cited.end, "quote": cited.quote}
