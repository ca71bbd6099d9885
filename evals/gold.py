"""The gold files of a dataset: spans checked against the texts, judgements and planted passages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.lines import Problem, objects, rows, word
from rag.errors import DataError
from rag.types import Span

__all__ = ["by_question", "read_corpus", "read_poison", "read_qrels", "read_spans"]

Wanted = tuple[int, str, int, int, str | None]  # line, question, start, end, evidence as given


def read_spans(path: Path) -> dict[str, list[Wanted]]:
    """The spans as they are written, by document."""
    found: dict[str, list[Wanted]] = {}
    for line in objects(path):
        doc = word(path, line.number, line.value, "doc_id", "doc")
        query = word(path, line.number, line.value, "query_id", "query")
        start, end = line.value.get("start"), line.value.get("end")
        if type(start) is not int or type(end) is not int:
            raise DataError(
                f"{path}:{line.number}: 'start' and 'end' must be whole numbers, got {start!r} and {end!r}."
            )
        text = line.value.get("text")
        if text is not None and not isinstance(text, str):
            raise DataError(f"{path}:{line.number}: 'text' must be text, got {type(text).__name__}.")
        found.setdefault(doc, []).append((line.number, query, start, end, text))
    return found


def read_corpus(
    path: Path, wanted: dict[str, list[Wanted]], problems: list[Problem]
) -> tuple[dict[str, tuple[int, int, int]], dict[str, int], list[tuple[int, str, Span]]]:
    """Where each document lies in the file, its size, and the spans that are what they say.

    One pass; a text is held only while its spans are checked.
    """
    places: dict[str, tuple[int, int, int]] = {}
    sizes: dict[str, int] = {}
    good: list[tuple[int, str, Span]] = []
    for line in objects(path):
        doc = word(path, line.number, line.value, "_id", "id")
        text = word(path, line.number, line.value, "text")
        if doc in places:
            problems.append(Problem(path.name, line.number, "second document with an id", f"{doc!r}; first kept"))
            continue
        places[doc], sizes[doc] = (line.number, line.offset, line.size), len(text)
        for number, query, start, end, evidence in wanted.get(doc, ()):
            where = f"question {query!r}, document {doc!r}, [{start}, {end})"
            if not 0 <= start < end <= len(text):
                inside = f"{where} of {len(text)} characters"
                problems.append(Problem("spans.jsonl", number, "span outside the text", inside))
            elif evidence is not None and text[start:end] != evidence:
                problems.append(Problem("spans.jsonl", number, "span does not match its evidence", where))
            else:
                good.append((number, query, Span(doc, start, end)))
    for doc, spans in wanted.items():
        if doc not in places:
            problems += [
                Problem("spans.jsonl", n, "span of a document that is not there", f"{doc!r}") for n, *_ in spans
            ]
    return places, sizes, good


def by_question(good: list[tuple[int, str, Span]]) -> dict[str, tuple[Span, ...]]:
    """The sound spans of each question, in the order of the file, each once."""
    found: dict[str, list[Span]] = {}
    for _, query, span in sorted(good):
        spans = found.setdefault(query, [])
        if span not in spans:
            spans.append(span)
    return {query: tuple(spans) for query, spans in found.items()}


def read_qrels(
    path: Path,
    folder: Path,
    questions: Mapping[str, Any],
    places: Mapping[str, Any],
    problems: list[Problem],
) -> dict[str, dict[str, int]]:
    """Grades by question and document; BEIR's three columns or TREC's four."""
    name = str(path.relative_to(folder))
    found: dict[str, dict[str, int]] = {}
    for row in rows(path):
        cells = [row.cells[0], *row.cells[2:]] if len(row.cells) == 4 else row.cells
        grade = cells[2].strip() if len(cells) == 3 else ""
        if row.number == 1 and not grade.lstrip("+-").isdigit() and len(cells) >= 2:
            continue  # the header
        if not grade.lstrip("+-").isdigit():
            raise DataError(f"{path}:{row.number}: must be query-id, corpus-id and a whole number, tab-separated.")
        query, doc = cells[0], cells[1]
        if query not in questions:
            problems.append(Problem(name, row.number, "judgement of a question that is not there", repr(query)))
            continue
        if doc not in places:
            problems.append(Problem(name, row.number, "judgement of a document that is not there", repr(doc)))
        grades = found.setdefault(query, {})
        if doc in grades:
            problems.append(Problem(name, row.number, "second judgement of a pair", f"{query!r}, {doc!r}; first kept"))
        else:
            grades[doc] = int(grade)
    return found


def read_poison(
    path: Path, questions: Mapping[str, Any], places: Mapping[str, Any], problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    """Planted passages of each question."""
    found: dict[str, list[str]] = {}
    for row in rows(path):
        if len(row.cells) < 2:
            raise DataError(f"{path}:{row.number}: must be query-id and corpus-id, tab-separated.")
        query, doc = row.cells[:2]
        if query in questions and doc in places:
            found.setdefault(query, []).append(doc)
        elif row.number > 1:
            problems.append(Problem(path.name, row.number, "planted passage that is not there", f"{query!r}, {doc!r}"))
    return {query: tuple(dict.fromkeys(docs)) for query, docs in found.items()}
