"""`rag bench`: speed, measured against peers or a bound in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Json, Quiet, aligned, emit, progress

app = typer.Typer(help="Measure speed against peers in the same run.", no_args_is_help=True)
Repeat = Annotated[int, typer.Option(min=1, help="times each contestant runs; medians are reported")]


@app.command()
def chunk(
    path: Annotated[Path | None, typer.Argument(help="a folder of documents; default the bundled samples")] = None,
    size: Annotated[int, typer.Option(min=8, help="tokens a chunk")] = 200,
    repeat: Repeat = 5,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Characters a second, cap violations and text lost, for ours and every installed peer."""
    from evals.bench.chunk import bench

    with progress(quiet=quiet) as bar:
        _print(bench(path, size=size, repeat=repeat, progress=bar), json=json)


@app.command()
def query(
    chunks: Annotated[int, typer.Option(min=100, help="chunks in the index")] = 100_000,
    repeat: Repeat = 5,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Lexical queries a second beside bare bm25s, framework overhead beside peers, import times."""
    from evals.bench.query import bench

    with progress(quiet=quiet) as bar:
        _print(bench(chunks=chunks, repeat=repeat, progress=bar), json=json)


@app.command()
def index(
    path: Annotated[Path | None, typer.Argument(help="a folder of documents; default a bundled sample")] = None,
    repeat: Repeat = 3,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Passages a second while indexing beside the bare embedder on the same chunks."""
    from evals.bench.index import bench

    with progress(quiet=quiet) as bar:
        _print(bench(path, repeat=repeat, progress=bar), json=json)


@app.command()
def serve(
    folder: Annotated[Path | None, typer.Argument(help="an index folder; default the bundled articles")] = None,
    clients: Annotated[int, typer.Option(min=1, help="that ask at the same time")] = 32,
    seconds: Annotated[float, typer.Option(min=0.5, help="they ask for so long")] = 60.0,
    recipe: Annotated[str, typer.Option(help="of the bundled index")] = "lexical",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Times, errors and memory of `rag serve` under many clients at once."""
    from evals.bench.serve import bench

    with progress(quiet=quiet) as bar:
        _print(bench(folder, clients=clients, seconds=seconds, recipe=recipe, progress=bar), json=json)


def _print(result: dict[str, Any], *, json: bool) -> None:
    if json:
        emit(result)
        return
    for table in result["tables"]:
        print(table["title"])
        print(aligned([table["columns"], *[[_cell(value) for value in row] for row in table["rows"]]]))
        print()
    for note in result.get("notes", []):
        print(note)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
