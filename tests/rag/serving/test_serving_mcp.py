"""The official client lists the tools, asks and reads over every transport."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp.server.mcpserver", reason="mcp 2 or newer is not installed")

import httpx
import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from serving_small import DOCUMENTS, made, service, serving

from rag.serving.tools import server
from rag.types import Document

TOOLS = {"search", "ask", "fetch", "outline", "read_span"}
TEXTS = {document.id: document.text for document in DOCUMENTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("mcp") / "small")


async def walk(client: Any) -> None:
    """What an agent does: look, search, ask, read, check."""
    listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == TOOLS
    assert all(tool.description and tool.annotations.read_only_hint for tool in listed)
    found = (await client.call_tool("search", {"question": "Who dredged the harbour?", "k": 2})).structured_content
    assert found["hits"]
    first = found["hits"][0]
    assert first["text"] in TEXTS[first["doc"]]
    answer = (await client.call_tool("ask", {"question": "Who dredged the harbour?"})).structured_content
    assert answer["status"] == "retrieved"
    piece = answer["context"][0]
    asked = {"id": piece["doc"], "start": piece["start"], "end": piece["end"]}
    span = (await client.call_tool("read_span", asked)).structured_content
    assert span["text"] == piece["text"] == TEXTS[piece["doc"]][piece["start"] : piece["end"]]
    outline = (await client.call_tool("outline", {"id": "harbour.md"})).structured_content
    assert outline["characters"] == len(TEXTS["harbour.md"])
    part = (await client.call_tool("fetch", {"id": "harbour.md", "start": 4, "characters": 10})).structured_content
    assert (part["text"], part["next"]) == (TEXTS["harbour.md"][4:14], 14)


def test_the_client_in_this_process(folder: Path) -> None:
    async def go() -> None:
        async with mcp.Client(server(service(folder))) as client:
            await walk(client)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("fetch", {"id": "/etc/passwd"}, "no document '/etc/passwd'"),
        ("read_span", {"id": "harbour.md", "start": 0, "end": 10**6}, "must lie within"),
        ("ask", {"question": " "}, "at least one character"),
        ("ask", {"question": "x" * 20_001}, "20000 characters"),
        ("search", {"question": "x", "index": "other"}, "must be one of 'small'"),
        ("outline", {"id": "harbour.md", "node": 9999}, "must be below"),
    ],
)
def test_what_cannot_be_done_is_told(folder: Path, tool: str, given: dict[str, Any], said: str) -> None:
    async def go() -> None:
        async with mcp.Client(server(service(folder))) as client:
            result = await client.call_tool(tool, given)
            assert result.is_error
            assert said in result.content[0].text
            assert str(folder) not in result.content[0].text

    asyncio.run(go())


def test_half_a_character_is_said_by_a_mark_and_offsets_stay(folder: Path) -> None:
    async def go() -> None:
        async with mcp.Client(server(service(folder))) as client:
            part = (await client.call_tool("fetch", {"id": "../../etc/passwd"})).structured_content
            source = TEXTS["../../etc/passwd"]
            assert len(part["text"]) == len(source)
            assert [a for a, b in zip(part["text"], source, strict=True) if a != b] == ["\ufffd"]

    asyncio.run(go())


def test_a_new_generation_is_taken_up(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")

    async def go() -> None:
        async with mcp.Client(server(service(folder))) as client:
            before = await client.call_tool("fetch", {"id": "new.txt"})
            made(folder, Document("new.txt", "The lighthouse keeper is called Ode."))
            after = await client.call_tool("fetch", {"id": "new.txt"})
            assert before.is_error
            assert after.structured_content["text"] == "The lighthouse keeper is called Ode."

    asyncio.run(go())


@pytest.mark.service
def test_the_client_over_standard_input(folder: Path) -> None:
    command = ["-c", "from rag.cli import main; main()", "mcp", str(folder)]
    started = mcp.StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))

    async def go() -> None:
        async with mcp.Client(mcp.stdio_client(started)) as client:
            await walk(client)

    asyncio.run(go())


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with serving(folder, "--http", verb="mcp") as (url, _):
        yield url


@pytest.mark.service
def test_the_client_over_streamable_http(site: str) -> None:
    async def go() -> None:
        async with mcp.Client(streamable_http_client(site)) as client:
            await walk(client)

    asyncio.run(go())


@pytest.mark.service
def test_streamable_http_is_guarded_as_the_service_is(folder: Path) -> None:
    secret = "a-token-of-some-length"
    with serving(folder, "--http", verb="mcp", env={"RAG_SERVE_TOKEN": secret}) as (url, _):
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert httpx.post(url, json=ping).status_code == 401
        assert (
            httpx.post(url, content=b" " * 5_000_000, headers={"authorization": f"Bearer {secret}"}).status_code == 413
        )
        assert httpx.post(url, json=ping, headers={"host": "evil.example"}).status_code == 421

        async def go() -> None:
            async with (
                httpx2.AsyncClient(headers={"authorization": f"Bearer {secret}"}) as http,
                mcp.Client(streamable_http_client(url, http_client=http)) as client,
            ):
                await walk(client)

        asyncio.run(go())
