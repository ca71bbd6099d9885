"""A report shows what a compressor that explains itself kept of each section, and what it left out for what reason."""

import json

from selectolax.lexbor import LexborHTMLParser

from compressors.bubble import Bubble
from evals import run as runs
from evals.datasets import load
from evals.report.facts import pieces
from evals.report.write import one_question, report
from rag.pipeline import Pipeline
from retrievers.bm25 import BM25


def test_kept_sections_and_rejected_pieces_are_in_the_report(folder, tmp_path) -> None:
    from small_stages import Lines

    data = load(folder)
    stages = (BM25(k=20), Bubble(budget=40, explain=True))
    runs.run(Pipeline(chunker=Lines(), stages=stages), data, tmp_path / "run", metrics="SpanR@16tok", limit=3)
    records = [json.loads(line) for line in (tmp_path / "run" / "perquery.jsonl").read_text().splitlines()]
    told = pieces(records[0], data)
    assert told is not None
    kept = [row for row in records[0]["pieces"] if row[3]]
    assert sum(tokens for _, _, tokens in told["sections"]) == sum(row[5] for row in kept) > 0
    assert all(data.text(doc).find(text) >= 0 for doc, text, *_ in told["left"])
    assert told["left"]
    assert all(why for _, _, why, _, _ in told["left"])
    shown = LexborHTMLParser(report(tmp_path / "run").read_text(encoding="utf-8")).css_first("script#data").text()
    assert json.loads(shown)["questions"][0]["pieces"] == one_question(tmp_path / "run", records[0]["id"])["pieces"]


def test_without_records_there_is_nothing_to_show(folder) -> None:
    assert pieces({"pieces": []}, load(folder)) is None
    assert pieces({}, load(folder)) is None
