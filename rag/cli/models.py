"""`rag models`: the embedded models' files on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rag.cli.common import Json, Quiet, emit, progress, say

app = typer.Typer(help="List the embedded models, or fetch their files.", no_args_is_help=True)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the models, their size and licence, and whether their files are here."""
    found = rows()
    if json:
        emit(found)
        return
    width = max(len(row["name"]) for row in found)
    for row in found:
        size = f"{row['megabytes']:>6.0f} MB"
        print(f"{row['name']:<{width}}  {row['status']:<8}  {size}  {row['licence']:<11}  {row['does']}")


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="models; default: what the recipes need")] = None,
    every: Annotated[bool, typer.Option("--all", help="every model in the table")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch pinned model files into the cache and verify each sha256."""
    from rag.models import weights

    wanted = [row["name"] for row in rows()] if every else names or list(weights.DEFAULT)
    with progress(quiet=quiet) as bar:
        for name in wanted:
            folder = weights.pull(name, progress=bar)
            say(f"{name}: {folder}", quiet=quiet)


def rows() -> list[dict[str, Any]]:
    """The table of models as plain rows."""
    from rag.models import weights

    return [
        {
            "name": one.name,
            "does": one.what,
            "status": one.status,
            "megabytes": one.size / 1e6,
            "licence": one.licence,
        }
        for one in weights.table()
    ]
