"""A dataset folder: documents, questions, and what is known about their answers.

    corpus.jsonl    {"_id" | "id", "title", "text", ...}       the exact text that offsets refer to
    queries.jsonl   {"_id" | "id", "text", "answers", "scope", "history", "type", "filters", "answerable"}
    qrels.tsv       query-id, corpus-id, score (BEIR, with a header line), or qrels/test.tsv; TREC's four columns too
    spans.jsonl     {"query_id", "doc_id", "start", "end", "text"}
    poison.tsv      query-id, corpus-id of planted passages

Only the first two are needed. What is missing switches its metrics off. A line that cannot be
read is an error that names it; a line that can be read but is wrong (a second document with an id,
a span that is not what it says) is left out, counted and named in `Dataset.problems`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from evals.gold import by_question, read_corpus, read_poison, read_qrels, read_spans
from evals.lines import Problem, objects, parse, word
from rag.errors import DataError
from rag.types import Query, Span

__all__ = ["Dataset", "Item", "Problem", "load", "qrels_file"]

GOLD = ("qrels", "spans", "answers", "poison")


@dataclass(frozen=True, slots=True)
class Item:
    """One question and its gold.

    Args:
        id: unique in the dataset.
        text: the question.
        answers: any of them is right; empty when unknown or when there is none.
        type: for breakdowns; "" when the set has no types.
        scope: the documents it may be answered from; None means all.
        history: earlier turns, oldest first.
        filters: metadata filters.
        qrels: document -> grade, from the judgement file.
        spans: gold evidence.
        poison: planted passages.
        answerable: whether the documents answer it; None when unknown.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    type: str = ""
    scope: tuple[str, ...] | None = None
    history: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    qrels: Mapping[str, int] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    poison: tuple[str, ...] = ()
    answerable: bool | None = None

    def query(self, budget: int | None = None) -> Query:
        """The question as a pipeline takes it."""
        return Query(self.id, self.text, self.scope, dict(self.filters), self.history, budget)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset that has been read and checked; texts of documents stay on disk.

    Args:
        folder: where it lies.
        items: the questions, in the order of the file.
        has: which of `qrels`, `spans`, `answers` and `poison` there are.
        problems: what was wrong and therefore left out.
        places: document id -> (line, byte offset, bytes) in corpus.jsonl, in the order of the file.
        sizes: document id -> characters.
        digest: hex digest of the files' bytes.
    """

    folder: Path
    items: tuple[Item, ...]
    has: frozenset[str]
    problems: tuple[Problem, ...]
    places: Mapping[str, tuple[int, int, int]]
    sizes: Mapping[str, int]
    digest: str

    def __len__(self) -> int:
        return len(self.items)

    @property
    def corpus(self) -> Path:
        """The file with the documents."""
        return self.folder / "corpus.jsonl"

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """Question by id."""
        return {item.id: item for item in self.items}

    @cached_property
    def text(self) -> Any:
        """A function: text of a document by id, "" for one the corpus does not have; keeps the last 256."""

        @lru_cache(maxsize=256)
        def text(doc: str) -> str:
            return str(self.record(doc)["text"]) if doc in self.places else ""

        return text

    def record(self, doc: str) -> dict[str, Any]:
        """The document's line of corpus.jsonl."""
        number, offset, size = self.places[doc]
        with self.corpus.open("rb") as source:
            source.seek(offset)
            return parse(self.corpus, number, source.read(size))

    def counts(self) -> Mapping[str, int]:
        """How many problems there are, by kind."""
        return dict(sorted(Counter(p.kind for p in self.problems).items()))


def qrels_file(folder: Path) -> Path | None:
    """The judgement file of a folder, where there is one."""
    return next((p for p in (folder / "qrels.tsv", folder / "qrels" / "test.tsv") if p.is_file()), None)


