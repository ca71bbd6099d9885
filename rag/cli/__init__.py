"""The command line: parse, call the library, print.

Data goes to stdout (`--json` for machines), talk and progress to stderr. Exit 0 done, 1 some items
failed (listed in a file beside the results), 2 bad request. A `RagError` is one line; a
traceback is our bug. Other packages add commands by entry points of the group `rag.commands`.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from rag.cli import (
    ask,
    bench,
    check,
    chunk,
    compare,
    data,
    demo,
    docs,
    doctor,
    eval,  # noqa: A004 - the verb's name
    index,
    init,
    mcp,
    models,
    report,
    run,
    serve,
    show,
    sweep,
    tree,
)
from rag.errors import RagError

__all__ = ["app", "main"]

STOPPED = 130  # exit code of a command that was interrupted

app = typer.Typer(
    name="rag",
    help="Ask real documents; get answers whose citations are exact slices of the sources.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (index, ask, run, eval, compare, report, sweep, chunk, tree, check, init, demo, docs, serve, mcp, doctor):
    app.command(verb.__name__.rpartition(".")[2])(verb.command)
app.add_typer(show.app, name="show")
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="print the version and stop")) -> None:
    if version:
        from rag import __version__

        print(f"ragtree {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; the console script `rag`."""
    for entry in entry_points(group="rag.commands"):
        app.command(entry.name)(entry.load())
    try:
        app()
    except RagError as error:
        print(f"rag: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stop:  # typer turns Ctrl-C within a verb into the exit code of one
        if isinstance(stop, SystemExit) and stop.code != STOPPED:
            raise
        print("rag: stopped.", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:  # a folder that is missing or closed to us, a disk that is full
        if error.filename is None:
            raise
        print(f"rag: {error.filename}: {error.strerror}. Check the path, its rights and the disk.", file=sys.stderr)
        sys.exit(2)
