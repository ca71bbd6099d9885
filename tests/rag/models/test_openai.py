import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag.errors import ConfigError, ModelError, Refused, TooLong, Unavailable
from rag.models.calls import Calls, call, using
from rag.models.llm import Message
from rag.models.openai import OpenAICompatible

ASK = [Message("user", "How many?")]
GOOD = {
    "choices": [{"message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 2},
}


class Server(ThreadingHTTPServer):
    """Answers each request with the next (status, headers, body, seconds to stall) of its list."""

    daemon_threads = True

    def __init__(self, answers: list) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen = answers, []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.seen.append((self.path, dict(self.headers), body))
        status, headers, content, stall = server.answers[min(len(server.seen), len(server.answers)) - 1]
        time.sleep(stall)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass

    def log_message(self, *args) -> None:
        """Say nothing."""


@contextmanager
def serving(*answers) -> Iterator[tuple[Server, OpenAICompatible]]:
    server = Server([(a + ({}, GOOD, 0)[len(a) - 1 :]) if isinstance(a, tuple) else (a, {}, GOOD, 0) for a in answers])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1/"
    try:
        yield server, OpenAICompatible(model="m", base_url=url, key_env="TEST_KEY", timeout=0.5)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sekret-1")


pytestmark = pytest.mark.service


def error_of(*answers) -> Exception:
    with serving(*answers) as (_, llm), pytest.raises(Exception) as caught:  # noqa: PT011 - the kind is what tests look at
        llm.complete(ASK)
    assert "\n" not in str(caught.value)
    assert "sekret" not in str(caught.value)
    return caught.value


def test_a_good_answer_and_what_was_sent() -> None:
    with serving(200) as (server, llm):
        reply = llm.complete(ASK, schema={"type": "object"}, max_tokens=9, seed=3, stop=["x"])
    path, headers, body = server.seen[0]
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish) == ("four", 11, 2, "stop")
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sekret-1"
    assert body["messages"] == [{"role": "user", "content": "How many?"}]
    assert (body["max_tokens"], body["seed"], body["stop"], body["temperature"]) == (9, 3, ["x"], 0.0)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_schema_can_be_sent_in_words_and_extras_go_into_the_body() -> None:
    with serving(200) as (server, llm):
        OpenAICompatible(model="m", base_url=llm.base_url, key_env="", form="words", extra={"top_p": 0.5}).complete(
            ASK, schema={"type": "object"}
        )
    _, headers, body = server.seen[0]
    assert "Authorization" not in headers
    assert '{"type": "object"}' in body["messages"][0]["content"]
    assert body["top_p"] == 0.5
    assert "response_format" not in body


def test_a_stall_is_unavailable() -> None:
    assert isinstance(error_of((200, {}, GOOD, 1.2)), Unavailable)


def test_a_busy_endpoint_is_unavailable_and_says_how_long() -> None:
    error = error_of((429, {"Retry-After": "7"}, {"error": {"message": "slow down", "type": "rate"}}))
    assert isinstance(error, Unavailable)
    assert error.retry_after == 7.0
    assert "429" in str(error)
    dated = error_of((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"<html>"))
    assert isinstance(dated, Unavailable)
    assert dated.retry_after is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_may_pass_is_unavailable(status: int) -> None:
    assert isinstance(error_of((status, {}, b"oops")), Unavailable)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 302])
def test_what_stays_wrong_is_refused(status: int) -> None:
    assert isinstance(error_of((status, {}, {"error": {"message": "no"}})), Refused)


def test_an_empty_account_is_refused_not_retried() -> None:
    assert isinstance(error_of((429, {}, {"error": {"message": "pay", "code": "insufficient_quota"}})), Refused)


@pytest.mark.parametrize(
    "told",
    [
        {"message": "This model's maximum context length is 8192 tokens", "code": "context_length_exceeded"},
        {"message": "request (9 tokens) exceeds the available context size", "type": "exceed_context_size_error"},
    ],
)
def test_a_prompt_that_does_not_fit_is_too_long(told: dict) -> None:
    assert isinstance(error_of((400, {}, {"error": told})), TooLong)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b'{"choices": [{"message": {"content": "fo',
        b"",
        b"[]",
        b"null",
        {"choices": []},
        {"choices": [{"message": {"content": None}}]},
        {"choices": "x"},
        {**GOOD, "usage": "many"},
        b"\xff\xfe\x00",
    ],
)
def test_nonsense_is_a_model_error_and_not_worth_a_retry(body) -> None:
    error = error_of((200, {}, body))
    assert isinstance(error, ModelError)
    assert not isinstance(error, (Unavailable, Refused))


def test_a_body_that_breaks_off_is_unavailable() -> None:
    assert isinstance(error_of((200, {"Content-Length": "4000"}, b'{"choices"')), Unavailable)


def test_no_server_is_unavailable_and_no_key_a_config_error(monkeypatch) -> None:
    with pytest.raises(Unavailable):
        OpenAICompatible(model="m", base_url="http://127.0.0.1:9", key_env="").complete(ASK)
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(ConfigError, match="'TEST_KEY' is not set"):
        OpenAICompatible(model="m", base_url="http://127.0.0.1:9", key_env="TEST_KEY").complete(ASK)


def test_a_filtered_answer_is_refused() -> None:
    made = {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}
    assert isinstance(error_of((200, {}, made)), Refused)


def test_calls_go_on_after_trouble_and_pay_for_the_answer_alone() -> None:
    naps: list[float] = []
    trouble = [(429, {"Retry-After": "2"}, b""), (500, {}, b""), (200,)]
    with serving(*trouble) as (server, llm), using(Calls(sleep=naps.append)) as calls:
        assert call(llm, ASK).text == "four"
    assert len(server.seen) == 3
    assert naps[0] >= 2
    usage = calls.ledger.usage()
    assert (usage["calls"], usage["retries"], usage["tokens_in"]) == (3, 2, 11)


def test_log_probabilities_are_read_where_they_are_given() -> None:
    content = [{"token": "four", "logprob": -0.1, "top_logprobs": [{"token": "four", "logprob": -0.1}]}]
    made = {"choices": [{**GOOD["choices"][0], "logprobs": {"content": content}}]}
    with serving((200, {}, made)) as (server, llm):
        reply = llm.complete(ASK, logprobs=1)
    assert reply.logprobs[0].top == (("four", -0.1),)
    assert server.seen[0][2]["top_logprobs"] == 1
    assert reply.tokens_in > 0
