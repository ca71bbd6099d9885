"""Every error class, provoked as a person would, and read: where, which, what came, what to do; one line.

The list of `SAID` is printed by `pytest tests/rag/test_messages.py -s -k read_aloud`, to be read by somebody.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import rag
from evals.datasets import load as load_data
from rag import Document, Hits, Query, errors
from rag.loaders.read import read
from rag.models.calls import Calls
from rag.models.ledger import Budget
from rag.models.llm import Message, Reply
from rag.models.openai import OpenAICompatible
from rag.optional import require
from rag.stage import stage

SECRET = "the password is swordfish"
DOCUMENTS = [Document("a.md", f"# One\n\n{SECRET}.", media_type="text/markdown")]
ASK = [Message("user", "How many?")]


class Echo:
    """A language model that says what it is asked."""

    name, fingerprint = "echo", "echo@1"

    def complete(self, messages, **settings) -> Reply:
        return Reply(messages[-1].content, 1, 1)


@stage
class Breaks:
    """A stage with a fault of its own."""

    def __call__(self, hits: Hits, /) -> Hits:
        return {}["no such key"]  # type: ignore[return-value]


@contextmanager
def endpoint(status: int, said: str) -> Iterator[OpenAICompatible]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"error": {"message": said}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield OpenAICompatible(model="m", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", key_env="")
    finally:
        server.shutdown()
        server.server_close()


def answered(status: int, said: str) -> Callable[[Path], object]:
    def provoke(_: Path) -> object:
        with endpoint(status, said) as model:
            return model.complete(ASK)

    return provoke


def config(text: str) -> Callable[[Path], object]:
    def provoke(folder: Path) -> object:
        (folder / "pipeline.yaml").write_text(text)
        return rag.load(folder / "pipeline.yaml")

    return provoke


def data(name: str, text: str) -> Callable[[Path], object]:
    def provoke(folder: Path) -> object:
        (folder / "corpus.jsonl").write_text('{"id": "a", "text": "one"}\n')
        (folder / "queries.jsonl").write_text('{"id": "q", "text": "one?"}\n')
        (folder / name).write_text(text)
        return load_data(folder)

    return provoke


def no_manifest(folder: Path) -> object:
    return rag.open(folder)


def torn_manifest(folder: Path) -> object:
    rag.load("lexical").index(DOCUMENTS, folder / "index")
    (folder / "index" / "manifest.json").write_text('{"format":')
    return rag.open(folder / "index")


def other_settings(folder: Path) -> object:
    return rag.load("lexical").index(DOCUMENTS).tuned("chunker.size=32")


def failing_stage(_: Path) -> object:
    base = rag.load("lexical")
    return rag.Pipeline(chunker=base.chunker, stages=(*base.stages, Breaks())).index(DOCUMENTS).ask("password")


def no_weights(folder: Path) -> object:
    from rag.models.weights import locate

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAGTREE_CACHE", str(folder / "empty"))
        return locate("bge-small-en-v1.5")


def over_budget(_: Path) -> object:
    calls = Calls(budget=Budget(calls=1))
    calls.complete(Echo(), ASK)
    return calls.complete(Echo(), ASK)


def not_utf8(folder: Path) -> object:
    (folder / "bad.txt").write_bytes(SECRET.encode() + b"\xff\x00\xfe")
    return list(read(folder / "bad.txt"))


CASES: dict[str, tuple[type[errors.RagError], Callable[[Path], object], str]] = {
    "unknown key": (errors.ConfigError, config("version: 1\nstagez: []\n"), r"pipeline\.yaml:2.*Did you mean 'stages'"),
    "bad value": (
        errors.ConfigError,
        config("version: 1\nstages:\n  - {use: retrievers/bm25, k: 0}\n"),
        r"pipeline\.yaml:3: stages\[0\]\.k \(retrievers/bm25\): must be >= 1, got 0\. Drop the line",
    ),
    "not yaml": (errors.ConfigError, config("version: 1\nstages: [\n"), r"pipeline\.yaml"),
    "unknown stage": (
        errors.UnknownStage,
        config("version: 1\nstages:\n  - {use: retrievers/bm24}\n"),
        r"pipeline\.yaml:3.*Did you mean retrievers/bm25",
    ),
    "no key": (
        errors.ConfigError,
        lambda _: OpenAICompatible(model="m", key_env="A_KEY_NOBODY_SET").complete(ASK),
        r"environment variable 'A_KEY_NOBODY_SET' is not set\. Set it",
    ),
    "missing extra": (
        errors.MissingExtra,
        lambda _: require("a_module_nobody_has", extra="pdf", by="rag index"),
        r"rag index needs 'a_module_nobody_has'.*pip install 'ragtree\[pdf\]'",
    ),
    "not utf-8": (errors.LoadError, not_utf8, r"bad\.txt"),
    "broken line": (errors.DataError, data("corpus.jsonl", "{\n"), r"corpus\.jsonl"),
    "no folder": (errors.DataError, lambda folder: load_data(folder / "nowhere"), r"nowhere"),
    "no index": (errors.StoreError, no_manifest, r"manifest\.json|not an index|no index"),
    "torn manifest": (errors.StoreError, torn_manifest, r"manifest\.json"),
    "other settings": (
        errors.StoreMismatch,
        other_settings,
        r"chunker: this index was built with size 160, the change asks for size 32\. Index again",
    ),
    "broken stage": (errors.StageError, failing_stage, r"stages\[1\].*Breaks.*item 'question': KeyError"),
    "no weights": (errors.MissingWeights, no_weights, r"its files are .* Run: rag models pull bge-small-en-v1\.5"),
    "refused": (errors.Refused, answered(401, "bad key"), r"answered 401: bad key"),
    "too long": (
        errors.TooLong,
        answered(400, "maximum context length"),
        r"context length\. Lower the budget of the compressor",
    ),
    "unavailable": (errors.Unavailable, answered(503, "overloaded"), r"answered 503: overloaded"),
    "over budget": (errors.OverBudget, over_budget, r"budget of calls is 1.*Raise the budget"),
    "no chat": (errors.ModelError, answered(200, "what?"), r"answered 200 without a chat completion"),
    "empty question": (
        errors.RagError,
        lambda _: rag.load("lexical").index(DOCUMENTS).ask(Query("q7", " ")),
        r"question 'q7': must hold at least one character",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, errors.RagError]:
    kind, provoke, _ = CASES[request.param]
    with pytest.raises(kind) as raised:
        provoke(tmp_path)
    return request.param, raised.value


def test_a_message_says_where_which_and_what_to_do(case: tuple[str, errors.RagError]) -> None:
    name, error = case
    said = str(error)
    assert re.search(CASES[name][2], said), said
    assert "\n" not in said.strip()
    assert 20 < len(said) < 600
    assert SECRET not in said
    assert "Traceback" not in said
    assert "<class" not in said
    assert "object at 0x" not in said
    assert said == said.strip()
    assert said[-1] in ".?)]'" or said[-1].isalnum()


def test_every_class_of_the_tree_is_provoked() -> None:
    assert {kind.__name__ for kind, _, _ in CASES.values()} == set(errors.__all__)


def test_read_aloud(case: tuple[str, errors.RagError]) -> None:
    name, error = case
    print(f"\n{type(error).__name__} ({name}): {error}")  # for a person, with -s
    assert str(error)


def test_the_drawing_of_the_tree_names_every_class_once_where_it_stands() -> None:
    drawn = re.findall(r"^    (?:[│ ]*[├└]── )?(\w+)", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(errors.__all__)
