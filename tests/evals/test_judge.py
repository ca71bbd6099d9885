"""A judge behind a loopback server: grades, prose, agreement with gold, and the rubric in the trace."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evals import run as runs
from evals.datasets import load
from evals.judge import RUBRIC, judge
from evals.runfolder import lines
from rag import trace
from rag.errors import OverBudget
from rag.models.calls import Calls, using
from rag.models.ledger import Budget
from rag.models.openai import OpenAICompatible

pytestmark = pytest.mark.service


class Handler(BaseHTTPRequestHandler):
    """Says what the server's `says` makes of the last message."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        said = self.server.says(body["messages"])
        reply = {"choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]}
        data = json.dumps({**reply, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "k")
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads, made.seen, made.says = True, [], lambda messages: '{"reason": "it is", "right": true}'
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made.llm = OpenAICompatible(
        model="judge-1", base_url=f"http://127.0.0.1:{made.server_address[1]}/v1/", key_env="JUDGE_KEY"
    )
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def folder_of_run(pipeline, data, tmp_path):
    runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=10)
    path = tmp_path / "run" / "perquery.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[:4]:
        row["answer"] = "nonsense"  # the gold calls these wrong
    rows[9]["answer"] = ""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def wise(messages):
    right = "nonsense" not in messages[-1]["content"]
    return json.dumps({"reason": "read it", "right": right})


def test_a_judge_that_agrees_with_the_gold_has_a_kappa_of_one(server, data, folder_of_run):
    server.says = wise
    with trace.record() as spans:
        found = judge(lines(folder_of_run), data, server.llm)
    assert (found.right.value, found.gold.value, found.kappa.value) == (pytest.approx(5 / 9), pytest.approx(5 / 9), 1.0)
    assert (found.silent, len(found.verdicts), found.failed) == (1, 9, ())
    assert spans[0].facts["rubric"] == found.rubric == RUBRIC
    assert sum(s.name == "judge answer" for s in spans) == 9
    assert "kappa 1.00 (1.00 to 1.00)" in found.summary()
    prompts = [message["content"] for body in server.seen for message in body["messages"]]
    assert RUBRIC in prompts[0]
    assert "value0x0" not in "".join(prompts[1:2]).partition("<answer")[2]  # the gold answer is not shown
    json.dumps(found.json(), allow_nan=False)


def test_a_judge_that_likes_everything_is_shown_to_be_worth_nothing(server, data, folder_of_run):
    found = judge(lines(folder_of_run), data, server.llm)
    assert found.right.value == 1.0
    assert found.kappa.value == 0.0


def test_prose_is_a_failure_of_the_judge_and_neither_right_nor_wrong(server, data, folder_of_run):
    server.says = lambda messages: "I think it is right." if "nonsense" in messages[1]["content"] else wise(messages)
    found = judge(lines(folder_of_run), data, server.llm)
    assert len(found.failed) == 4
    assert {v.way for v in found.verdicts if v.right is None} == {"failed"}
    assert (found.right.n, found.right.value) == (5, 1.0)
    assert "failed 4" in found.summary()
    assert "kappa unknown" in found.summary()
    assert found.json()["kappa"]["value"] is None


def test_a_grade_in_words_is_repaired_once(server, data, folder_of_run):
    server.says = lambda messages: wise(messages[:2]) if len(messages) > 2 else '{"reason": "so", "right": "yes"}'
    found = judge(lines(folder_of_run), data, server.llm)
    assert {v.way for v in found.verdicts} == {"repaired"}
    assert found.kappa.value == 1.0


def test_without_gold_answers_the_agreement_is_unknown(server, folder, folder_of_run, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    (bare / "queries.jsonl").write_text("".join(json.dumps({"id": r["id"], "text": r["text"]}) + "\n" for r in rows))
    found = judge(lines(folder_of_run), load(bare), server.llm)
    assert found.gold.n == 0
    assert found.summary().endswith("no gold answers, so nobody knows whether to believe it")


def test_a_budget_stops_the_judge(server, data, folder_of_run):
    with using(Calls(budget=Budget(calls=3))), pytest.raises(OverBudget):
        judge(lines(folder_of_run), data, server.llm)
    assert len(server.seen) == 3
