"""Answers word by word: as the model makes them, void where it is asked again, checked at the end."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_small import DOCUMENTS, events, serving

from rag import load

pytestmark = pytest.mark.service

QUOTE = "The harbour of Vell was dredged in 1904 by Ada Lind."
ANSWER = "It was dredged by Ada Lind, in 1904."
GOOD = json.dumps({"answer": ANSWER, "citations": [{"source": 1, "quote": QUOTE}]})
INVENTED = json.dumps({"answer": "By Nobody Atall of Nowhere.", "citations": [{"source": 1, "quote": "Nobody did."}]})
PAUSE = 0.04
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Model(ThreadingHTTPServer):
    """Streams the next of its replies, a few characters at a time; a reply that is cut short breaks off."""

    daemon_threads = True

    def __init__(self, replies: list[tuple[str, bool]]) -> None:
        super().__init__(("127.0.0.1", 0), Slowly)
        self.replies, self.asked, self.sent, self.left = replies, 0, 0, threading.Event()


class Slowly(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        reply, whole = self.server.replies[min(self.server.asked, len(self.server.replies) - 1)]
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for at in range(0, len(reply), 6):
                self._tell({"choices": [{"delta": {"content": reply[at : at + 6]}, "finish_reason": None}]})
                self.server.sent += 1
                time.sleep(PAUSE)
            if whole:
                self._tell({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        except OSError:
            self.server.left.set()

    def _tell(self, event: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def asked(folder: Path, *replies: tuple[str, bool], retries: int = 2) -> Iterator[tuple[str, Model]]:
    """A service whose reader asks such a model."""
    model = Model(list(replies))
    threading.Thread(target=model.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    llm = f"{{use: llms/openai, model: m, key_env: '', base_url: 'http://127.0.0.1:{model.server_address[1]}/v1'}}"
    reader = f"{{use: readers/stuff, llm: {{use: llms/cached, retries: {retries}, inner: {llm}}}}}"
    pipeline = load({"version": 1, "chunker": {"use": "chunkers/structure"}, "stages": [{"use": "retrievers/bm25"}]})
    index = folder / "index"
    pipeline.index(DOCUMENTS[:1], index)
    manifest = json.loads((index / "manifest.json").read_text())
    manifest["config"] += f"- {reader}\n"
    (index / "manifest.json").write_text(json.dumps(manifest))
    try:
        with serving(index, "--workers", "1") as (url, _):
            yield url, model
    finally:
        model.shutdown()
        model.server_close()


def heard(url: str, question: str = "Who dredged the harbour?") -> list[tuple[str, Any, float]]:
    """Every event with the second it came."""
    found, text, began = [], "", time.perf_counter()
    with httpx.stream("POST", url + "/ask/stream", json={"question": question}, timeout=20) as answer:
        for piece in answer.iter_text():
            text += piece
            *whole, text = text.split("\n\n")
            found += [(*event, time.perf_counter() - began) for one in whole for event in events(one + "\n\n")]
    return found


def test_words_come_as_they_are_made_and_the_last_event_carries_checked_citations(tmp_path: Path) -> None:
    with asked(tmp_path, (GOOD, True)) as (url, _):
        found = heard(url)
        words = [(value["text"], at) for kind, value, at in found if kind == "words"]
        assert "".join(text for text, _ in words) == ANSWER
        assert len(words) >= 5
        assert words[-1][1] - words[0][1] > 3 * PAUSE, "not all at the end"
        kind, answer, at = found[-1]
        assert kind == "answer"
        assert at - words[0][1] > 5 * PAUSE, "the first words come long before the end"
        assert (answer["status"], answer["answer"]) == ("answered", ANSWER)
        (cited,) = answer["citations"]
        assert DOCUMENTS[0].text[cited["start"] : cited["end"]] == cited["quote"] == QUOTE
        plain = httpx.post(url + "/ask", json={"question": "Who dredged the harbour?"}, timeout=20)
        assert plain.status_code == 503, "the model that only streams is not asked to stream where nobody listens"


def test_an_answer_that_nothing_bears_out_is_taken_back(tmp_path: Path) -> None:
    with asked(tmp_path, (INVENTED, True)) as (url, _):
        found = heard(url)
        assert "Nobody Atall" in "".join(value["text"] for kind, value, _ in found if kind == "words")
        assert found[-1][0] == "answer"
        assert (found[-1][1]["status"], found[-1][1]["citations"]) == ("abstained", [])


def test_a_model_that_breaks_off_is_asked_again_and_its_words_are_void(tmp_path: Path) -> None:
    with asked(tmp_path, (GOOD[:30], False), (GOOD, True)) as (url, model):
        found = heard(url)
        kinds = [kind for kind, _, _ in found]
        assert model.asked == 2
        assert kinds.count("again") == 1
        after = found[kinds.index("again") + 1 :]
        assert "".join(value["text"] for kind, value, _ in after if kind == "words") == ANSWER
        assert found[-1][1]["answer"] == ANSWER


def test_a_model_that_always_breaks_off_ends_in_one_clear_error(tmp_path: Path) -> None:
    with asked(tmp_path, (GOOD[:30], False), retries=0) as (url, _):
        kind, told, _ = heard(url)[-1]
        assert kind == "error"
        assert told["where"] == "stages[1] (readers/stuff)"
        assert "the model did not answer (Unavailable)" in told["message"]
        assert "127.0.0.1" not in told["message"]


def test_a_client_that_leaves_ends_the_models_work(tmp_path: Path) -> None:
    long = json.dumps({"answer": "word " * 2000, "citations": []})
    with asked(tmp_path, (long, True), (GOOD, True)) as (url, model):
        with httpx.stream("POST", url + "/ask/stream", json={"question": "Who dredged the harbour?"}) as answer:
            for piece in answer.iter_text():
                if "event: words" in piece:
                    break
        assert model.left.wait(5), "the connection to the model is closed in its middle"
        assert model.sent < 500
        assert heard(url)[-1][1]["answer"] == ANSWER, "the one worker is free again"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine")
def test_the_page_shows_words_as_they_come_and_then_the_checked_answer(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra probe is not installed")
    with asked(tmp_path, (GOOD[:30], False), (GOOD, True)) as (url, _), playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 375, "height": 740}).new_page()
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(url + "/")
        page.wait_for_selector(".side")
        page.keyboard.type("Who dredged the harbour?")
        page.keyboard.press("Enter")
        page.wait_for_selector(".draft:has-text('It was dredged by')")
        assert "Being written" in page.inner_text(".side")
        assert page.locator(".cite").count() == 0
        page.wait_for_selector("#state:has-text('Answered')")
        assert page.locator(".draft").count() == 0
        assert page.inner_text(".answer") == ANSWER, "the words of the call that broke off are gone"
        assert page.inner_text(".cite >> nth=0").startswith(f"[1] {QUOTE}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert not troubles
