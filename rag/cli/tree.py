"""`rag tree`: the outline of one document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.cli.common import Allow, Json, Set, emit
from rag.cli.completing import configs

if TYPE_CHECKING:
    from rag.doctree import DocTree, Node
    from rag.pipeline import Pipeline
    from rag.types import Hit, Hits


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    path: Annotated[Path, typer.Argument(help="a document or a corpus file")],
    html: Annotated[Path | None, typer.Option(help="write a page that folds and unfolds to this file")] = None,
    question: Annotated[
        str, typer.Option("--question", "--query", help="mark what the config's retriever finds, on the page")
    ] = "",
    dot: Annotated[bool, typer.Option("--dot", help="print GraphViz")] = False,
    depth: Annotated[int | None, typer.Option(min=0, help="levels below the root that are shown")] = None,
    against: Annotated[Path | None, typer.Option(help="an older version: count what is kept, new, gone, stale")] = None,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print a document's tree: sections, and the chunks below them."""
    from rag.config import load
    from rag.errors import RagError
    from rag.loaders.read import read

    if question and html is None:
        raise RagError("--question: marks hits on a page, and there is none. Give --html FILE as well.")
    pipeline = load(config, set=set, allow=allow)
    trees = [pipeline.tree(document) for document in read(path)]
    if against is not None:
        olds = [pipeline.tree(document) for document in read(against)]
        if len(olds) != len(trees):
            raise RagError(f"--against: must hold as many documents as {path}, {len(trees)}, got {len(olds)}.")
        _compare(olds, trees, json=json)
    elif html is not None:
        from rag.picture import page

        hits = _hits(pipeline, trees, question) if question else ()
        html.write_text(page(trees, hits=hits, question=question, depth=depth), encoding="utf-8", errors="replace")
    elif dot:
        from rag.picture import dot as graph

        print("".join(graph(tree, depth=depth) for tree in trees), end="")
    elif json:
        emit([as_dict(tree.root) for tree in trees])
    else:
        from rag.picture import levels

        for tree in trees:
            for i in levels(tree, depth, len(tree)):
                print(outline(tree[i]))


def _hits(pipeline: Pipeline, trees: list[DocTree], question: str) -> tuple[Hit, ...]:
    """What the pipeline shows its reader for a question about these documents."""
    from dataclasses import replace

    from rag.index import build

    searching = replace(pipeline, stages=pipeline.stages[:-1]) if pipeline.reads else pipeline
    found: Hits = build(searching, [tree.document for tree in trees]).run(question)
    return found.items


def _compare(olds: list[DocTree], trees: list[DocTree], *, json: bool) -> None:
    """Print what an edit did to each tree."""
    from rag.trees.diff import difference

    rows = [{"doc": new.document.id, **difference(old, new).counts()} for old, new in zip(olds, trees, strict=True)]
    if json:
        emit(rows)
        return
    for row in rows:
        print("{doc}: {kept} nodes kept, {added} chunks added, {removed} removed, {stale} sections stale".format(**row))


def outline(node: Node) -> str:
    """One node as one indented line; below the root the table of `chunkers/auto` where it cut."""
    from rag.notes import notes_of

    if node.index == 0:
        head = f"{node.tree.document.id}  ({node.end} characters, {len(node.tree.leaf_ids)} chunks)"
        return "\n".join((head, *(f"  {note.text}" for note in notes_of(node.tree, "auto", 0))))
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
                "notes": {name: rows[one.index] for name, rows in node.tree.notes.items() if one.index in rows},
                "children": [],
            }
        )
        if one.index:
            made[int(node.tree.parent[one.index])]["children"].append(made[-1])
    return {"doc": node.tree.document.id, **made[node.index]}
