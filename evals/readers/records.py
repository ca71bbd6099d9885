"""What a reader yields, and the folder it becomes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.check import validate
from evals.lines import Problem
from rag.errors import DataError

__all__ = ["Doc", "Imported", "Judgement", "Question", "Record", "SpanOf", "Wrong", "digest_id", "write"]


@dataclass(frozen=True, slots=True)
class Doc:
    """A document; a second one with the same id and text is left out."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `answerable` None where its judgements tell."""

    id: str
    text: str
    answers: tuple[str, ...] = ()
    type: str = ""
    scope: tuple[str, ...] | None = None
    answerable: bool | None = None
    history: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanOf:
    """Evidence of a question in a document that came before, with its text."""

    query: str
    doc: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Grade of a document for a question."""

    query: str
    doc: str
    grade: int = 1


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something the source holds that is wrong: left out, counted and named."""

    problem: Problem


_SURROGATE = re.compile("[\\ud800-\\udfff]")
Record = Doc | Question | SpanOf | Judgement | Wrong


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written.

    Args:
        folder: the dataset.
        counts: documents, questions, judgements and spans.
        problems: what was left out of the source, in its order.
    """

    folder: Path
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


def digest_id(prefix: str, title: str, text: str) -> str:
    """An id from content: the prefix and 12 hex digits of SHA-1 over title, NUL and text."""
    told = "\0".join((title, text)).encode("utf-8", "surrogatepass")
    return f"{prefix}-{hashlib.sha1(told).hexdigest()[:12]}"  # noqa: S324 - an id, no secret


def write(records: Iterable[Record], out: str | Path, *, check: bool = True) -> Imported:
    """Write a dataset folder; it is there whole or not at all.

    Args:
        records: a document before its spans.
        out: the folder; must not exist, or be empty.
        check: read the written folder back and refuse what is unsound.

    Raises:
        DataError: the folder is in use, an id stands for two things, or what was written is no sound dataset.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is there already. Name a folder that does not exist yet.")
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder = _Folder(scratch)
        try:
            for record in records:
                folder.put(record)
        finally:
            folder.close()
        if check:
            wrong = validate(scratch)
            if wrong:
                shown = "; ".join(str(one) for one in wrong[:3])
                raise DataError(f"{out}: not written: {len(wrong)} things are wrong: {shown}.")
        scratch.chmod(0o755)
        if out.exists():
            out.rmdir()
        scratch.rename(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return Imported(out, dict(folder.counts), tuple(folder.problems))


class _Folder:
    """The files of a dataset while they are written."""

    def __init__(self, folder: Path) -> None:
        self.counts: Counter[str] = Counter(documents=0, questions=0, judgements=0, spans=0)
        self.problems: list[Problem] = []
        self._docs: dict[str, bytes] = {}
        self._questions: set[str] = set()
        self._judged: set[tuple[str, str]] = set()
        names = {"documents": "corpus.jsonl", "questions": "queries.jsonl", "spans": "spans.jsonl"}
        names["judgements"] = "qrels.tsv"
        self.paths = {key: folder / name for key, name in names.items()}
        self.files = {key: path.open("w", encoding="utf-8", newline="\n") for key, path in self.paths.items()}
        self.files["judgements"].write("query-id\tcorpus-id\tscore\n")

    def put(self, record: Record) -> None:
        """Write one record."""
        if isinstance(record, Wrong):
            self.problems.append(record.problem)
        elif isinstance(record, Judgement):
            if (record.query, record.doc) not in self._judged:
                self._judged.add((record.query, record.doc))
                self._write("judgements", f"{record.query}\t{record.doc}\t{record.grade}\n")
        elif isinstance(record, SpanOf):
            self._json("spans", _span(record))
        elif isinstance(record, Question):
            if record.id in self._questions:
                raise DataError(f"question {record.id!r}: two questions have this id. Give each its own.")
            self._questions.add(record.id)
            self._json("questions", _question(record))
        else:
            self._document(record)

    def _document(self, record: Doc) -> None:
        told = "\0".join((record.title, record.text)).encode("utf-8", "surrogatepass")
        same, new = hashlib.sha256(told).digest(), record.id not in self._docs
        if self._docs.setdefault(record.id, same) != same:
            raise DataError(f"document {record.id!r}: two texts have this id. Give each its own.")
        if new:
            self._json("documents", _doc(record))

    def _json(self, key: str, value: Mapping[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=False)
        if not line.isascii() and _SURROGATE.search(line):  # a lone surrogate has no UTF-8
            line = json.dumps(value)
        self._write(key, line + "\n")

    def _write(self, key: str, line: str) -> None:
        self.counts[key] += 1
        self.files[key].write(line)

    def close(self) -> None:
        """Close the files; empty judgement and span files go."""
        for key, file in self.files.items():
            file.close()
            if not self.counts[key] and key in ("judgements", "spans"):
                self.paths[key].unlink()


def _doc(doc: Doc) -> dict[str, Any]:
    row: dict[str, Any] = {"id": doc.id, "title": doc.title, "text": doc.text}
    return {**row, "metadata": dict(doc.metadata)} if doc.metadata else row


def _question(asked: Question) -> dict[str, Any]:
    row: dict[str, Any] = {"id": asked.id, "text": asked.text, "answers": list(asked.answers)}
    extras = {
        "type": asked.type or None,
        "scope": None if asked.scope is None else list(asked.scope),
        "answerable": asked.answerable,
        "history": list(asked.history) or None,
    }
    return {**row, **{key: value for key, value in extras.items() if value is not None}, **asked.more}


def _span(span: SpanOf) -> dict[str, Any]:
    return {"query_id": span.query, "doc_id": span.doc, "start": span.start, "end": span.end, "text": span.text}
