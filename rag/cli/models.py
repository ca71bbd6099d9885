"""`rag models`: the embedded models' files on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rag.cli.common import Json, Quiet, emit, say
from rag.cli.completing import models as completed

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
    names: Annotated[
        list[str] | None, typer.Argument(help="models, recipes or config files", autocompletion=completed)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every model in the table")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch pinned model files into the cache and verify each sha256; by default for `quickstart`."""
    from rag.models import weights

    wanted = [row["name"] for row in rows()] if every else _wanted(names or ["quickstart"])
    for name in wanted:
        folder = weights.pull(name, progress=lambda text: say(text, quiet=quiet))
        say(f"{name}: {folder}", quiet=quiet)


def _wanted(names: list[str]) -> list[str]:
    """Models by name; for a recipe or a config, the embedded models it uses."""
    from rag import config
    from rag.models import weights

    found: list[str] = []
    for name in names:
        if name in config.recipes() or name.endswith((".yaml", ".yml")):
            found += [model for model in _models_in(config.spec(config.load(name))) if weights.known(model)]
        else:
            found.append(weights.entry(name).name)
    return list(dict.fromkeys(found))


def _models_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["model"]] if isinstance(value.get("model"), str) else []
        return own + [model for one in value.values() for model in _models_in(one)]
    return [model for one in value for model in _models_in(one)] if isinstance(value, list) else []


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
