"""`rag report`: a run as one page, or one question of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Json, emit
from rag.cli.completing import datasets, runs


def command(
    run: Annotated[Path, typer.Argument(help="the folder of a finished run", autocompletion=runs)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where to write; default RUN/report.html")] = None,
    against: Annotated[list[Path] | None, typer.Option(help="another run over the same questions")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="the dataset, where it has moved", autocompletion=datasets)
    ] = None,
    question: Annotated[str | None, typer.Option(help="print this question's page instead")] = None,
    json: Json = False,
) -> None:
    """Write a self-contained page: scores, curves, where evidence was lost, every question's text."""
    from evals.datasets import load
    from evals.report.write import one_question, report

    found = load(data) if data is not None else None
    if question is not None:
        page = one_question(run, question, found)
        if json:
            emit(page)
        else:
            print(as_text(page))
        return
    written = report(run, out, against=against or [], data=found)
    if json:
        emit({"report": str(written), "bytes": written.stat().st_size})
    else:
        print(written)


def as_text(value: Any, indent: str = "") -> str:
    """Nested values as indented lines."""
    if isinstance(value, dict):
        rows = [
            f"{indent}{key}:\n{as_text(one, indent + '  ')}"
            if isinstance(one, (dict, list)) and one
            else f"{indent}{key}: {one}"
            for key, one in value.items()
        ]
        return "\n".join(rows)
    if isinstance(value, list):
        return "\n".join(as_text(one, indent + "  ").replace(indent + "  ", indent + "- ", 1) for one in value)
    return f"{indent}{value}"
