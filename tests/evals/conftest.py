"""A small dataset and a small pipeline."""

import json
from pathlib import Path

import pytest
from small_stages import First, Lines, Words

from evals.datasets import load
from rag.pipeline import Pipeline

SUBJECTS = ("lease", "orchard", "harbour", "library", "glacier", "bakery", "museum", "railway", "lantern", "vineyard")


def write_dataset(folder: Path, questions: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpus, queries, qrels, spans = [], [], ["query-id\tcorpus-id\tscore"], []
    for d, subject in enumerate(SUBJECTS):
        lines = [f"Fact {n} about the {subject} number {n} is value{d}x{n}.\n" for n in range(10)]
        corpus.append({"id": f"d{d}", "title": subject, "text": "".join(lines)})
        for n in range(10):
            if len(queries) == questions:
                continue
            query = f"q{d}-{n}"
            gold = f"value{d}x{n}"
            queries.append(
                {
                    "id": query,
                    "text": f"fact {n} about the {subject} number {n}",
                    "answers": [gold],
                    "type": "even" if n % 2 == 0 else "odd",
                }
            )
            qrels.append(f"{query}\td{d}\t1")
            start = "".join(lines).index(gold)
            spans.append({"query_id": query, "doc_id": f"d{d}", "start": start, "end": start + len(gold), "text": gold})
    for name, rows in (("corpus", corpus), ("queries", queries), ("spans", spans)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "qrels.tsv").write_text("\n".join(qrels) + "\n")
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("facts"))


@pytest.fixture
def data(folder):
    return load(folder)


@pytest.fixture
def pipeline():
    return Pipeline(chunker=Lines(), stages=(Words(), First()))


@pytest.fixture
def failing():
    def made(*ids: str, **settings) -> Pipeline:
        return Pipeline(chunker=Lines(), stages=(Words(), First(fails=ids, **settings)))

    return made
