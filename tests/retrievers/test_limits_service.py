"""A thousand questions to stages whose model stalls, lies and fails: limits hold, and something is always returned."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chunkers.structure import StructureChunker
from rag.models.calls import Calls, using
from rag.models.openai import OpenAICompatible
from rag.readers.contrastive import Contrastive
from rag.readers.evidence import Evidence
from rag.readers.extractive import Extractive
from rag.testing import indexed
from rag.types import Query
from retrievers.bm25 import BM25
from retrievers.clarify import Clarify
from retrievers.explore import Explore
from retrievers.ledger import Ledger
from retrievers.multihop import MultiHop
from retrievers.questions import Questions

sys.path.append(str(Path(__file__).parent))
from steps_models import TOWNS

pytestmark = pytest.mark.service
RUNS = 1000
STALL = 0.6  # seconds
SECONDS = 0.25
SLACK = 1.5  # of a busy machine: a search, a thread
CALLS = 5
PLAIN = Extractive(scorer=None, form="span", threshold=-99.0)
LIES: tuple[Any, ...] = (
    {"steps": ["Who is #2?", "Who is #1?"]},
    {"steps": ["Who dredged the harbour?", "Where was #1 born?", "Who is the mayor of #2?"]},
    {"steps": ["x"] * 500},
    {"steps": [{"do": "search", "text": "mayor"}, {"do": "section", "of": 1}], "sure": 9},
    {"steps": [{"do": "section", "of": 1}], "sure": 0.2},
    {"claims": [{"claim": "The mayor is Zed Poe of Vell.", "source": 1, "quote": "Zed Poe of Vell"}]},
    {"claims": [{"claim": "Ada Lind was an engineer.", "source": 1, "quote": "Ada Lind"}] * 50},
    {"answer": "Zed Poe", "uses": [1, 2, 99], "withdraw": [1], "gaps": ["mayor", "mayor of Vell", "more"]},
    {"answer": "", "uses": [], "withdraw": [], "gaps": ["ad infinitum", "et cetera"]},
    {"questions": ["What is the mayor?", "What is a town?"]},
    {"verdicts": [{"source": 99, "verdict": "yes"}, {"source": 1, "verdict": "no"}]},
    {"evidence": [{"source": 1, "quote": "Zed Poe"}], "explanation": "", "answer": "Zed Poe"},
    {
        "relevant": [{"source": 3, "quote": "Ada Lind", "why": ""}],
        "irrelevant": [],
        "explanation": "",
        "answer": "Ada Lind",
    },
    {"answer": ["not", "a", "text"]},
    [],
)


class Liar(ThreadingHTTPServer):
    """Draws by the digest of the prompt and the number of the request what to do."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kinds: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        draw = sha256(body + bytes([sum(server.kinds.values()) % 251])).digest()
        kind = (
            "stall"
            if draw[0] < 5
            else ("500", "429", "400", "cut", "talk", "empty")[draw[1] % 6]
            if draw[0] < 110
            else "lie"
        )
        server.kinds[kind] += 1
        text = json.dumps(LIES[draw[2] % len(LIES)])
        if kind == "stall":
            time.sleep(STALL)
        text = {"cut": text[: len(text) // 2], "talk": "I am sorry, I cannot.", "empty": ""}.get(kind, text)
        made = {
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 9},
        }
        data = json.dumps(made).encode()
        try:
            self.send_response(int(kind) if kind.isdigit() else 200)
            if kind == "429":
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            return  # whoever asked has gone

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def lying() -> Iterator[tuple[Liar, OpenAICompatible]]:
    server = Liar()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield server, OpenAICompatible(model="m", base_url=url, key_env="", timeout=5)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Stage = Callable[[OpenAICompatible], Any]
RETRIEVERS: dict[str, Stage] = {
    "questions": lambda llm: Questions(
        inner=BM25(), reader=PLAIN, llm=llm, closed_book=True, calls=CALLS, seconds=SECONDS, passages=9
    ),
    "ledger": lambda llm: Ledger(inner=BM25(), llm=llm, calls=CALLS, seconds=SECONDS, passages=9, rounds=3),
    "clarify": lambda llm: Clarify(inner=BM25(), llm=llm, calls=CALLS, seconds=SECONDS, passages=9, rounds=2),
    "explore": lambda llm: Explore(inner=BM25(), llm=llm, calls=CALLS, seconds=SECONDS),
}
READERS: dict[str, Stage] = {
    "evidence": lambda llm: Evidence(llm=llm, plain=PLAIN, calls=CALLS, seconds=SECONDS),
    "contrastive": lambda llm: Contrastive(llm=llm, plain=PLAIN, calls=CALLS, seconds=SECONDS),
}


@pytest.mark.parametrize("name", [*RETRIEVERS, *READERS])
def test_limits_are_never_exceeded_and_a_result_with_a_reason_is_returned(name: str) -> None:
    runs = -(-RUNS // (len(RETRIEVERS) + len(READERS)))
    reasons: Counter[str] = Counter()
    search = indexed(StructureChunker(), BM25(), TOWNS)
    with lying() as (server, llm), using(Calls(retries=1, backoff=0.001)):
        step = indexed(StructureChunker(), RETRIEVERS[name](llm), TOWNS) if name in RETRIEVERS else READERS[name](llm)
        for i in range(runs):
            query = Query("q", f"Who is the mayor of the town number {i} where Ada Lind was born?")
            given = query if name in RETRIEVERS else search(query)
            began = time.monotonic()
            made = step(given)
            took = time.monotonic() - began
            kind = "retrievers" if name in RETRIEVERS else "readers"
            note = made.notes[f"{kind}/{name}"]
            assert took <= SECONDS + SLACK
            assert note["calls"] <= CALLS
            assert note.get("passages", 0) <= 9
            assert note.get("rounds", 0) <= 3
            if name in RETRIEVERS:
                assert {hit.doc for hit in made} & {"lind", "orm", "vell"}
            else:
                assert made.status in ("answered", "abstained")
                texts = {one.id: one.text for one in TOWNS}
                assert all(texts[c.doc][c.start : c.end] == c.quote for c in made.citations)
            reasons[note.get("limit") or note.get("stopped") or "done"] += 1
        time.sleep(STALL)
        assert sum(server.kinds.values()) <= runs * CALLS
    assert set(server.kinds) == {"stall", "500", "429", "400", "cut", "talk", "empty", "lie"}
    assert reasons["seconds"]
    assert sum(reasons.values()) == runs


def test_a_thousand_questions_over_several_ways_stay_within_the_limits() -> None:
    """MultiHop begins nothing after its seconds; the way under way then has its own."""
    reasons: Counter[str] = Counter()
    rounds: Counter[int] = Counter()
    texts = {one.id: one.text for one in TOWNS}
    with lying() as (server, llm), using(Calls(retries=0, backoff=0.001)):
        steps = Questions(inner=BM25(), reader=PLAIN, llm=llm, calls=3, seconds=0.1, passages=9)
        kept = Ledger(inner=BM25(), llm=llm, calls=2, seconds=0.1, passages=9, rounds=2)
        stage = MultiHop(single=BM25(), ways=(steps, kept, BM25()), route="multi", calls=2, rounds=2, seconds=0.1)
        search = indexed(StructureChunker(), stage, TOWNS)
        for i in range(RUNS):
            name = "Ada Lind" if i % 2 else f"Zed Quill{i} and Ada Lind"
            began = time.monotonic()
            made = search(Query("q", f"Who is the mayor of the town number {i} where {name} was born?"))
            took = time.monotonic() - began
            note = made.notes["retrievers/multihop"]
            assert took <= 0.1 + 0.1 + SLACK
            assert note["calls"] <= 2
            assert note["rounds"] <= 2
            assert made.notes["retrievers/questions"]["calls"] <= 3
            assert made.notes.get("retrievers/ledger", {"calls": 0})["calls"] <= 2
            assert {hit.doc for hit in made} & {"lind", "orm", "vell"}
            assert all(texts[hit.doc][hit.start : hit.end] == hit.text for hit in made)
            reasons[note["stopped"]] += 1
            rounds[note["rounds"]] += 1
        time.sleep(STALL)
        assert sum(server.kinds.values()) <= RUNS * (3 + 2)
    assert set(server.kinds) == {"stall", "500", "429", "400", "cut", "talk", "empty", "lie"}
    assert set(reasons) <= {"done", "calls", "rounds", "seconds"}
    assert reasons["done"]
    assert reasons["rounds"] + reasons["calls"]
    assert reasons["seconds"]
    assert rounds[2]
