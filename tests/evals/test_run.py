"""Runs: scores, failures apart from zeros, and folders that survive anything."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evals import run as runs
from evals import runfolder
from evals.datasets import load
from evals.metrics import names
from evals.metrics.names import parse_all
from evals.score import score, summary
from rag.errors import DataError, StageError

METRICS = "R@1,nDCG@10,SpanR@16tok,SpanR@64tok,EM,F1,Abstain,CiteR,CiteP,ChunkR@1,PrecisionOmega,Calls,Seconds"


def test_a_pipeline_that_finds_everything_scores_one(pipeline, data):
    found = runs.evaluate(pipeline, data, METRICS)
    for name in ("R@1", "nDCG@10", "SpanR@64tok", "EM", "F1", "Abstain", "CiteR", "CiteP", "ChunkR@1"):
        assert found[name] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 40, "failed": 0}, name
    lines = [data.text(i.spans[0].doc).splitlines(keepends=True)[int(i.id[-1])] for i in data.items]
    best = sum((i.spans[0].end - i.spans[0].start) / len(line) for i, line in zip(data.items, lines, strict=True)) / 40
    assert found["PrecisionOmega"]["value"] == pytest.approx(best)
    assert found["Calls"]["value"] == 0
    assert list(found) == METRICS.split(",")


def test_a_smaller_budget_holds_less(pipeline, data):
    found = runs.evaluate(pipeline, data, "SpanR@4tok,SpanR@16tok,SpanR@64tok,Context@16tok,Context@64tok")
    assert found["SpanR@4tok"]["value"] == 0.0
    assert found["Context@16tok"]["value"] <= 16 < found["Context@64tok"]["value"] <= 64


def test_the_run_folder_holds_what_the_design_names(pipeline, data, tmp_path):
    done = runs.run(pipeline, data, tmp_path / "run", metrics=METRICS)
    names_ = {p.name for p in (tmp_path / "run").iterdir()}
    assert {
        "manifest.json",
        "config.resolved.yaml",
        "perquery.jsonl",
        "trace.jsonl",
        "run.trec",
        "metrics.json",
    } <= names_
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"] == done.metrics
    first = json.loads((tmp_path / "run" / "perquery.jsonl").read_text().splitlines()[0])
    assert first["id"] == "q0-0"
    assert first["ranking"][0] == "d0"
    assert first["answer"] == "value0x0"
    assert (tmp_path / "run" / "run.trec").read_text().splitlines()[
        0
    ] == f"q0-0 Q0 d0 1 {len(first['ranking'])} ragtree"
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert {"config", "data", "code", "versions", "seed", "host"} <= set(manifest)


def test_trec_eval_reads_our_run_file_with_our_values(pipeline, data, tmp_path):
    import ir_measures

    done = runs.run(pipeline, data, tmp_path / "run", metrics="nDCG@10,AP,R@5")
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(m) for m in ("nDCG@10", "AP", "R@5")],
        [ir_measures.Qrel(i.id, d, g) for i in data.items for d, g in i.qrels.items()],
        ir_measures.read_trec_run(str(tmp_path / "run" / "run.trec")),
    )
    for measure, value in theirs.items():
        assert done.metrics[str(measure)]["value"] == pytest.approx(value)


def test_failures_are_counted_apart_and_score_nothing(failing, data, tmp_path):
    done = runs.run(failing("q0-3", "q1-4"), data, tmp_path / "run", metrics="R@1,EM,Abstain,Calls")
    assert done.failed == ("q0-3", "q1-4")
    assert done.metrics["EM"]["value"] == pytest.approx(38 / 40)
    assert (done.metrics["EM"]["n"], done.metrics["EM"]["failed"]) == (40, 2)
    assert done.metrics["R@1"]["value"] == pytest.approx(38 / 40)
    assert (done.metrics["Calls"]["n"], done.metrics["Calls"]["failed"]) == (38, 2)
    rows = [json.loads(line) for line in (tmp_path / "run" / "failures.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == ["q0-3", "q1-4"]
    assert "stages[1]" in rows[0]["reason"]


def test_silence_is_a_zero_and_not_a_failure(failing, data):
    found = runs.evaluate(failing(silent=True), data, "EM,Abstain,Answered,AbstainR")
    assert (found["EM"]["value"], found["EM"]["failed"]) == (0.0, 0)
    assert found["Abstain"]["value"] == 0.0
    assert found["AbstainR"]["value"] is None
    assert "applies to no question" in found["AbstainR"]["off"]


def test_metrics_without_gold_are_switched_off_and_say_so(pipeline, folder, tmp_path):
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    found = runs.evaluate(pipeline, load(tmp_path), "R@5,SpanR@64tok,EM,PoisonF1")
    assert found["R@5"]["value"] is None
    assert found["R@5"]["n"] == 0
    assert found["R@5"]["off"] == "the dataset has no qrels.tsv"
    assert found["SpanR@64tok"]["off"] == "the dataset has no spans.jsonl"
    assert found["PoisonF1"]["off"] == "the dataset has no poison.tsv"
    assert found["EM"]["n"] == 40


def test_a_metric_that_gives_nan_has_failed_by_name(pipeline, data, monkeypatch):
    broken = names.METRICS["EM"]._replace(of=lambda case, metric: math.nan if case.item.id == "q0-0" else 1.0)
    monkeypatch.setattr(names, "METRICS", {**names.METRICS, "EM": broken})
    done = runs.evaluated(pipeline, data, "EM,R@1")
    assert done.metrics["EM"] == {**done.metrics["EM"], "value": pytest.approx(39 / 40), "n": 40, "failed": 1}
    assert done.metrics["R@1"]["failed"] == 0


def test_the_reader_does_not_run_when_no_metric_asks_for_its_answer(failing, data):
    assert runs.evaluate(failing("q0-0"), data, "R@1,SpanR@64tok")["R@1"]["failed"] == 0


def test_a_second_start_runs_nothing_and_changes_nothing(pipeline, data, tmp_path):
    first = runs.run(pipeline, data, tmp_path / "run", metrics=METRICS)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    second = runs.run(pipeline, data, tmp_path / "run", metrics=METRICS)
    assert (first.skipped, second.skipped) == (0, 40)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()} == before


@pytest.mark.parametrize("keep", [0, 1, 700, 5000])
def test_a_torn_run_ends_with_the_bytes_of_a_whole_one(pipeline, data, tmp_path, keep):
    runs.run(pipeline, data, tmp_path / "whole", metrics=METRICS)
    runs.run(pipeline, data, tmp_path / "torn", metrics=METRICS)
    whole = (tmp_path / "whole" / "perquery.jsonl").read_bytes()
    (tmp_path / "torn" / "perquery.jsonl").write_bytes(whole[:keep])
    runs.run(pipeline, data, tmp_path / "torn", metrics=METRICS)
    assert (tmp_path / "torn" / "perquery.jsonl").read_bytes() == whole
    assert (tmp_path / "torn" / "run.trec").read_bytes() == (tmp_path / "whole" / "run.trec").read_bytes()
    ids = [json.loads(line)["id"] for line in (tmp_path / "torn" / "trace.jsonl").read_text().splitlines()]
    assert ids == [item.id for item in data.items]


def test_workers_change_neither_order_nor_bytes(pipeline, data, tmp_path):
    runs.run(pipeline, data, tmp_path / "one", metrics=METRICS)
    runs.run(pipeline, data, tmp_path / "four", metrics=METRICS, workers=4)
    assert (tmp_path / "one" / "perquery.jsonl").read_bytes() == (tmp_path / "four" / "perquery.jsonl").read_bytes()


def test_a_limit_runs_the_first_questions_and_can_be_lifted(pipeline, data, tmp_path):
    part = runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=7)
    assert (part.items, part.metrics["EM"]["n"]) == (7, 7)
    rest = runs.run(pipeline, data, tmp_path / "run", metrics="EM")
    assert (rest.items, rest.skipped) == (40, 7)


def test_failed_questions_can_be_run_again_in_their_place(failing, data, tmp_path, monkeypatch):
    runs.run(failing("q0-3"), data, tmp_path / "run", metrics="EM")
    monkeypatch.setattr(runfolder, "differences", lambda old, new: [])
    again = runs.run(failing(), data, tmp_path / "run", metrics="EM", retry=True)
    assert (again.skipped, again.failed) == (39, ())
    ids = [json.loads(line)["id"] for line in (tmp_path / "run" / "perquery.jsonl").read_text().splitlines()]
    assert ids == [item.id for item in data.items]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("config", "another config"),
        ("data", "other data"),
        ("code", "another version of the code"),
        ("seed", "another seed"),
        ("format", r"another format \(99"),
    ],
)
def test_a_folder_of_another_run_is_refused_unless_told(pipeline, data, tmp_path, change, message):
    runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3)
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), change: 99}))
    before = (tmp_path / "run" / "perquery.jsonl").read_bytes()
    with pytest.raises(DataError, match=message):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3)
    assert (tmp_path / "run" / "perquery.jsonl").read_bytes() == before
    assert runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3, fresh=True).items == 3


def test_a_run_with_another_budget_is_another_run(pipeline, data, tmp_path):
    runs.run(pipeline, data, tmp_path / "run", metrics="SpanR@16tok", limit=3)
    with pytest.raises(DataError, match="other budgets"):
        runs.run(pipeline, data, tmp_path / "run", metrics="SpanR@32tok", limit=3)


@pytest.mark.parametrize("content", ["not json", "[]", "{}"])
def test_a_damaged_manifest_is_named(pipeline, data, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=r"manifest.json: .*manifest"):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM")


def test_a_damaged_line_in_the_middle_is_named(pipeline, data, tmp_path):
    runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3)
    path = tmp_path / "run" / "perquery.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{oops\n" + lines[2])
    with pytest.raises(DataError, match=r"perquery.jsonl:2: is not JSON"):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3)
    path.write_bytes(lines[0] * 2)
    with pytest.raises(DataError, match="holds a question twice"):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM", limit=3)


def test_two_processes_never_write_one_run(pipeline, data, tmp_path):
    with runfolder.locked(tmp_path / "run"), pytest.raises(DataError, match="another process is writing"):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM")


def test_a_full_disk_keeps_what_was_done_and_says_so(pipeline, data, tmp_path, monkeypatch):
    written = []
    real = runfolder.append

    def full(out, value):
        if len(written) == 10:
            with Path("/dev/full").open("wb", buffering=0) as nowhere:
                real(nowhere, value)
        written.append(value)
        real(out, value)

    monkeypatch.setattr(runfolder, "append", full)
    with pytest.raises(DataError, match=r"No space left on device. Free some space"):
        runs.run(pipeline, data, tmp_path / "run", metrics="EM")
    monkeypatch.setattr(runfolder, "append", real)
    assert runs.run(pipeline, data, tmp_path / "run", metrics="EM").skipped == 5


def test_what_would_fail_every_question_ends_the_run(failing, data, tmp_path):
    with pytest.raises(StageError, match="rag models pull x"):
        runs.run(failing(weights="x"), data, tmp_path / "run", metrics="EM")


def test_a_record_of_a_budget_that_was_not_run_is_refused(pipeline, data, tmp_path):
    runs.run(pipeline, data, tmp_path / "run", metrics="SpanR@16tok", limit=3)
    with pytest.raises(DataError, match="no context of 99 tokens; it has 16"):
        runs.score_folder(tmp_path / "run", data, parse_all("SpanR@99tok"))


def test_a_run_of_nothing_scores_nothing(data):
    table = score([], data, parse_all("EM,R@5"))
    assert summary(table, data.has)["EM"] == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "failed": 0,
        "off": "no question was run",
    }


KILLED = """
import sys
sys.path[:0] = {path!r}
from small_stages import Lines, Words, First
from evals import run as runs
from evals.datasets import load
from rag.pipeline import Pipeline
runs.run(Pipeline(chunker=Lines(), stages=(Words(), First())), load({data!r}), {out!r}, metrics="EM,SpanR@16tok")
"""


@pytest.mark.slow
def test_a_run_killed_at_any_instant_ends_with_the_same_bytes(folder, tmp_path):
    here = str(Path(__file__).parent)
    script = KILLED.format(path=[here, str(Path(here).parents[1])], data=str(folder), out=str(tmp_path / "run"))
    whole = script.replace(str(tmp_path / "run"), str(tmp_path / "whole"))
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", whole], check=True)
    took = time.monotonic() - began
    for i in range(12):
        worker = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        time.sleep(took * (0.4 + 0.05 * i))
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    subprocess.run([sys.executable, "-c", script], check=True)
    for name in ("perquery.jsonl", "run.trec", "failures.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
