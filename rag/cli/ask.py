"""`rag ask`: a question to an index folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.common import Allow, Json, Set, emit
from rag.cli.completing import indexes

if TYPE_CHECKING:
    from rag.types import Answer


def command(
    folder: Annotated[Path, typer.Argument(help="the index folder", autocompletion=indexes)],
    question: Annotated[str, typer.Argument(help="the question; - reads it from standard input")],
    scope: Annotated[list[str] | None, typer.Option(help="id of a document to ask; may be given again")] = None,
    history: Annotated[
        list[str] | None, typer.Option(help="an earlier turn, 'user: ...' or 'assistant: ...'; again, oldest first")
    ] = None,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    trace: Annotated[bool, typer.Option("--trace", help="also print what each stage did")] = False,
    json: Json = False,
) -> None:
    """Answer a question from an index, with citations that are slices of the documents.

    What a guard kept from the reader (`rerankers/verify`) is listed with its reason; `--json` lists every hit that a
    stage left out.
    """
    import sys

    from rag import trace as traces
    from rag.index import open_index
    from rag.serving import told
    from rag.types import Query

    text = sys.stdin.read() if question == "-" else question
    index = open_index(folder, set=set, allow=allow)
    answer = index.ask(Query("question", text, scope=tuple(scope) if scope else None, history=tuple(history or ())))
    if json:
        emit(told.answer(answer))
    else:
        print(as_text(answer))
    if trace:
        print(traces.table(answer.trace), file=sys.stderr)


def as_text(answer: Answer) -> str:
    """The answer as a person reads it."""
    if answer.status == "retrieved":
        lines = [f"(no reader in this pipeline: the {len(answer.context or ())} best pieces of evidence)"]
        for hit in answer.context or ():
            body = " ".join(hit.text.split())
            lines.append(f"{hit.score:8.3f}  {hit.doc} [{hit.start}:{hit.end}]  {body[:160]}")
        return "\n".join((*lines, *_withheld(answer)))
    head = answer.text if answer.status == "answered" else "No answer: the documents do not say."
    quotes = [f"  [{i}] {c.doc} [{c.start}:{c.end}]  {c.quote!r}" for i, c in enumerate(answer.citations, 1)]
    return "\n".join((head, *quotes, *_withheld(answer), f"  ({answer.seconds:.2f} s)"))


def _withheld(answer: Answer) -> list[str]:
    """What a guard kept from the reader, a line each: those beyond a rank or a budget are left to `--json`."""
    drops = () if answer.context is None else answer.context.drops
    told = [drop for drop in drops if drop.reason.startswith(("quarantine: ", "drop: "))]
    lines = [f"  - {d.hit.doc} [{d.hit.start}:{d.hit.end}]  {d.reason}" for d in told]
    return [f"  kept from the reader ({len(told)}):", *lines] if told else []
