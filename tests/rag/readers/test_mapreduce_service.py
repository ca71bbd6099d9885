"""Map-reduce against an endpoint that fails in a third of its answers: a result all the same, degraded and labelled."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chunkers.structure import StructureChunker
from evals.synth.book import episodic
from rag.models.calls import Calls, using
from rag.models.openai import OpenAICompatible
from rag.readers.mapreduce import MapReduceReader
from rag.trees.mapreduce import MapReduce
from rag.types import Hit, Hits, Query

sys.path.append(str(Path(__file__).parents[1] / "trees"))
from scripted_models import report

pytestmark = pytest.mark.service
BOOK = episodic(7, chapters=30)
ASKED = ("Which chapters tell of {person}?", "Who came for the {content}?", "Summarise what happened at {place}.")


class Flaky(ThreadingHTTPServer):
    """Fails, by the digest of the prompt, in about three of ten answers: 500, 429, 400, cut JSON, refusals, slow ids."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kinds: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][1]["content"]
        draw = sha256(prompt.encode()).digest()
        kind = ("500", "429", "400", "cut", "refusal", "ids")[draw[1] % 6] if draw[0] % 10 < 3 else "well"
        server: Any = self.server
        server.kinds.append(kind)
        text = report(prompt)
        if kind == "cut":
            text = text[: len(text) // 2]
        if kind == "refusal":
            text = "I'm sorry, but I can't help with that."
        if kind == "ids":
            text = '{"status": "answered", "items": [{"answer": "x", "sentence": 9999, "quote": "x"}], "confidence": 9}'
        made = {
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4},
        }
        data = json.dumps(made).encode()
        self.send_response(int(kind) if kind.isdigit() else 200)
        if kind == "429":
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def flaky() -> Iterator[tuple[Flaky, OpenAICompatible]]:
    server = Flaky()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield server, OpenAICompatible(model="m", base_url=url, key_env="", timeout=5)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def hits(question: str) -> Hits:
    tree = StructureChunker()(BOOK.document)
    first = int(tree.leaf_ids[0])
    return Hits(Query("q", question), (Hit(tree, first, ((0, int(tree.end[first])),), 1.0),))


@pytest.mark.parametrize("asked", ASKED)
def test_a_flaky_endpoint_gives_a_labelled_result_and_loses_nothing(asked: str) -> None:
    episode = BOOK.episodes[0]
    question = asked.format(**episode._asdict())
    given = hits(question)
    with flaky() as (server, llm), using(Calls(retries=1, backoff=0.001)) as book:
        use = MapReduce(llm=llm, concurrency=4)
        made = use(given.query, given[0].tree)
        answer = MapReduceReader(llm=llm, scorer=None, concurrency=4)(given)
    assert "well" in server.kinds
    assert made.status == "answered"
    assert made.attempted > 3
    assert sum(made.ways.get(way, 0) for way in ("llm", "repaired", "fallback")) >= made.attempted
    assert made.ways["fallback"] == len(made.faults) > 0
    assert 0 < made.coverage < 1
    text = BOOK.document.text
    rows = [e for claim in made.claims for e in claim.evidence] + list(made.evidence)
    assert all(text[e.span.start : e.span.end] == e.quote for e in rows)
    assert answer.status == "answered"
    notes = answer.notes["readers/mapreduce"]
    assert notes["faults"]
    assert notes["ways"]["fallback"] == sum(notes["faults"].values())
    assert answer.usage["calls"] > 0
    assert book.ledger.usage()["calls"] >= answer.usage["calls"]


def test_an_endpoint_that_is_down_gives_the_offline_answer() -> None:
    given = hits(ASKED[0].format(person=BOOK.episodes[0].person))
    dead = OpenAICompatible(model="m", base_url="http://127.0.0.1:9/v1", key_env="", timeout=1)
    with using(Calls(retries=0)):
        made = MapReduceReader(llm=dead, scorer=None)(given)
    offline = MapReduceReader(scorer=None)(given)
    assert (made.text, made.citations) == (offline.text, offline.citations)
    assert made.confidence == 0
    assert made.notes["readers/mapreduce"]["coverage"] == 0
