from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rag.loaders.read import documents
from rag.types import Document

SAMPLES = Path(__file__).parents[2] / "evals" / "samples"
NAMES = ["manual", "papers", "wikipedia"]
SIZES = {"manual": (32, 28, 28), "papers": (19, 131, 131), "wikipedia": (18, 250, 220)}


def rows(name: str, part: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]


def corpus(name: str) -> dict[str, Document]:
    found = list(documents([SAMPLES / name]))
    assert all(isinstance(item, Document) for item in found)
    return {item.id: item for item in found if isinstance(item, Document)}


@pytest.mark.parametrize("name", NAMES)
def test_every_span_is_the_slice_it_says_and_holds_an_answer(name: str) -> None:
    texts = corpus(name)
    queries = {row["id"]: row for row in rows(name, "queries")}
    spans = rows(name, "spans")
    assert (len(texts), len(queries), len(spans)) == SIZES[name]
    for span in spans:
        assert texts[span["doc_id"]].text[span["start"] : span["end"]] == span["text"]
        assert queries[span["query_id"]]["answers"]
    if name != "manual":  # whose answers are words and whose spans are sentences
        assert all(any(a.strip() in s["text"] for a in queries[s["query_id"]]["answers"]) for s in spans)


@pytest.mark.parametrize("name", NAMES)
def test_judgements_name_questions_and_documents_that_are_there(name: str) -> None:
    head, *lines = (SAMPLES / name / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    assert head == "query-id\tcorpus-id\tscore"
    pairs = {tuple(line.split("\t")[:2]) for line in lines}
    assert pairs == {(span["query_id"], span["doc_id"]) for span in rows(name, "spans")}
    queries, texts = {row["id"] for row in rows(name, "queries")}, corpus(name)
    assert all(query in queries and doc in texts for query, doc in pairs)


def test_unanswerable_questions_have_no_answer_in_the_corpus() -> None:
    asked = {span["query_id"] for span in rows("wikipedia", "spans")}
    lost = [row for row in rows("wikipedia", "queries") if row["type"] == "unanswerable"]
    assert len(lost) == 30
    assert all(not row["answers"] and row["id"] not in asked for row in lost)


def test_the_manual_is_there_as_files_and_as_a_corpus() -> None:
    files = {item.id: item for item in documents([SAMPLES / "manual" / "docs"]) if isinstance(item, Document)}
    records = corpus("manual")
    assert {i: (d.text, d.title, d.media_type) for i, d in files.items()} == {
        i: (d.text, d.title, d.media_type) for i, d in records.items()
    }


def test_every_paper_carries_its_licence() -> None:
    for document in corpus("papers").values():
        assert document.metadata["licence"] in ("cc-by", "cc0")
        assert re.search(rf"^License: ?{document.metadata['licence']}$", document.text, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_says_where_it_comes_from(name: str) -> None:
    said = (SAMPLES / name / "SOURCES.md").read_text(encoding="utf-8")
    assert "Licence:" in said
    assert " at " in said
