"""A service that does nothing but give the same bytes: the bound that `rag bench serve` compares with.

`python -m evals.bench.bare_service FILE` says where it listens on standard error, in the words of `rag serve`.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve the bytes of a file until stopped, with the same server and protocol as `rag serve`."""
    import uvicorn

    body = Path(sys.argv[1]).read_bytes()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(_: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    sys.stderr.write(f"serving at http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stderr.flush()
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", access_log=False, log_config=None)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
