"""`rag show`: what is installed here, and what it is for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rag.cli.common import Json, emit
from rag.cli.completing import stages as completed

app = typer.Typer(help="List installed stages, recipes, metrics, models, or the JSON Schema.", no_args_is_help=True)


@app.command()
def stages(
    kind: Annotated[str | None, typer.Argument(help="one kind only, such as rerankers")] = None, json: Json = False
) -> None:
    """List installed stages, one `kind/name` a line, with what each does."""
    from rag import registry
    from rag.errors import ConfigError

    if kind is not None and kind not in registry.KINDS:
        raise ConfigError(f"no kind {kind!r}. Kinds: {', '.join(registry.KINDS)}.")
    uses = [f"{one}/{name}" for one in ([kind] if kind else registry.KINDS) for name in registry.names(one)]
    rows = [{"name": use, "does": _first(registry.find(use))} for use in uses]
    _print(rows, json=json)


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="such as rerankers/mmr", autocompletion=completed)], json: Json = False
) -> None:
    """Print one stage's documentation and settings."""
    import inspect
    from dataclasses import fields

    from rag import registry
    from rag.schema import json_schema

    cls = registry.find(name)
    settings = json_schema()["$defs"][name.replace("/", ".")]["properties"]
    settings.pop("use")
    if json:
        emit({"name": name, "doc": inspect.getdoc(cls), "settings": settings})
        return
    print(f"{name}\n\n{inspect.getdoc(cls)}\n\nSettings:")
    for field in fields(cls):
        facts = settings.get(field.name, {})
        print(f"  {field.name} = {facts.get('default', '(required)')!r}  {facts.get('description', '')}")


@app.command()
def recipes(json: Json = False) -> None:
    """List the recipes that come with the package."""
    from rag.config import recipes as found

    _print([{"name": name, "does": does} for name, does in found().items()], json=json)


@app.command()
def metrics(json: Json = False) -> None:
    """List the metrics and what each counts."""
    from evals.metrics.names import described

    _print([{"name": name, "does": does} for name, does in described().items()], json=json)


@app.command()
def models(json: Json = False) -> None:
    """List the models that run with no key and no server; the same as `rag models list`."""
    from rag.cli.models import rows

    _print(rows(), json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a pipeline file, for editors."""
    from rag.schema import json_schema

    emit(json_schema())


def _first(cls: Any) -> str:
    return " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())


def _print(rows: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        emit(rows)
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['does']}")
