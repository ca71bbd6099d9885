"""What stands before every route: host, token, rate, size and time of a request, and what is written about it.

Plain ASGI, so that answers may stream. Nothing of a request's body is read before its host, token and rate are known
to be good; a body is never read beyond its limit, whatever it says about itself.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from rag.serving.problem import Problem

__all__ = ["Guard", "Limits", "Rate"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/", "/health"})  # say nothing of the documents, so they need no token
DRAIN = 1 << 30  # bytes of a refused body that are read and forgotten
CLIENTS = 10_000  # addresses whose rate is remembered
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one caller may ask of the service.

    Args:
        body: bytes of a request.
        patience: seconds for a request to arrive, and for a piece of its answer to be taken.
        rate: requests a second from one address; 0 for no limit.
        burst: requests at once above the rate.
        hosts: names in the `Host` header that are answered; empty for any.
        token: what `Authorization: Bearer` must carry; "" for none.
    """

    body: int = 256 * 1024
    patience: float = 10.0
    rate: float = 1000.0
    burst: int = 2000
    hosts: Collection[str] = LOCAL
    token: str = field(default="", repr=False)


class Rate:
    """A bucket of tokens a caller, for the callers seen last."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, now: float) -> float:
        """Seconds until this caller may ask; 0 when it may now, which is then counted."""
        if not self.rate:
            return 0.0
        held, then = self._held.pop(caller, (float(self.burst), now))
        held = min(float(self.burst), held + (now - then) * self.rate)
        self._held[caller] = (held - 1 if held >= 1 else held, now)
        while len(self._held) > CLIENTS:
            self._held.popitem(last=False)
        return 0.0 if held >= 1 else (1 - held) / self.rate


class Guard:
    """The checks, around an application.

    Args:
        app: what answers.
        limits: what is allowed.
        count: called with (path, status, seconds) after each request.
    """

    def __init__(self, app: App, limits: Limits, count: Callable[[Scope, int, float], None]) -> None:
        self.app, self.limits, self.count = app, limits, count
        self.rate = Rate(limits.rate, limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, started = time.perf_counter(), 500, False

        async def out(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                named = {name.lower() for name, _ in message.get("headers", ())}
                extra = [pair for pair in HEADERS if pair[0] not in named]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            async with asyncio.timeout(self.limits.patience):
                await send(message)

        try:
            self._admit(scope)
            await self.app(scope, await self._body(scope, receive), out)
        except Problem as problem:
            if not started:
                await self._drain(scope, receive, problem)
                await refuse(problem, out, close=True)
        except TimeoutError:  # the caller takes its answer too slowly: the connection ends
            status = 499
            if not started:
                raise
        finally:
            self.count(scope, status, time.perf_counter() - began)

    def _admit(self, scope: Scope) -> None:
        headers = dict(reversed(scope["headers"]))
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        if self.limits.hosts and name.strip("[]") not in self.limits.hosts:
            raise Problem(421, "header Host", "is not a name of this service.", "Start it with --allow-host NAME.")
        if self.limits.token and scope["path"] not in OPEN:
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            same = hmac.compare_digest(given.strip(), self.limits.token.encode())
            if kind.lower() != b"bearer" or not same:
                came = "another" if given else "none"
                raise Problem(401, "header Authorization", f"must carry the service's bearer token, got {came}.")
        client = scope.get("client")
        wait = self.rate.wait(client[0] if client else "", time.monotonic())
        if wait:
            raise Problem(
                429, "client", f"must ask at most {self.limits.rate:g} times a second.", "Wait a little.", retry=wait
            )
        told = headers.get(b"content-length", b"")
        if told and (not told.isdigit() or int(told[:20]) > self.limits.body):
            raise self._too_big(f"{told[:20].decode('latin-1')} bytes")

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """The body, read whole within the limits, as the application will receive it."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        body, more = b"", True
        ends = time.monotonic() + self.limits.patience
        while more:
            try:
                async with asyncio.timeout(ends - time.monotonic()):
                    message = await receive()
            except TimeoutError as error:
                raise Problem(
                    408, "body", f"must arrive within {self.limits.patience:g} s.", "Send it again."
                ) from error
            if message["type"] == "http.disconnect":
                raise Problem(400, "body", "ended before it was whole.", "Send it again.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limits.body:
                raise self._too_big("more")
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return again

    async def _drain(self, scope: Scope, receive: Receive, problem: Problem) -> None:
        """Read what is still coming and forget it: a caller that is writing would not see its answer."""
        waits = any(name == b"expect" for name, _ in scope["headers"])
        if waits or problem.status in (400, 408) or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        read, more = 0, True
        try:
            async with asyncio.timeout(self.limits.patience):
                while more and read < DRAIN:
                    message = await receive()
                    read += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            return

    def _too_big(self, came: str) -> Problem:
        return Problem(413, "body", f"must be at most {self.limits.body} bytes, got {came}.", "Send less.")


async def refuse(problem: Problem, send: Send, *, close: bool = False) -> None:
    """Answer with the problem."""
    body = json.dumps(problem.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if close:  # a body may be unread
        headers.append((b"connection", b"close"))
    if problem.retry:
        headers.append((b"retry-after", str(max(1, round(problem.retry))).encode()))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
