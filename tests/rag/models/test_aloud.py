"""Words of a model as they are made: nothing but the answer's text, whole, whatever the pieces."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelError, Unavailable
from rag.models.aloud import aloud, ear, hearing
from rag.models.calls import Calls, call, using
from rag.models.llm import Message, adapt_llm
from rag.models.openai import OpenAICompatible

ASK = [Message("user", "Who?")]


def heard(reply: str, cuts: list[int], key: str) -> list[str | None]:
    said: list[str | None] = []
    with hearing(said.append), aloud(key):
        one = ear()
        assert one is not None
        one.begin()
        at = sorted({0, len(reply), *(cut % (len(reply) + 1) for cut in cuts)})
        for a, b in itertools.pairwise(at):
            one.hear(reply[a:b])
    return said


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from(
    ['a "quoted" word', "\\", "🚢\n\t\\u0041", '"answer": "no"', "}\x07é"]
)


@given(TEXTS, TEXTS, st.lists(st.integers(0, 400), max_size=12), st.booleans(), st.sampled_from([None, 1]))
def test_the_text_under_the_key_is_told_whatever_the_pieces(answer, other, cuts, ascii_only, indent) -> None:
    reply = json.dumps({"evidence": [{"quote": other}], "answer": answer, "more": other}, ensure_ascii=ascii_only)
    said = heard("```json\n" + reply if indent else reply, cuts, "answer")
    assert "".join(map(str, said)) == answer


@given(TEXTS, st.lists(st.integers(0, 60), max_size=6))
def test_prose_is_told_as_it_is(answer, cuts) -> None:
    assert "".join(map(str, heard(answer, cuts, ""))) == answer


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_what_is_no_json_tells_at_most_nothing_and_never_fails(reply, cuts) -> None:
    assert all(isinstance(piece, str) for piece in heard(reply, cuts, "answer"))


def test_a_reader_that_asks_twice_makes_void_what_was_said_first() -> None:
    said: list[str | None] = []
    with hearing(said.append):
        for text in ("one", "two"):
            with aloud("answer"):
                heard = ear()
                assert heard is not None
                heard.begin()
                heard.hear(json.dumps({"answer": text}))
    assert said == ["one", None, "two"]


def test_nobody_is_heard_where_no_reader_speaks_or_nobody_listens() -> None:
    assert ear() is None
    with aloud("answer"):
        assert ear() is None
    with hearing(lambda _: None):
        assert ear() is None


class Streams(BaseHTTPRequestHandler):
    """Answers each request with the next body of its server's list, as server-sent events; JSON for no stream."""

    def do_POST(self) -> None:
        self.server.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))  # type: ignore[attr-defined]
        body = self.server.bodies[min(len(self.server.seen), len(self.server.bodies)) - 1]  # type: ignore[attr-defined]
        refused = body.startswith(b"{") and "stream" in self.server.seen[-1]  # type: ignore[attr-defined]
        self.send_response(400 if refused else 200)
        kind = "application/json" if body.startswith(b"{") else "text/event-stream; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def streaming(*bodies: bytes) -> Iterator[tuple[OpenAICompatible, list[dict[str, Any]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Streams)
    server.bodies, server.seen = bodies, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield OpenAICompatible(model="m", base_url=url, key_env="", timeout=5), server.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chunk(piece: str | None, finish: str | None = None, **more: Any) -> bytes:
    event = {"choices": [{"delta": {} if piece is None else {"content": piece}, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(event).encode() + b"\r\n\r\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\n\n'
END = b": a comment\n\ndata: [DONE]\n\n"
GOOD = chunk("Ada ") + chunk("Quill") + chunk(None, "stop") + USAGE + END


@pytest.mark.service
class TestStreams:
    def test_a_stream_is_the_same_reply_and_is_asked_for_only_where_somebody_listens(self) -> None:
        said: list[str | None] = []
        with streaming(GOOD) as (llm, seen), hearing(said.append), aloud():
            reply = llm.complete(ASK)
        assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish) == ("Ada Quill", 7, 3, "stop")
        assert said == ["Ada ", "Quill"]
        assert seen[0]["stream"] is True
        with streaming(GOOD) as (llm, seen), pytest.raises(ModelError, match="not JSON"):
            llm.complete(ASK)
        assert "stream" not in seen[0]

    def test_a_stream_that_breaks_off_is_asked_again_and_what_was_heard_is_void(self) -> None:
        said: list[str | None] = []
        waits: list[float] = []
        calls = Calls(sleep=waits.append)
        with streaming(chunk("Bo"), GOOD) as (llm, seen), using(calls), hearing(said.append), aloud():
            reply = call(llm, ASK)
        assert (reply.text, len(seen), len(waits)) == ("Ada Quill", 2, 1)
        assert said == ["Bo", None, "Ada ", "Quill"]

    @pytest.mark.parametrize(
        ("body", "kind", "message"),
        [
            (chunk("A"), Unavailable, "broke off before the end"),
            (b"", Unavailable, "broke off before the end"),
            (
                chunk("A") + b'data: {"error": {"message": "out of memory\\nat x"}}\n\n',
                Unavailable,
                "out of memory at x",
            ),
            (b"data: {oops\n\n", ModelError, "no chat completion"),
            (b"data: [1]\n\n", ModelError, "no chat completion"),
            (chunk("A", "content_filter") + END, ModelError, "content filter"),
        ],
    )
    def test_a_bad_stream_is_told_in_one_line(self, body: bytes, kind: type[Exception], message: str) -> None:
        with streaming(body) as (llm, _), hearing(lambda _: None), aloud(), pytest.raises(kind, match=message) as error:
            llm.complete(ASK)
        assert "\n" not in str(error.value)

    def test_where_no_stream_is_given_the_answer_comes_whole(self) -> None:
        whole = json.dumps({"choices": [{"message": {"content": "Ada Quill"}, "finish_reason": "stop"}]}).encode()
        said: list[str | None] = []
        with streaming(whole) as (llm, seen), hearing(said.append), aloud():
            assert llm.complete(ASK).text == "Ada Quill"
        assert [one.get("stream") for one in seen] == [True, None]
        assert said == []

    def test_who_hears_may_end_it(self) -> None:
        def enough(_: str | None) -> None:
            raise ZeroDivisionError

        with streaming(GOOD) as (llm, _), hearing(enough), aloud(), pytest.raises(ZeroDivisionError):
            llm.complete(ASK)


def test_a_llama_index_model_is_heard_too() -> None:
    from llama_index.core.llms import MockLLM

    said: list[str | None] = []
    whole = adapt_llm(MockLLM()).complete(ASK).text
    with hearing(said.append), aloud():
        assert adapt_llm(MockLLM()).complete(ASK).text == whole
    assert "".join(map(str, said)) == whole
    assert len(said) > 1


def test_a_llama_index_model_without_streams_answers_whole() -> None:
    from llama_index.core.llms import MockLLM

    class Silent(MockLLM):
        def stream_chat(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    said: list[str | None] = []
    whole = adapt_llm(MockLLM()).complete(ASK).text
    with hearing(said.append), aloud():
        assert adapt_llm(Silent()).complete(ASK).text == whole
    assert said == []


@pytest.mark.model
def test_the_embedded_model_says_the_same_aloud() -> None:
    pytest.importorskip("xllamacpp", reason="the extra llm is not installed")
    from rag.models.embedded import EmbeddedLLM

    llm = EmbeddedLLM()
    whole = llm.complete(ASK, max_tokens=24)
    said: list[str | None] = []
    with hearing(said.append), aloud():
        streamed = llm.complete(ASK, max_tokens=24)
    assert streamed == whole
    assert "".join(map(str, said)) == whole.text
    assert len(said) > 3

    def enough(_: str | None) -> None:
        raise ZeroDivisionError

    with hearing(enough), aloud(), pytest.raises(ZeroDivisionError):
        llm.complete(ASK, max_tokens=24)
    assert llm.complete(ASK, max_tokens=24) == whole, "it can be asked again"
