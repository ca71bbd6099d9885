"""Chroma's chunking evaluation: `questions_df.csv` and `corpora/*.md`."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evals.readers.records import Doc, Judgement, Question, Record, SpanOf, Wrong
from evals.readers.tree import At, wrong
from rag.errors import DataError

__all__ = ["read"]


def read(source: Path) -> Iterator[Record]:
    """Every corpus is one document; a question's references are its spans.

    Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024,
    https://research.trychroma.com/evaluating-chunking; data of brandonstarxel/chunking_evaluation, folder
    `general_evaluation_data`. All corpora are searched together, so questions have no scope.

    Raises:
        DataError: a file is missing or a row cannot be read; names the row.
    """
    table = source / "questions_df.csv"
    if not table.is_file():
        raise DataError(f"{source}: has no questions_df.csv. Give the folder `general_evaluation_data`.")
    texts: dict[str, str] = {}
    count: Counter[str] = Counter()
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = At(table, f"row {sum(count.values()) + 1}", dict(row))
            corpus = at["corpus_id"].text
            if corpus not in texts:
                path = source / "corpora" / f"{corpus}.md"
                if not path.is_file():
                    raise DataError(f"{at}: corpus {corpus!r} is not there: {path} is missing.")
                texts[corpus] = path.read_bytes().decode("utf-8")
                yield Doc(corpus, texts[corpus], corpus.replace("_", " "))
            query = f"{corpus}-{count[corpus]}"
            count[corpus] += 1
            yield Question(query, at["question"].text)
            yield from _spans(at, query, corpus, texts[corpus])


def _spans(at: At, query: str, corpus: str, text: str) -> Iterator[SpanOf | Judgement | Wrong]:
    try:
        references = At(at.file, f"{at.key}.references", json.loads(at["references"].text))
    except json.JSONDecodeError as error:
        raise DataError(f"{at}: references: is not JSON: {error.msg} at column {error.colno}.") from error
    for one in references:
        start, end = one["start_index"].whole, one["end_index"].whole
        if not 0 <= start < end <= len(text) or text[start:end] != one["content"].text:
            yield wrong(one, "span does not match its evidence", f"[{start}, {end}) of {corpus!r}")
            continue
        yield SpanOf(query, corpus, start, end, text[start:end])
        yield Judgement(query, corpus)
