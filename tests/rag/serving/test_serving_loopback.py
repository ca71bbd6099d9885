"""`rag serve` as a process: clients that misbehave, an index that changes, a stop in the middle of a question."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from serving_slow_stage import Slow
from serving_small import DOCUMENTS, Service, call, events, guarded, made, serving

from rag import load
from rag.serving.guard import Limits
from rag.serving.live import Live
from rag.types import Document

pytestmark = pytest.mark.service
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("loopback") / "small")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with serving(folder, "--watch", "0.1") as (url, _):
        yield url


def answers(site: str) -> bool:
    return httpx.post(site + "/ask", json={"question": "harbour"}, timeout=20).status_code == 200


def raw(site: str, data: bytes, seconds: float = 15) -> bytes:
    """What comes back when exactly these bytes are sent, until the other side closes."""
    at = urlsplit(site)
    with socket.create_connection((at.hostname, at.port), timeout=seconds) as link:
        link.sendall(data)
        got = b""
        while piece := link.recv(65536):
            got += piece
        return got


def test_a_body_of_a_hundred_megabytes_gets_a_clear_answer(site: str) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000_000

    told = httpx.post(site + "/ask", content=b" " * 100_000_000, headers=JSON, timeout=60)
    untold = httpx.post(site + "/ask", content=body(), headers=JSON, timeout=60)
    assert told.status_code == untold.status_code == 413
    assert told.json()["error"]["where"] == "body"
    assert answers(site)


def test_clients_that_hang_are_let_go_and_hold_up_nobody(site: str) -> None:
    at = urlsplit(site)
    heads = [b"", b"POST /ask HT", b"POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{"]
    links = [socket.create_connection((at.hostname, at.port), timeout=30) for _ in range(30)]
    for i, link in enumerate(links):
        link.sendall(heads[i % 3])
    began = time.monotonic()
    assert answers(site)
    assert time.monotonic() - began < 5
    for i, link in enumerate(links):
        got = b""
        while piece := link.recv(65536):
            got += piece
        assert (b"408" in got) == (i % 3 == 2)
        link.close()
    assert time.monotonic() - began < 25
    assert answers(site)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /ask HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%00/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    ],
)
def test_broken_requests_are_refused(site: str, data: bytes) -> None:
    got = raw(site, data)
    assert got.startswith(b"HTTP/1.1 4")
    assert b"root:" not in got
    assert answers(site)


def test_a_head_without_an_end_is_cut_off(site: str) -> None:
    at = urlsplit(site)
    sent = 0
    with socket.create_connection((at.hostname, at.port), timeout=15) as link, suppress(OSError):
        for sent in range(2000):  # noqa: B007 - how many were taken is what counts
            link.sendall(b"GET /" + b"a" * 10_000)
            time.sleep(0.001)
    assert sent < 1999, "20 MB of a head were taken"
    assert answers(site)


def test_an_index_that_changes_is_taken_up_while_questions_run(tmp_path: Path) -> None:
    folder = made(tmp_path / "small")
    failed: list[str] = []
    stop = threading.Event()

    def go() -> None:
        with httpx.Client(base_url=url, timeout=20) as client:
            while not stop.is_set():
                answer = client.post("/ask", json={"question": "harbour"})
                if answer.status_code != 200:
                    failed.append(answer.text)

    with serving(folder, "--watch", "0.05") as (url, _):
        threads = [threading.Thread(target=go) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(3):
            made(folder, Document("new.txt", f"The lighthouse keeper {i} is called Ode."))
            ends = time.monotonic() + 20
            while httpx.get(url + "/health").json()["indexes"][0]["generation"] < i + 2:
                assert time.monotonic() < ends
                time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        found = httpx.post(url + "/search", json={"question": "lighthouse keeper"}).json()
    assert not failed
    assert [hit["doc"] for hit in found["hits"]] == ["new.txt"]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose answers take a second."""
    folder = tmp_path_factory.mktemp("slow") / "small"
    pipe = load("lexical", allow=["serving_slow_stage"])
    replace(pipe, stages=(*pipe.stages, Slow(seconds=1.0))).index(DOCUMENTS, folder)
    return folder


HERE = {"PYTHONPATH": str(Path(__file__).parent)}
ALLOW = ("--allow", "serving_slow_stage")


def refuses(url: str) -> bool:
    """Whether new connections are refused, within half a second."""
    for _ in range(100):
        try:
            httpx.get(url + "/health", timeout=5)
        except httpx.HTTPError:
            return True
        time.sleep(0.005)
    return False