def load(folder: str | Path) -> Dataset:
    """Read a dataset folder.

    Raises:
        DataError: a needed file is missing or empty, or a line cannot be read; names file and line.
    """
    folder = Path(folder)
    for name in ("corpus.jsonl", "queries.jsonl"):
        if not (folder / name).is_file():
            why = "" if folder.is_dir() else ": there is no such folder"
            raise DataError(f"{folder}: has no {name}{why}. A dataset folder holds corpus.jsonl and queries.jsonl.")
    problems: list[Problem] = []
    qrels_path = qrels_file(folder)
    span_path, poison_path = folder / "spans.jsonl", folder / "poison.tsv"
    wanted = read_spans(span_path) if span_path.is_file() else {}
    places, sizes, good = read_corpus(folder / "corpus.jsonl", wanted, problems)
    questions = _questions(folder / "queries.jsonl", problems)
    for number, query, *_ in (span for spans in wanted.values() for span in spans):
        if query not in questions:
            problems.append(Problem("spans.jsonl", number, "span of a question that is not there", repr(query)))
    spans = by_question(good)
    grades = read_qrels(qrels_path, folder, questions, places, problems) if qrels_path else {}
    poison = read_poison(poison_path, questions, places, problems) if poison_path.is_file() else {}
    items = tuple(
        _item(
            q,
            raw,
            grades=grades.get(q, {}),
            spans=spans.get(q, ()),
            poison=poison.get(q, ()),
            judged=qrels_path is not None,
        )
        for q, raw in questions.items()
    )
    if not items:
        raise DataError(f"{folder / 'queries.jsonl'}: holds no question.")
    if not places:
        raise DataError(f"{folder / 'corpus.jsonl'}: holds no document.")
    has = {"qrels"} if qrels_path else set()
    has |= {"spans"} if span_path.is_file() else set()
    has |= {"answers"} if any(i.answers for i in items) else set()
    has |= {"poison"} if poison_path.is_file() else set()
    files = [folder / "corpus.jsonl", folder / "queries.jsonl", qrels_path, span_path, poison_path]
    digest = _digest([f for f in files if f is not None and f.is_file()])
    return Dataset(folder, items, frozenset(has), tuple(sorted(problems)), places, sizes, digest)


def _digest(files: list[Path]) -> str:
    state = hashlib.sha256()
    for file in files:
        with file.open("rb") as source:
            state.update(f"{file.name}\0".encode())
            state.update(hashlib.file_digest(source, "sha256").digest())
    return state.hexdigest()


def _questions(path: Path, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in objects(path):
        query = word(path, line.number, line.value, "_id", "id")
        line.value["text"] = word(path, line.number, line.value, "text", "question")
        for key in ("answers", "scope", "history"):
            value = line.value.get(key)
            if value is not None and not isinstance(value, list):
                raise DataError(f"{path}:{line.number}: {key!r} must be a list, got {type(value).__name__}.")
        if not isinstance(line.value.get("filters", {}), dict):
            raise DataError(f"{path}:{line.number}: 'filters' must be an object.")
        if query in found:
            problems.append(Problem(path.name, line.number, "second question with an id", f"{query!r}; first kept"))
        else:
            if not line.value["text"].strip():
                problems.append(Problem(path.name, line.number, "empty question", repr(query)))
            found[query] = line.value
    return found


def _item(
    query: str,
    raw: dict[str, Any],
    *,
    grades: Mapping[str, int],
    spans: tuple[Span, ...],
    poison: tuple[str, ...],
    judged: bool,
) -> Item:
    answers = tuple(str(a) for a in raw.get("answers") or () if str(a).strip())
    answerable = raw.get("answerable")
    if not isinstance(answerable, bool):
        gold = bool(spans) or any(grade > 0 for grade in grades.values())
        answerable = gold if judged else True if spans or answers else None
    scope = raw.get("scope")
    return Item(
        id=query,
        text=raw["text"],
        answers=answers,
        type=str(raw.get("type") or ""),
        scope=None if scope is None else tuple(map(str, scope)),
        history=tuple(_turn(turn) for turn in raw.get("history") or ()),
        filters=raw.get("filters") or {},
        qrels=grades,
        spans=spans,
        poison=poison,
        answerable=answerable,
    )


def _turn(turn: Any) -> str:
    if isinstance(turn, dict):
        who = turn.get("role") or turn.get("speaker") or ""
        said = turn.get("text") or turn.get("content") or ""
        return f"{who}: {said}" if who else str(said)
    return turn if isinstance(turn, str) else json.dumps(turn, ensure_ascii=False)
