"""The report: complete, self-contained, safe, small, and its pictures are data."""

import json
import re
import shutil
import subprocess

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from evals import run as runs
from evals.report.facts import gather
from evals.report.write import one_question, report
from rag.errors import DataError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
METRICS = "R@1,EM,Abstain,SpanR@4tok,SpanR@16tok,SpanR@64tok,SpanP@16tok,Context,Seconds,PoisonF1"


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    from small_stages import First, Lines, Words

    from evals.datasets import load
    from rag.pipeline import Pipeline

    out = tmp_path_factory.mktemp("runs") / "first"
    data = load(folder)
    runs.run(Pipeline(chunker=Lines(), stages=(Words(), First(fails=("q0-3",)))), data, out, metrics=METRICS)
    return out


def page(path):
    return HTMLParser(path.read_text(encoding="utf-8"))


def test_the_report_is_one_file_that_asks_the_network_for_nothing(finished):
    text = report(finished).read_text(encoding="utf-8")
    tree = HTMLParser(text)
    for node in tree.css("link, script, img, iframe"):
        source = node.attributes.get("src") or node.attributes.get("href") or ""
        assert source in {"", "data:,"}
    assert not re.search(r"https?://|@import|url\(", text)
    assert len(text) < 3_000_000


def test_every_picture_is_also_data(finished):
    tree = page(report(finished))
    data = json.loads(tree.css_first("script#data").text())
    assert data["waterfall"]["counts"] == {"answered": 39, "failed": 1}
    assert [p["budget"] for p in data["curves"][0]["points"]] == [4, 16, 64]
    assert data["curves"][0]["points"][2]["value"] == pytest.approx(39 / 40)
    assert {s["name"] for s in data["stages"]} == {"small_stages:Words", "small_stages:First"}
    assert {row["type"] for row in data["types"]} == {"even", "odd"}
    assert len(data["questions"]) == 40
    assert "PoisonF1: the dataset has no poison.tsv" in tree.body.text()
    assert "1 failed" in tree.css_first("header").text()


def test_a_question_shows_its_very_text_with_marks(finished, data):
    found = one_question(finished, "q2-4")
    source = found["sources"][0]
    marked = "".join(text for marks, text in source["pieces"] if marks and "g" in marks)
    assert marked == "value2x4"
    shown = "".join(text for marks, text in source["pieces"] if marks is not None)
    assert shown in data.text("d2")
    with pytest.raises(DataError, match="holds no question 'nowhere'"):
        one_question(finished, "nowhere")


def test_texts_are_kept_for_the_worst_questions_first(finished, data):
    facts = gather(finished, data, text=1)
    assert [q["id"] for q in facts["questions"] if q.get("sources")] == ["q0-3"]
    assert len(facts["questions"]) == 40


def test_markup_in_a_question_cannot_run(folder, tmp_path, pipeline):
    from evals.datasets import load

    shutil.copytree(folder, tmp_path / "data")
    path = tmp_path / "data" / "queries.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["text"] = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    rows[0]["type"] = "<b onmouseover=alert(3)>"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    data = load(tmp_path / "data")
    runs.run(pipeline, data, tmp_path / "run", metrics="EM")
    tree = page(report(tmp_path / "run"))
    assert len(tree.css("script")) == 2
    assert not tree.css("img, b[onmouseover]")
    assert json.loads(tree.css_first("script#data").text())["questions"][0]["text"] == rows[0]["text"]


def test_a_comparison_shows_verdict_and_config_difference(finished, data, tmp_path, failing):
    runs.run(failing(silent=True), data, tmp_path / "second", metrics=METRICS)
    text = page(report(tmp_path / "second", tmp_path / "both.html", against=[finished])).body.text()
    assert "first wins by EM" in text
    assert "stages[1].silent" in text


def test_a_report_of_changed_data_is_refused(finished, tmp_path, folder):
    from evals.datasets import load

    shutil.copytree(folder, tmp_path / "data")
    (tmp_path / "data" / "spans.jsonl").write_text("")
    with pytest.raises(DataError, match="was run over other data"):
        report(finished, data=load(tmp_path / "data"))
    with pytest.raises(DataError, match="is not the folder of a run"):
        report(tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to parse the script")
def test_the_script_parses(tmp_path):
    from evals.report.style import SCRIPT

    (tmp_path / "page.js").write_text(SCRIPT)
    subprocess.run(["node", "--check", str(tmp_path / "page.js")], check=True)


@pytest.mark.service
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine")
def test_the_search_box_narrows_the_questions_by_words_and_by_id(finished, data):
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra probe is not installed")
    questions = gather(finished, data)["questions"]
    sought = questions[0]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        problems = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(report(finished).resolve().as_uri())
        for typed in ("", sought["text"].upper(), sought["id"], "no question says this", ""):
            tab.fill("#find", typed)
            left = sum(typed.lower() in f"{one['id']} {one['text']}".lower() for one in questions)
            assert tab.locator("#list > *").count() == left, typed
            assert tab.locator("#count").inner_text() == f"{left} of {len(questions)} questions"
        browser.close()
    assert not problems
