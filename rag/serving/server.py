"""Starting and stopping the service."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import re
import socket
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError
from rag.optional import require
from rag.serving.guard import LOCAL, Limits
from rag.serving.live import Live

if TYPE_CHECKING:
    from rag.serving.service import Service

__all__ = ["hosts", "listening", "opened", "serve", "serve_mcp", "serve_stdio", "token"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SCOPED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*):(?P<change>[^=]*=.*)", re.DOTALL)


def local(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts(host: str, more: Sequence[str]) -> Collection[str]:
    """Names in the `Host` header that are answered: this machine's, the address itself, and what is allowed.

    A page of another site can be made to call a name that leads here; its requests carry that name.
    """
    if "*" in more or (not more and not local(host)):  # beyond this machine the token guards
        return ()
    return {*LOCAL, host.lower(), *(name.lower() for name in more)}


def token(variable: str, host: str, *, without_token: bool) -> str:
    """The bearer token from the environment; "" where none is asked for.

    Raises:
        ConfigError: the service can be reached from other machines and has no token.
    """
    found = os.environ.get(variable, "").strip()
    if not found and not local(host) and not without_token:
        raise ConfigError(
            f"--host {host}: other machines can reach it, so ${variable} must hold a token, got none."
            f" Set it, for example to the output of `openssl rand -hex 32`, or add --without-token."
        )
    if found and (len(found) < 16 or not found.isascii() or any(c.isspace() for c in found)):
        raise ConfigError(f"${variable}: must be at least 16 ASCII characters without spaces, got {len(found)}.")
    return found


def opened(folders: Sequence[str], *, set: Sequence[str] = (), allow: Sequence[str] = ()) -> list[Live]:  # noqa: A002
    """The index folders under their names.

    Args:
        folders: `FOLDER`, named by its last part, or `NAME=FOLDER`.
        set: overrides; `NAME:path=value` is for that index alone.
        allow: modules outside the installed stages that configs may name.

    Raises:
        ConfigError: a name twice, or not a name.
        StoreError: a folder is no index.
    """
    named: dict[str, Path] = {}
    for given in folders:
        name, equals, folder = given.partition("=")
        path = Path(folder if equals else given)
        name = name if equals else path.resolve().name
        if not NAME.fullmatch(name):
            raise ConfigError(f"{given!r}: must be named by letters, digits, '.', '_' and '-'. Write NAME=FOLDER.")
        if name in named:
            raise ConfigError(f"{given!r}: the name {name!r} is taken by {str(named[name])!r}. Write NAME=FOLDER.")
        named[name] = path
    own: dict[str, list[str]] = {name: [] for name in named}
    for change in set:
        scoped = SCOPED.fullmatch(change)
        if scoped and scoped["name"] in own:
            own[scoped["name"]].append(scoped["change"])
        else:
            for changes in own.values():
                changes.append(change)
    return [Live(name, path, set=own[name], allow=allow) for name, path in named.items()]


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens, made before anything slow begins.

    Raises:
        ConfigError: the port is taken or may not be used, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with its protocol named, asyncio sends small answers at once; else each waits 40 ms for the caller's receipt
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(512)
    except OSError as error:
        made.close()
        reasons = {
            errno.EADDRINUSE: f"--port {port}: is in use. Choose another, or 0 for a free one.",
            errno.EACCES: f"--port {port}: may not be used by this user. Choose one from 1024 on.",
            errno.EADDRNOTAVAIL: f"--host {host}: is no address of this machine.",
        }
        raise ConfigError(
            reasons.get(error.errno or 0, f"--host {host} --port {port}: cannot listen ({error.strerror}).")
        ) from error
    return made


def serve(lives: Sequence[Live], *, host: str, port: int, limits: Limits, **options: Any) -> None:
    """Serve the HTTP routes and the page until stopped; questions under way get their answers first.

    Raises:
        MissingExtra: the packages of the extra `serve` are not installed.
        ConfigError: the port cannot be used.
    """
    for package in ("fastapi", "uvicorn", "h11"):
        require(package, extra="serve", by="rag serve")
    from rag.serving.app import guarded
    from rag.serving.service import Service

    sock = listening(host, port)
    service = Service(lives, **options)
    run(guarded(service, limits), sock, service, limits, grace=service.desk.seconds)


def serve_mcp(lives: Sequence[Live], *, host: str, port: int, limits: Limits, **options: Any) -> None:
    """Serve the MCP tools over streamable HTTP, at `/mcp`, until stopped.

    Raises:
        MissingExtra: the packages of the extra `mcp` are not installed.
        ConfigError: the port cannot be used.
    """
    require("mcp.server.mcpserver", extra="mcp", by="rag mcp")
    require("uvicorn", extra="mcp", by="rag mcp")
    from mcp.server.transport_security import TransportSecuritySettings

    from rag.serving.guard import Guard
    from rag.serving.service import Service
    from rag.serving.tools import server

    sock = listening(host, port)
    service = Service(lives, **options)
    unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # Guard looks at the names
    app = server(service).streamable_http_app(transport_security=unguarded, max_request_body_size=limits.body)

    def count(scope: Any, status: int, seconds: float) -> None:
        service.metrics.request(scope["path"] if scope["path"] == "/mcp" else "other", status, seconds)

    run(Guard(app, limits, count), sock, service, limits, path="/mcp")


def serve_stdio(lives: Sequence[Live], **options: Any) -> None:
    """Serve the MCP tools over standard input and output until the input ends.

    Raises:
        MissingExtra: the package of the extra `mcp` is not installed.
    """
    require("mcp.server.mcpserver", extra="mcp", by="rag mcp")
    from rag.serving.service import Service
    from rag.serving.tools import server

    service = Service(lives, **options)
    try:
        server(service).run("stdio")
    finally:
        service.close()


def run(app: Any, sock: socket.socket, service: Service, limits: Limits, *, path: str = "", grace: float = 5) -> None:
    """An application on a socket, with uvicorn; when stopped, requests under way have `grace` seconds to end."""
    import uvicorn

    from rag.serving.patient import PatientProtocol

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="rag: %(message)s", force=True)
    logging.getLogger("rag").setLevel(logging.INFO)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=1000,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(grace)),
        h11_max_incomplete_event_size=64 * 1024,
    )
    at = sock.getsockname()
    shown = f"[{at[0]}]" if ":" in at[0] else at[0]
    kept = "with a token" if limits.token else "without a token"
    logging.getLogger("rag.serving").info(
        "serving %s at http://%s:%d%s, %s. Stop with Ctrl-C.", ", ".join(service.lives), shown, at[1], path, kept
    )
    try:
        uvicorn.Server(config).run(sockets=[sock])
    finally:
        service.close()
