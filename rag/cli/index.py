"""`rag index`: documents in, index folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Allow, Json, Quiet, Set, emit, progress, say, stoppable
from rag.cli.completing import configs

SHOWN = 10  # failures on the terminal; all are in the file


def command(
    config: Annotated[str, typer.Argument(help="a YAML file or the name of a recipe", autocompletion=configs)],
    paths: Annotated[list[Path] | None, typer.Argument(help="files, folders, dataset folders")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="the index folder")] = Path("index"),
    delete: Annotated[list[str] | None, typer.Option("--delete", help="id of a document to remove")] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes that load and chunk")] = 1,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Load, chunk, embed and store documents; only what changed when the folder is there."""
    from rag.config import load
    from rag.models.ledger import spending

    pipeline = load(config, set=set, allow=allow)
    kept = f"the index in {out} is as it was before."
    with stoppable(kept), spending() as ledger, progress(quiet=quiet) as bar:
        index = pipeline.index(paths or [], out, delete=delete or [], workers=workers, progress=bar)
    report = index.report
    assert report is not None, "building gives a report"
    if json:
        emit(report.as_dict() | ({"usage": dict(ledger.usage())} if ledger.usage() else {}))
    else:
        print(report.summary())
    if ledger.usage():  # with several workers growers call from other processes, whose ledgers are not seen here
        say("rag: model calls: " + ", ".join(f"{n:,.4g} {name}" for name, n in ledger.usage().items()), quiet=quiet)
    for failure in report.failures[:SHOWN]:
        say(f"rag: skipped {failure}", quiet=quiet)
    if report.failures:
        more = f"{len(report.failures) - SHOWN} more; " if len(report.failures) > SHOWN else ""
        say(f"rag: {more}{len(report.failures)} failed, listed in {out / 'failures.jsonl'}", quiet=quiet)
        raise typer.Exit(1)