def test_a_stop_lets_the_question_under_way_end(slow: Path) -> None:
    codes: list[int] = []

    def go(url: str) -> None:
        codes.append(httpx.post(url + "/ask", json={"question": "harbour"}, timeout=20).status_code)

    with serving(slow, *ALLOW, env=HERE) as (url, process):
        thread = threading.Thread(target=go, args=(url,))
        thread.start()
        ends = time.monotonic() + 10
        while "rag_inside 1\n" not in httpx.get(url + "/metrics").text:
            assert time.monotonic() < ends
        process.send_signal(signal.SIGTERM)
        assert refuses(url), "nothing new is taken"
        thread.join()
        assert process.wait(20) in (0, -signal.SIGTERM)
    assert codes == [200]


def test_a_question_over_its_time_is_told_while_others_go_on(slow: Path) -> None:
    with serving(slow, *ALLOW, "--seconds", "0.4", "--workers", "4", env=HERE) as (url, _):
        began = time.monotonic()
        late = httpx.post(url + "/ask", json={"question": "harbour"}, timeout=20)
        assert (late.status_code, "took longer than 0.4 s" in late.text) == (504, True)
        assert time.monotonic() - began < 0.9
        streamed = httpx.post(url + "/ask/stream", json={"question": "harbour"}, timeout=20).text
        assert [kind for kind, _ in events(streamed)] == ["stage", "error"]
        assert httpx.post(url + "/search", json={"question": "harbour"}).status_code == 504
        assert httpx.get(url + "/documents").status_code == 200


def test_a_caller_that_leaves_gives_its_place_in_the_line_back(slow: Path) -> None:
    with serving(slow, *ALLOW, "--workers", "1", env=HERE) as (url, _):
        began = time.monotonic()
        first = threading.Thread(target=lambda: httpx.post(url + "/ask", json={"question": "harbour"}, timeout=20))
        first.start()
        time.sleep(0.1)
        for path in ("/ask", "/search", "/ask") * 2:
            with pytest.raises(httpx.TimeoutException):
                httpx.post(url + path, json={"question": "harbour"}, timeout=0.1)
        assert httpx.post(url + "/ask", json={"question": "harbour"}, timeout=20).status_code == 200
        assert time.monotonic() - began < 4, "six answers that nobody waits for are not worked on"
        first.join()


def test_a_silent_stream_says_that_it_lives(slow: Path) -> None:
    live = Live("small", slow, allow=["serving_slow_stage"])
    app = guarded(Service([live], watch=0, beat=0.2), Limits(hosts=()))
    text = call(app, "POST", "/ask/stream", json={"question": "harbour"}).text
    assert 2 <= text.count(": at work\n\n") <= 5
    assert [kind for kind, _ in events(text)] == ["stage", "stage", "answer"]


def test_a_stage_that_fails_tells_its_place_and_nothing_else(slow: Path) -> None:
    with serving(slow, *ALLOW, "--set", "stages[1].seconds=0.01", env=HERE) as (url, _):
        for question, status in (("crash harbour", 500), ("unavailable harbour", 503)):
            for path in ("/ask", "/search"):
                answer = httpx.post(url + path, json={"question": question})
                assert answer.status_code == status
                assert answer.json()["error"]["where"].startswith("stages[1]")
                assert "secret" not in answer.text
                assert "10.0.0.1" not in answer.text
        assert httpx.post(url + "/ask", json={"question": "harbour"}).status_code == 200


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        command = [sys.executable, "-c", "from rag.cli import main; main()", "serve", str(folder), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f"rag: --port {port}: is in use. Choose another, or 0 for a free one.\n"


def test_a_stream_that_is_left_does_not_hold_its_place(site: str) -> None:
    for _ in range(20):
        with httpx.stream("POST", site + "/ask/stream", json={"question": "harbour"}) as answer:
            next(answer.iter_raw())
    ends = time.monotonic() + 10
    while "rag_inside 0\n" not in httpx.get(site + "/metrics").text:
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.mark.slow
def test_no_request_of_the_openapi_document_makes_it_fail(site: str, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="the extra probe is not installed")
    checks = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance"
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", site + "/openapi.json"),
        *("--checks", checks, "--max-examples", "40", "--seed", "1", "--no-color", "--max-failures", "5"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert answers(site)
