"""The HTTP service: routes over indexes, typed, with an OpenAPI document and one page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from rag import __version__
from rag.serving import answering, reading
from rag.serving.guard import Guard, Limits
from rag.serving.models import (
    AnswerOut,
    Ask,
    DocumentsOut,
    ErrorOut,
    HealthOut,
    IndexesOut,
    Search,
    SearchOut,
    Spans,
    SpansOut,
    TreeOut,
)
from rag.serving.page import page, policy
from rag.serving.problem import Problem
from rag.serving.service import Service, dumps

if TYPE_CHECKING:
    from rag.serving.desk import Turn
    from rag.serving.guard import Scope
    from rag.serving.live import Opened

__all__ = ["guarded", "routes"]

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorOut, "description": told}
    for status, told in {
        400: "the request is cut short",
        401: "no token, or a wrong one",
        403: "not allowed on this service",
        404: "no such index, document or node",
        408: "the request did not arrive in time",
        413: "too much at once",
        421: "another service's name",
        422: "a value is not allowed; says which",
        429: "too many requests from one address",
        500: "a failure of the service",
        503: "too busy, or something it needs is missing",
        504: "the answer took too long",
    }.items()
}
Name = Annotated[str | None, Query(max_length=200, description="one of `/indexes`; the first by default")]
Doc = Annotated[str, Query(max_length=4096, description="id of a document")]
Offset = Annotated[int, Query(ge=0, le=2**53)]


class Plain(JSONResponse):
    """JSON in ASCII, whatever the texts hold."""

    def render(self, content: Any) -> bytes:
        """The bytes."""
        return dumps(content)


def guarded(service: Service, limits: Limits) -> Guard:
    """The application behind its limits."""
    app = routes(service)
    known = {route.path for route in app.routes if hasattr(route, "path")}

    def count(scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        service.metrics.request(path if path in known else "other", status, seconds)

    return Guard(app, limits, count)


def routes(service: Service) -> FastAPI:
    """The application; it has no page that fetches from elsewhere."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(service.look())
        try:
            yield
        finally:
            looking.cancel()
            service.close()

    app = FastAPI(
        title="ragtree",
        version=__version__,
        description="Ask documents; every citation is an exact slice of its source.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        default_response_class=Plain,
        responses=REFUSALS,
    )
    _refusals(app, service)
    _questions(app, service)
    _texts(app, service)
    _state(app, service)
    return app


def _refusals(app: FastAPI, service: Service) -> None:
    """Every error in one form; see `problem`."""

    def told(problem: Problem) -> Response:
        headers = {"retry-after": str(max(1, round(problem.retry)))} if problem.retry else {}
        return Plain(problem.body(), status_code=problem.status, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return told(Problem(422, "body", "is not JSON.", "Send an object as `/openapi.json` describes it."))
        where = ".".join(str(part)[:80] for part in first["loc"])
        more = len(error.errors()) - 1
        what = first["msg"][:1].lower() + first["msg"][1:] + ("." if not more else f" (and {more} more).")
        return told(Problem(422, where, what, "See `/openapi.json`."))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        known = {400: "the body cannot be read.", 404: "no such route.", 405: "another method is needed."}
        what = known.get(error.status_code, "is refused.")
        answer = told(Problem(error.status_code, "request", what, "See `/openapi.json`."))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return told(service.problem(error))

    for kind in _expected():
        app.add_exception_handler(kind, failed)


def _expected() -> tuple[type[Exception], ...]:
    from rag.errors import RagError

    return (Problem, RagError)


async def _gone(request: Request) -> None:
    """Ends when the caller has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _questions(app: FastAPI, service: Service) -> None:
    @app.post("/ask", response_model=AnswerOut, tags=["questions"])
    async def ask(asked: Ask, request: Request) -> Response:
        """Answer a question, with citations that are slices of the documents."""
        return Plain(await service.ask(asked, lambda: _gone(request)))

    @app.post(
        "/ask/stream",
        tags=["questions"],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "events: `stage`, `words`, `answer`"}},
    )
    async def stream(asked: Ask) -> Response:
        """The same as server-sent events: `stage` as each ends, then `answer`, or `error`.

        Between them come `words`, `{"text": ...}`: pieces of what the reader's language model says, as it is made and
        not yet checked. `again` says that all words so far are void. Only `answer` holds what was checked.
        """
        return StreamingResponse(await service.stream(asked), media_type="text/event-stream")

    @app.post("/search", response_model=SearchOut, tags=["questions"])
    async def search(asked: Search, request: Request, k: Annotated[int, Query(ge=1, le=1000)] = 10) -> Response:
        """The best hits, with no compressor and no reader."""
        service.may(asked.set)

        def work(opened: Opened, name: str, turn: Turn) -> dict[str, Any]:
            return answering.search(opened, name, asked, turn, k)

        return Plain(await service.read(asked.index, work, lambda: _gone(request)))


def _texts(app: FastAPI, service: Service) -> None:
    @app.get("/documents", response_model=DocumentsOut, tags=["texts"])
    async def documents(
        index: Name = None,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        contains: Annotated[str, Query(max_length=200, description="part of an id")] = "",
    ) -> Response:
        """Ids and metadata, a page at a time."""
        return Plain(
            await service.read(
                index,
                lambda opened, name, _: reading.documents(opened, name, offset=offset, limit=limit, contains=contains),
            )
        )

    @app.get("/tree", response_model=TreeOut, tags=["texts"])
    async def tree(
        *,
        doc: Doc,
        index: Name = None,
        node: Offset = 0,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        at: Annotated[int | None, Query(ge=0, le=2**53, description="the page that holds this character")] = None,
    ) -> Response:
        """A node of a document's outline and a page of its children; node 0 is the document."""
        return Plain(
            await service.read(
                index, lambda opened, name, _: reading.tree(opened, name, doc, node, offset=offset, limit=limit, at=at)
            )
        )

    @app.post("/spans", response_model=SpansOut, tags=["texts"])
    async def spans(asked: Spans) -> Response:
        """The texts of ranges: `document.text[start:end]`."""
        wanted = [(one.doc, one.start, one.end) for one in asked.spans]
        return Plain(await service.read(asked.index, lambda opened, name, _: reading.slices(opened, name, wanted)))


def _state(app: FastAPI, service: Service) -> None:
    @app.get("/indexes", response_model=IndexesOut, tags=["state"])
    async def indexes() -> Response:
        """What is served: sizes, stages, and the settings that may be changed for one question."""
        found = []
        for name in service.lives:
            told = await service.read(name, lambda opened, name, _: reading.about(opened, name))
            found.append(told if service.tune else told | {"settings": {}})
        return Plain({"indexes": found})

    @app.get("/health", response_model=HealthOut, tags=["state"])
    async def health() -> Response:
        """Whether it answers, and from the newest state of its indexes."""
        found = service.health()
        status = "stale" if any(one["stale"] for one in found) else "ok"
        return Plain({"status": status, "version": __version__, "indexes": found})

    @app.get("/metrics", response_class=PlainTextResponse, tags=["state"])
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        return PlainTextResponse(service.prometheus(), media_type="text/plain; version=0.0.4")

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def home() -> Response:
        return HTMLResponse(page(), headers={"content-security-policy": policy()})
