"""TREC: topics, judgements, runs and documents."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from evals.lines import Problem, objects, rows, word
from evals.readers.records import Doc, Judgement, Question, Record, Wrong
from rag.errors import DataError

__all__ = ["read", "read_run", "topics"]

TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
NUMBER = re.compile(r"<num>\s*(?:Number:)?\s*([^\s<]+)", re.IGNORECASE)
TITLE = re.compile(r"<title>\s*(?:Topic:)?\s*(.*?)\s*(?=<|\Z)", re.DOTALL | re.IGNORECASE)
DOC = re.compile(r"<DOC>(.*?)</DOC>", re.DOTALL)
DOCNO = re.compile(r"<DOCNO>\s*(.*?)\s*</DOCNO>", re.DOTALL)
BODY = re.compile(r"<TEXT>\n?(.*?)</TEXT>", re.DOTALL)
HEAD = re.compile(r"<(?:TITLE|HEADLINE)>\s*(.*?)\s*</(?:TITLE|HEADLINE)>", re.DOTALL)


def read(source: Path) -> Iterator[Record]:
    """A folder with one `topics*`, one `qrels*`, and documents as `corpus.jsonl` or `docs*` in `<DOC>` form.

    Raises:
        DataError: a file is missing or a line cannot be read; names file and line.
    """
    docs: set[str] = set()
    corpus = source / "corpus.jsonl"
    if corpus.is_file():
        for line in objects(corpus):
            docs.add(doc := word(corpus, line.number, line.value, "_id", "id"))
            yield Doc(doc, word(corpus, line.number, line.value, "text"), str(line.value.get("title") or ""))
    else:
        for found in _documents(_one(source, "docs")):
            docs.add(found.id)
            yield found
    asked = topics(_one(source, "topics"))
    yield from (Question(query, text) for query, text in asked.items())
    path = _one(source, "qrels")
    for row in rows(path):
        if len(row.cells) != 4 or not row.cells[3].lstrip("-").isdigit():
            raise DataError(f"{path}:{row.number}: must be topic, iteration, document and a whole number.")
        query, _, doc, grade = row.cells
        if query not in asked or doc not in docs:
            what = "question" if query not in asked else "document"
            yield Wrong(
                Problem(path.name, row.number, f"judgement of a {what} that is not there", f"{query!r}, {doc!r}")
            )
        else:
            yield Judgement(query, doc, int(grade))


def topics(path: Path) -> Mapping[str, str]:
    """Topic -> its title; `<top>` form, or lines of number, tab, text.

    Raises:
        DataError: a topic has no number or no title, or a number comes twice.
    """
    text = _text(path)
    found: dict[str, str] = {}
    pairs: list[tuple[int, str, str]] = []
    if "<top>" in text.lower():
        for match in TOPIC.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            name, head = NUMBER.search(match[1]), TITLE.search(match[1])
            if name is None or head is None or not head[1]:
                raise DataError(f"{path}:{line}: a topic needs <num> and <title>.")
            pairs.append((line, name[1], " ".join(head[1].split())))
    else:
        for line, one in enumerate(text.split("\n"), 1):
            if one.strip():
                number, tab, title = one.rstrip("\r").partition("\t")
                if not tab or not title.strip():
                    raise DataError(f"{path}:{line}: must be number, tab, text.")
                pairs.append((line, number, title.strip()))
    for line, number, title in pairs:
        if number in found:
            raise DataError(f"{path}:{line}: second topic {number!r}.")
        found[number] = title
    return found


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """A run file: question -> (document, score), in trec_eval's order.

    The written rank is not read: trec_eval sorts by score, equal scores by document id from the highest.

    Raises:
        DataError: a line is not `query Q0 document rank score tag`, or a pair comes twice; names the line.
    """
    found: dict[str, dict[str, float]] = {}
    for row in rows(path):
        try:
            query, _, doc, _, score = row.cells[:5]
            value = float(score)
        except ValueError as error:
            raise DataError(f"{path}:{row.number}: must be query, Q0, document, rank, score, tag.") from error
        if not math.isfinite(value):
            raise DataError(f"{path}:{row.number}: the score must be finite, got {score}.")
        if doc in found.setdefault(query, {}):
            raise DataError(f"{path}:{row.number}: second line of {query!r}, {doc!r}.")
        found[query][doc] = value
    ranked = {query: sorted(docs.items(), key=lambda one: one[0], reverse=True) for query, docs in found.items()}
    return {query: sorted(docs, key=lambda one: -one[1]) for query, docs in ranked.items()}


def _documents(path: Path) -> Iterator[Doc]:
    text = _text(path)
    for match in DOC.finditer(text):
        name, body, head = DOCNO.search(match[1]), BODY.search(match[1]), HEAD.search(match[1])
        if name is None or body is None:
            line = text.count("\n", 0, match.start()) + 1
            raise DataError(f"{path}:{line}: a document needs <DOCNO> and <TEXT>.")
        yield Doc(name[1], body[1], "" if head is None else head[1])


def _one(source: Path, name: str) -> Path:
    found = sorted(path for path in source.glob(f"{name}*") if path.is_file())
    if len(found) != 1:
        shown = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{source}: must hold one file named {name}*, got {shown}.")
    return found[0]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
