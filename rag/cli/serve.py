"""`rag serve`: index folders as an HTTP service with a page."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.cli.common import Allow, Set
from rag.cli.completing import indexes

TOKEN = "RAG_SERVE_TOKEN"  # noqa: S105 - the name of a variable
Folders = Annotated[
    list[str],
    typer.Argument(help="index folders, each FOLDER or NAME=FOLDER; the first is default", autocompletion=indexes),
]


def command(
    folders: Folders,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port; 0 takes a free one")] = 8000,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    token_env: Annotated[str, typer.Option(help="variable that holds the bearer token; unset asks for none")] = TOKEN,
    allow_host: Annotated[list[str], typer.Option(help="another name in the Host header; * takes any")] = [],  # noqa: B006
    without_token: Annotated[bool, typer.Option("--without-token", help="serve beyond this machine to anyone")] = False,
    fixed: Annotated[bool, typer.Option("--fixed", help="callers may change no numbers of the pipeline")] = False,
    workers: Annotated[int, typer.Option(min=1, help="questions at a time")] = 2,
    line: Annotated[int, typer.Option(min=0, help="questions that may wait besides")] = 256,
    seconds: Annotated[float, typer.Option(min=0.1, help="for one question, waiting included")] = 60.0,
    body: Annotated[int, typer.Option(min=1024, help="bytes of a request")] = 256 * 1024,
    rate: Annotated[float, typer.Option(min=0, help="requests a second from one address; 0 for no limit")] = 1000.0,
    watch: Annotated[float, typer.Option(min=0, help="seconds between looks at the folders; 0 never looks")] = 1.0,
) -> None:
    """Serve indexes: ask, search, read, with a page at /; indexes that change on disk are taken up."""
    from rag.serving.guard import Limits
    from rag.serving.server import hosts, opened, serve, token

    limits = Limits(
        body=body,
        rate=rate,
        burst=max(1, round(2 * rate)),
        hosts=hosts(host, allow_host),
        token=token(token_env, host, without_token=without_token),
    )
    lives = opened(folders, set=set, allow=allow)
    serve(
        lives,
        host=host,
        port=port,
        limits=limits,
        workers=workers,
        line=line,
        seconds=seconds,
        watch=watch,
        tune=not fixed,
    )
