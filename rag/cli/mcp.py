"""`rag mcp`: index folders as tools for agents."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.cli.common import Allow, Set
from rag.cli.serve import TOKEN, Folders


def command(
    folders: Folders,
    http: Annotated[bool, typer.Option("--http", help="streamable HTTP at /mcp instead of standard input")] = False,
    host: Annotated[str, typer.Option(help="address to listen on, with --http")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port, with --http; 0 takes a free one")] = 8001,
    set: Set = [],  # noqa: A002, B006 - the option's name; typer copies the default
    allow: Allow = [],  # noqa: B006
    token_env: Annotated[str, typer.Option(help="variable that holds the bearer token; unset asks for none")] = TOKEN,
    allow_host: Annotated[list[str], typer.Option(help="another name in the Host header; * takes any")] = [],  # noqa: B006
    without_token: Annotated[bool, typer.Option("--without-token", help="serve beyond this machine to anyone")] = False,
    workers: Annotated[int, typer.Option(min=1, help="questions at a time")] = 2,
    seconds: Annotated[float, typer.Option(min=0.1, help="for one question, waiting included")] = 60.0,
) -> None:
    """Serve the tools search, ask, fetch, outline and read_span over MCP; stdio unless --http."""
    from rag.serving.guard import Limits
    from rag.serving.server import hosts, opened, serve_mcp, serve_stdio, token

    if not http:
        serve_stdio(opened(folders, set=set, allow=allow), workers=workers, seconds=seconds)
        return
    limits = Limits(
        hosts=hosts(host, allow_host), token=token(token_env, host, without_token=without_token), body=1 << 20
    )
    lives = opened(folders, set=set, allow=allow)
    serve_mcp(lives, host=host, port=port, limits=limits, workers=workers, seconds=seconds)
