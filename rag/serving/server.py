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
from typing import Any

from rag.errors import ConfigError
from rag.optional import require
from rag.serving.guard import LOCAL, Limits
from rag.serving.live import Live

__all__ = ["hosts", "listening", "opened", "serve", "token"]

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
    made = socket.socket(family, socket.SOCK_STREAM)
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
    """Serve until stopped; questions under way get their answers first.

    Raises:
        MissingExtra: the packages of the extra `serve` are not installed.
        ConfigError: the port cannot be used.
    """
    require("fastapi", extra="serve", by="rag serve")
    uvicorn = require("uvicorn", extra="serve", by="rag serve")
    from rag.serving.app import guarded
    from rag.serving.patient import PatientProtocol
    from rag.serving.service import Service

    sock = listening(host, port)
    service = Service(lives, **options)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="rag: %(message)s", force=True)
    logging.getLogger("rag").setLevel(logging.INFO)
    config = uvicorn.Config(
        guarded(service, limits),
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
        timeout_graceful_shutdown=max(5, round(service.desk.seconds)),
        h11_max_incomplete_event_size=64 * 1024,
    )
    at = sock.getsockname()
    shown = f"[{at[0]}]" if ":" in at[0] else at[0]
    kept = "with a token" if limits.token else "without a token"
    logging.getLogger("rag.serving").info(
        "serving %s at http://%s:%d, %s. Stop with Ctrl-C.", ", ".join(service.lives), shown, at[1], kept
    )
    uvicorn.Server(config).run(sockets=[sock])
