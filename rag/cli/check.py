"""`rag check`: is this config right, and can it run here?"""

from __future__ import annotations

from typing import Annotated

import typer

from rag.cli.common import Allow, Json, Set, emit
from rag.cli.completing import configs


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Check a config and print it with every setting written out."""
    from rag.config import dump, load, spec
    from rag.requirements import missing

    pipeline = load(config, set=set, allow=allow)
    lacking = missing(pipeline)
    if json:
        emit({"ok": not lacking, "missing": lacking, "config": spec(pipeline)})
    else:
        print(dump(pipeline), end="")
        for one in lacking:
            typer.echo(f"rag: missing: {one}", err=True)
    if lacking:
        raise typer.Exit(1)
