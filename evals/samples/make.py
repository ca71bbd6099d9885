"""Make the bundled samples from the data they come from: `python evals/samples/make.py SOURCE`.

SOURCE is a folder with these parts; `SOURCES.md` beside each sample names repository and commit:

    squad_long/, squad_articles/, covid_qa/   datasets: corpus.jsonl, queries.jsonl, spans.jsonl
    docs_markdown/rust-book/                  the Markdown files of the book

Nothing is drawn by chance, so a second run writes the same bytes.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.loaders.heading import markdown_title

HERE = Path(__file__).parent
CHAPTERS = tuple(f"ch{n:02}" for n in range(3, 10))
LICENCE = re.compile(r"^License: ?(cc0|cc-by)\s*$", re.MULTILINE)
LONGEST_PAPER, FEWEST_QUESTIONS = 30_000, 3
UNANSWERABLE = 30
Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    """Every line of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(folder: Path, corpus: Sequence[Row], queries: Sequence[Row], spans: Sequence[Row]) -> None:
    """Write a dataset folder, after checking that every span is the slice it says."""
    texts = {doc["id"]: doc["text"] for doc in corpus}
    for span in spans:
        if texts[span["doc_id"]][span["start"] : span["end"]] != span["text"]:
            raise SystemExit(f"{folder.name}: the span of {span['query_id']} is not its text")
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in (("corpus", corpus), ("queries", queries), ("spans", spans)):
        lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8", newline="\n")
    pairs = dict.fromkeys((span["query_id"], span["doc_id"]) for span in spans)
    lines = "".join(f"{query}\t{doc}\t1\n" for query, doc in pairs)
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines, encoding="utf-8", newline="\n")
    size = sum(f.stat().st_size for f in folder.glob("*.*"))
    counts = f"{len(corpus)} documents, {len(queries)} questions, {len(spans)} spans, {size:,} bytes"
    sys.stdout.write(f"{folder.name}: {counts}\n")


def document(row: Mapping[str, Any], **metadata: Any) -> Row:
    """A record of the corpus."""
    return {"id": row["id"], "title": row["title"], "text": row["text"], "metadata": metadata}


def question(row: Mapping[str, Any], kind: str = "extractive") -> Row:
    """A record of the questions; those of `kind` unanswerable have no answers."""
    answers = [] if kind == "unanswerable" else row["answers"]
    return {"id": row["id"], "text": row["text"], "answers": answers, "type": kind}


def wikipedia(source: Path) -> None:
    """Whole Wikipedia articles with SQuAD's questions, and questions asked of articles that are not there."""
    data = source / "squad_long"
    docs = [doc for doc in rows(data / "corpus.jsonl") if doc["metadata"]["whole_article"]]
    ids = {doc["id"] for doc in docs}
    spans = [span for span in rows(data / "spans.jsonl") if span["doc_id"] in ids]
    asked = {span["query_id"] for span in spans}
    queries = [question(q) for q in rows(data / "queries.jsonl") if q["id"] in asked]
    everything = " ".join(doc["text"] for doc in docs).casefold()
    titles = {doc["title"].casefold() for doc in docs}
    other = source / "squad_articles"
    absent = {doc["id"] for doc in rows(other / "corpus.jsonl") if doc["title"].casefold() not in titles}
    seen: set[str] = set()
    for q in sorted(rows(other / "queries.jsonl"), key=lambda q: str(q["id"])):
        doc = q["scope"][0]
        found = any(answer.casefold() in everything for answer in q["answers"])
        if doc in absent and doc not in seen and not found and len(seen) < UNANSWERABLE:
            seen.add(doc)
            queries.append(question(q, "unanswerable"))
    write(HERE / "wikipedia", [document(doc, licence="CC BY-SA 4.0") for doc in docs], queries, spans)


def papers(source: Path) -> None:
    """Biomedical articles whose own header gives them to the public, with experts' questions."""
    data = source / "covid_qa"
    spans = rows(data / "spans.jsonl")
    count = Counter(span["doc_id"] for span in spans)
    docs = []
    for doc in rows(data / "corpus.jsonl"):
        licence = LICENCE.search(doc["text"][:3000])
        if licence and len(doc["text"]) <= LONGEST_PAPER and count[doc["id"]] >= FEWEST_QUESTIONS:
            docs.append(document(doc, licence=licence[1], pmc=doc["source"].split()[-1]))
    ids = {doc["id"] for doc in docs}
    spans = [span for span in spans if span["doc_id"] in ids]
    scope = {span["query_id"]: span["doc_id"] for span in spans}
    queries = [{**question(q), "scope": [scope[q["id"]]]} for q in rows(data / "queries.jsonl") if q["id"] in scope]
    write(HERE / "papers", docs, queries, spans)


def manual(source: Path) -> None:
    """Chapters of a manual as Markdown files; the questions were written for this sample."""
    folder = HERE / "manual"
    files = folder / "docs"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    docs = []
    for path in sorted((source / "docs_markdown" / "rust-book").glob("ch*.md")):
        if path.name.startswith(CHAPTERS):
            shutil.copyfile(path, files / path.name)
            text = path.read_bytes().decode("utf-8")
            facts = {"media_type": "text/markdown"}
            docs.append({"id": path.name, "title": markdown_title(text), "text": text, "metadata": facts})
    texts = {doc["id"]: str(doc["text"]) for doc in docs}
    queries, spans = [], []
    with (folder / "questions.tsv").open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            name = f"manual-{number:02}"
            words = r"\s+".join(re.escape(word) for word in row["evidence"].split())
            found = list(re.finditer(words, texts[row["file"]]))
            if len(found) != 1:
                raise SystemExit(f"questions.tsv:{number + 1}: evidence found {len(found)} times in {row['file']}")
            queries.append({"id": name, "text": row["question"], "answers": [row["answer"]], "type": "extractive"})
            start, end = found[0].span()
            spans.append({"query_id": name, "doc_id": row["file"], "start": start, "end": end, "text": found[0][0]})
    write(folder, docs, queries, spans)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python evals/samples/make.py SOURCE")
    for make in (wikipedia, papers, manual):
        make(Path(sys.argv[1]))
