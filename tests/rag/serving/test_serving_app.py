"""The service answers as the library does, refuses what it must, and says why."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_small import DOCUMENTS, HOSTILE, call, events, inside, made, service

from rag import open as open_index
from rag.serving.guard import Guard, Limits, Rate
from rag.serving.problem import Problem

ASK = {"question": "Who dredged the harbour?"}
SECRET = "a-token-of-some-length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("served") / "small")


@pytest.fixture(scope="module")
def app(folder: Path) -> Guard:
    return inside(folder)


def test_an_answer_is_the_library_s(app: Guard, folder: Path) -> None:
    answer = call(app, "POST", "/ask", json=ASK).json()
    theirs = open_index(folder).ask(ASK["question"])
    assert answer["status"] == theirs.status == "retrieved"
    assert theirs.context is not None
    assert [(c["doc"], c["start"], c["end"]) for c in answer["context"]] == [tuple(s) for s in theirs.context.spans()]
    assert answer["generation"] == 1


def test_the_stages_tell_what_they_kept_and_the_texts_are_slices(app: Guard) -> None:
    answer = call(app, "POST", "/ask", json={**ASK, "stages": True}).json()
    assert [stage["name"] for stage in answer["stages"]] == ["retrievers/bm25"]
    texts = {document.id: document.text for document in DOCUMENTS}
    for hit in answer["stages"][0]["kept"]:
        start = hit["spans"][0][0]
        assert texts[hit["doc"]][start : start + len(hit["text"])] == hit["text"]


def test_a_stream_tells_each_stage_and_then_the_answer(app: Guard) -> None:
    told = events(call(app, "POST", "/ask/stream", json=ASK).text)
    assert [kind for kind, _ in told] == ["stage", "answer"]
    plain = call(app, "POST", "/ask", json=ASK).json()
    streamed = told[-1][1]
    assert {**plain, "seconds": 0} == {**streamed, "seconds": 0}


def test_a_search_gives_whole_hits_up_to_k(app: Guard) -> None:
    found = call(app, "POST", "/search?k=1", json={"question": "harbour"}).json()
    assert len(found["hits"]) == 1
    assert found["total"] >= 2


def test_scope_filters_and_settings_hold(app: Guard) -> None:
    scoped = call(app, "POST", "/search", json={"question": "harbour", "scope": ["../../etc/passwd"]}).json()
    assert {hit["doc"] for hit in scoped["hits"]} == {"../../etc/passwd"}
    filtered = call(app, "POST", "/search", json={"question": "harbour", "filters": {"lang": "en"}}).json()
    assert {hit["doc"] for hit in filtered["hits"]} == {"harbour.md"}
    one = call(app, "POST", "/ask", json={"question": "harbour", "set": {"stages[0].k": 1}}).json()
    assert len(one["context"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages[0].k": 0}, "greater than or equal to 1"),
        ({"stages[0].k": 10**9}, "at most"),
        ({"stages[0].k": 1.5}, "whole number"),
        ({"stages[0].k": True}, "must be a number"),
        ({"stages[9].k": 1}, "no setting"),
        ({"stages[0].b": 0.3}, "no setting"),  # it shapes the index
        ({"chunker.size": 10}, "no setting"),
    ],
)
def test_a_setting_that_may_not_be_changed_is_refused(app: Guard, changes: dict[str, Any], said: str) -> None:
    refused = call(app, "POST", "/ask", json={**ASK, "set": changes})
    assert refused.status_code == 422
    assert said in refused.json()["error"]["message"]


def test_settings_can_be_fixed(folder: Path) -> None:
    fixed = inside(folder, tune=False)
    assert call(fixed, "POST", "/ask", json={**ASK, "set": {"stages[0].k": 1}}).status_code == 403
    assert call(fixed, "GET", "/indexes").json()["indexes"][0]["settings"] == {}


def test_documents_trees_and_slices_agree_with_the_source(app: Guard) -> None:
    listed = call(app, "GET", "/documents").json()
    assert [one["id"] for one in listed["documents"]] == sorted(d.id for d in DOCUMENTS)
    assert call(app, "GET", "/documents", params={"contains": "HARBOUR"}).json()["total"] == 1
    tree = call(app, "GET", "/tree", params={"doc": "harbour.md"}).json()
    assert (tree["node"]["start"], tree["node"]["end"]) == (0, tree["characters"])
    assert tree["children"]
    here = call(app, "GET", "/tree", params={"doc": "harbour.md", "limit": 1, "at": tree["characters"] - 1}).json()
    assert here["offset"] == len(tree["children"]) - 1
    assert here["children"] == tree["children"][-1:]
    start = call(app, "GET", "/tree", params={"doc": "harbour.md", "at": 0}).json()
    assert (start["offset"], start["children"]) == (0, tree["children"])
    beyond = call(app, "GET", "/tree", params={"doc": "harbour.md", "limit": 1, "at": 2**53})
    assert beyond.json()["offset"] == here["offset"]
    empty = call(app, "GET", "/tree", params={"doc": "empty.txt", "at": 5})
    assert (empty.status_code, empty.json()["offset"]) == (200, 0)
    asked = [{"doc": d.id, "start": 0, "end": len(d.text)} for d in DOCUMENTS]
    read = call(app, "POST", "/spans", json={"spans": asked})
    assert [one["text"] for one in read.json()["spans"]] == [d.text for d in DOCUMENTS]
    assert read.content.isascii(), "half a character cannot be said in UTF-8"


@pytest.mark.parametrize("doc", ["/etc/passwd", "..", "manifest.json", "<script>alert(1)</script>", "\0", "x" * 4000])
def test_an_id_is_looked_up_and_never_opened(app: Guard, doc: str) -> None:
    for answer in (
        call(app, "GET", "/tree", params={"doc": doc}),
        call(app, "POST", "/spans", json={"spans": [{"doc": doc, "start": 0, "end": 1}]}),
    ):
        assert answer.status_code == 404
        assert "no document" in answer.json()["error"]["what"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("POST", "/ask", {"content": b'{"question', "headers": {"content-type": "application/json"}}, 422),
        ("POST", "/ask", {"content": b"[1]", "headers": {"content-type": "application/json"}}, 422),
        ("POST", "/ask", {"content": b'{"question":"\xff"}', "headers": {"content-type": "application/json"}}, 400),
        ("POST", "/ask", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
        ("POST", "/ask", {"content": b'{"question":"x"}', "headers": {"content-type": "text/plain"}}, 422),
        ("POST", "/ask", {"json": {"question": ""}}, 422),
        ("POST", "/ask", {"json": {"question": " \n"}}, 422),
        ("POST", "/ask", {"json": {"question": "x" * 20_001}}, 422),
        ("POST", "/ask", {"json": {"question": "x", "path": "/etc/passwd"}}, 422),
        ("POST", "/ask", {"json": {"question": "x", "index": "/etc/passwd"}}, 404),
        ("POST", "/ask", {"json": {"question": "x", "budget": 0}}, 422),
        ("POST", "/ask/stream", {"json": {"question": " "}}, 422),
        ("POST", "/spans", {"json": {"spans": [{"doc": "harbour.md", "start": 5, "end": 4}]}}, 422),
        ("POST", "/spans", {"json": {"spans": [{"doc": "harbour.md", "start": 0, "end": 10**9}]}}, 422),
        ("GET", "/tree?doc=harbour.md&node=100000", {}, 404),
        ("GET", "/tree", {}, 422),
        ("GET", "/documents?limit=0", {}, 422),
        ("GET", "/ask", {}, 405),
        ("GET", "/../../etc/passwd", {}, 404),
        ("GET", "/docs", {}, 404),
    ],
)
def test_a_bad_request_is_told_where_and_what(
    app: Guard, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = call(app, method, path, **more)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["status"] == status
    assert error["where"]
    assert error["what"]
    assert "Ada Lind" not in answer.text
    assert "Traceback" not in answer.text


def test_a_question_may_hold_anything(app: Guard) -> None:
    for question in (HOSTILE, "\0", "\u202e", "'; DROP TABLE documents; --", "{{7*7}}", "%s%n", "🚢" * 5000):
        answer = call(app, "POST", "/ask", content=json.dumps({"question": question}), headers=JSON)
        assert answer.status_code in (200, 422), answer.text


JSON = {"content-type": "application/json"}


@settings(max_examples=60)
@given(
    body=st.dictionaries(
        st.sampled_from(["question", "index", "scope", "filters", "set", "budget", "history", "stages"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_no_body_makes_the_service_fail(app: Guard, body: dict[str, Any]) -> None:
    for path in ("/ask", "/search", "/ask/stream"):
        answer = call(app, "POST", path, content=json.dumps({"question": "harbour", **body}), headers=JSON)
        assert answer.status_code < 500, answer.text


def test_a_body_over_the_limit_is_refused_whatever_it_says_of_itself(folder: Path) -> None:
    small = inside(folder, Limits(hosts=(), body=2048))

    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1024

    told = call(small, "POST", "/ask", content=b" " * 4096)
    untold = call(small, "POST", "/ask", content=chunks())
    assert told.status_code == untold.status_code == 413
    assert "2048 bytes" in told.json()["error"]["message"]


def test_a_body_that_does_not_come_is_given_up(folder: Path) -> None:
    app = inside(folder, Limits(hosts=(), patience=0.2))

    async def slow() -> Any:
        yield b'{"question": '
        await asyncio.sleep(30)

    began = time.monotonic()
    answer = call(app, "POST", "/ask", content=slow())
    assert answer.status_code == 408
    assert time.monotonic() - began < 5


def test_a_token_guards_all_that_tells_of_documents(folder: Path) -> None:
    app = inside(folder, Limits(hosts=(), token=SECRET))
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {SECRET}"}):
        for method, path in (("POST", "/ask"), ("GET", "/documents"), ("GET", "/metrics"), ("GET", "/openapi.json")):
            refused = call(app, method, path, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert SECRET not in refused.text
    allowed = call(app, "GET", "/documents", headers={"authorization": f"bearer {SECRET}"})
    assert allowed.status_code == 200
    assert call(app, "GET", "/health").status_code == 200
    assert SECRET not in repr(Limits(token=SECRET))


def test_another_name_in_the_host_header_is_refused(folder: Path) -> None:
    app = inside(folder, Limits())
    for host, status in (("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:8000", 200), ("evil.example", 421)):
        assert call(app, "GET", "/health", headers={"host": host}).status_code == status, host


def test_a_caller_over_its_rate_waits(folder: Path) -> None:
    app = inside(folder, Limits(hosts=(), rate=0.5, burst=2))
    answers = [call(app, "GET", "/health") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


@given(times=st.lists(st.floats(0, 3), min_size=1, max_size=50), burst=st.integers(1, 5), rate=st.floats(0.5, 5))
def test_no_caller_exceeds_burst_plus_rate(times: list[float], burst: int, rate: float) -> None:
    bucket, now, passed = Rate(rate, burst), 0.0, 0
    for step in times:
        now += step
        passed += bucket.wait("a", now) == 0
    assert passed <= burst + rate * now + 1e-6


def test_a_question_over_its_time_is_told_so_and_the_line_is_bounded(folder: Path) -> None:
    slow = service(folder, workers=1, line=1, seconds=0.3)

    async def go() -> list[Any]:
        def nap(_: Any) -> None:
            time.sleep(0.8)

        return await asyncio.gather(*(slow.desk.run(nap) for _ in range(3)), return_exceptions=True)

    found = asyncio.run(go())
    assert [one.status for one in found if isinstance(one, Problem)] == [504, 504, 503]
    time.sleep(1.2)
    assert slow.desk.inside == 0, "places are given back when the threads end"


def test_counts_are_told_for_known_routes_only(folder: Path) -> None:
    app = inside(folder)
    call(app, "POST", "/ask", json=ASK)
    call(app, "GET", "/nowhere-" + "x" * 50)
    text = call(app, "GET", "/metrics").text
    assert 'rag_requests_total{route="/ask",status="200"} 1' in text
    assert 'rag_requests_total{route="other",status="404"} 1' in text
    assert 'rag_answers_total{status="retrieved"} 1' in text
    assert "nowhere" not in text


def test_the_openapi_document_types_every_answer(app: Guard) -> None:
    document = call(app, "GET", "/openapi.json").json()
    assert {"/ask", "/ask/stream", "/search", "/documents", "/tree", "/spans", "/health", "/metrics"} <= set(
        document["paths"]
    )
    for path in ("/ask", "/search", "/spans"):
        body = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert "$ref" in body
