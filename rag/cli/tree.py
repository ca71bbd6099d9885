"""`rag tree`: the outline of one document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.common import Allow, Json, Set, emit

if TYPE_CHECKING:
    from rag.doctree import Node


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe")],
    path: Annotated[Path, typer.Argument(help="a document or a corpus file")],
    html: Annotated[Path | None, typer.Option(help="write a page that folds and unfolds to this file")] = None,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print a document's tree: sections, and the chunks below them."""
    from rag.config import load
    from rag.loaders.read import read

    pipeline = load(config, set=set, allow=allow)
    trees = [pipeline.tree(document) for document in read(path)]
    if html is not None:
        from rag.cli.tree_html import page

        html.write_text(page(trees), encoding="utf-8")
    elif json:
        emit([as_dict(tree.root) for tree in trees])
    else:
        for tree in trees:
            for node in tree:
                print(outline(node))


def outline(node: Node) -> str:
    """One node as one indented line."""
    if node.index == 0:
        return f"{node.tree.document.id}  ({node.end} characters, {len(node.tree.leaf_ids)} chunks)"
    indent = "  " * len(node.ancestors)
    name = node.title or " ".join(node.text.split())[:60]
    tokens = f", {node.tokens} tokens" if node.tokens >= 0 else ""
    return f"{indent}{node.kind} [{node.start}:{node.end}]{tokens}  {name}"


def as_dict(node: Node) -> dict[str, Any]:
    """A node and everything below it, without recursion (outlines may be deep)."""
    made: list[dict[str, Any]] = []
    for one in node.tree:
        made.append(
            {
                "start": one.start,
                "end": one.end,
                "kind": one.kind,
                "level": one.level,
                "title": one.title,
                "tokens": one.tokens,
                "children": [],
            }
        )
        if one.index:
            made[int(node.tree.parent[one.index])]["children"].append(made[-1])
    return {"doc": node.tree.document.id, **made[node.index]}
