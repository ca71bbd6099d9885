"""`rag init`: a project to start from, which runs at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import say
from rag.cli.completing import configs


def command(
    folder: Annotated[Path, typer.Argument(help="where to put the files")] = Path(),
    recipe: Annotated[str, typer.Option(help="the recipe to start from", autocompletion=configs)] = "quickstart",
    force: Annotated[bool, typer.Option("--force", help="replace files that are there")] = False,
) -> None:
    """Write a pipeline, three documents, questions with exact evidence, and a stage with its test."""
    from rag.cli.starter import files
    from rag.config import load
    from rag.errors import ConfigError

    load(recipe)
    made = files(recipe)
    for one in (folder, folder / "docs", folder / "questions"):
        if one.exists() and not one.is_dir():
            raise ConfigError(f"{one}: is a file, and a folder is needed. Choose another folder.")
    there = [name for name in made if (folder / name).exists()]
    if there and not force:
        raise ConfigError(f"{folder / there[0]}: is there already. Choose another folder, or --force to replace it.")
    for name, content in made.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}. Choose another folder.") from error
        print(path)
    where = [] if folder == Path() else [f"cd {folder}"]
    steps = [
        *where,
        "rag models pull",
        "rag index pipeline.yaml docs --out index --allow my_stages",
        'rag ask index "When does the last climb start?" --allow my_stages',
        "rag run pipeline.yaml --data questions --out runs/first --allow my_stages",
        "rag report runs/first",
        "rag serve index --allow my_stages  # a page to ask and look; pip install 'ragtree[serve]'",
        "pytest  # tests the stage; pip install pytest",
    ]
    say("Next:\n" + "\n".join(f"  {step}" for step in steps))
