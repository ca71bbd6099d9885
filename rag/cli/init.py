"""`rag init`: a folder to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import say

PIPELINE = """\
# A pipeline. Every setting: `rag check pipeline.yaml`. Every stage: `rag show stages`.
version: 1
extends: {recipe}
set:
  chunker.size: 256 # tokens a chunk aims at
"""
DOCUMENT = """\
# The lighthouse at Pellan Point

The lighthouse was built in 1871 by the engineer Maria Hoyle. Its lamp was first lit on 3 March 1872.

## Opening hours

Visitors may climb the tower from May to September, Tuesday to Sunday, between 10:00 and 17:00.
The last climb starts at 16:15. The tower is closed in winds above 60 km/h.
"""
QUESTIONS = """\
{"id": "q1", "text": "Who built the lighthouse at Pellan Point?", "answers": ["Maria Hoyle"]}
{"id": "q2", "text": "When does the last climb start?", "answers": ["16:15"]}
"""


def command(
    folder: Annotated[Path, typer.Argument(help="where to put the files")] = Path(),
    recipe: Annotated[str, typer.Option(help="the recipe to start from")] = "quickstart",
    force: Annotated[bool, typer.Option("--force", help="replace files that are there")] = False,
) -> None:
    """Write a pipeline file, a small document and two questions to start from."""
    from rag.config import load
    from rag.errors import ConfigError

    load(recipe)
    text = DOCUMENT
    spans = ""
    for query, quote in (("q1", "Maria Hoyle"), ("q2", "16:15")):
        start = text.index(quote)
        spans += (
            f'{{"query_id": "{query}", "doc_id": "lighthouse.md", "start": {start}, "end": {start + len(quote)}}}\n'
        )
    files = {
        "pipeline.yaml": PIPELINE.format(recipe=recipe),
        "docs/lighthouse.md": text,
        "questions/queries.jsonl": QUESTIONS,
        "questions/corpus.jsonl": _record(text),
        "questions/qrels.tsv": "query-id\tcorpus-id\tscore\nq1\tlighthouse.md\t1\nq2\tlighthouse.md\t1\n",
        "questions/spans.jsonl": spans,
    }
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise ConfigError(f"{folder / there[0]}: is there already. Choose another folder, or --force to replace it.")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    for name in files:
        print(folder / name)
    where = "" if folder == Path() else f"cd {folder} && "
    say("Next:\n  rag models pull")
    say(f"  {where}rag index pipeline.yaml docs --out index")
    say('  rag ask index "When does the last climb start?"')
    say("  rag eval pipeline.yaml --data questions")


def _record(text: str) -> str:
    import json

    record = {
        "id": "lighthouse.md",
        "title": "The lighthouse",
        "text": text,
        "metadata": {"media_type": "text/markdown"},
    }
    return json.dumps(record, ensure_ascii=False) + "\n"
