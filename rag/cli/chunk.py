"""`rag chunk`: what a config makes of one document, one JSON line a leaf."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Allow, Json, Set, line, say
from rag.cli.completing import configs


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    path: Annotated[Path, typer.Argument(help="a document or a corpus file")],
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print the chunks of a document with their exact ranges.

    Where `chunkers/auto` cut, the scores of what it tried go to stderr.
    """
    from rag.config import load
    from rag.loaders.read import read
    from rag.notes import notes_of

    pipeline = load(config, set=set, allow=allow)
    for document in read(path):
        tree = pipeline.tree(document)
        for note in notes_of(tree, "auto", 0):
            say(f"{document.id}: {note.text}")
        for leaf in tree.leaves():
            if json:
                line(
                    {
                        "doc": document.id,
                        "start": leaf.start,
                        "end": leaf.end,
                        "text": leaf.text,
                        "path": list(leaf.path),
                        "kind": leaf.kind,
                        "tokens": leaf.tokens,
                    }
                )
            else:
                head = " > ".join(leaf.path)
                body = " ".join(leaf.text.split())
                print(f"{document.id} [{leaf.start}:{leaf.end}] {leaf.kind}, {leaf.tokens} tokens  {head}")
                print(f"    {body[:200]}")
