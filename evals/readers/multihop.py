"""HotpotQA, 2WikiMultihopQA and MuSiQue: questions over the paragraphs that came with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evals.lines import objects
from evals.readers.records import Doc, Judgement, Question, Record, SpanOf, digest_id
from evals.readers.tree import At, load, wrong
from rag.errors import DataError

__all__ = ["hotpotqa", "musique", "twowiki"]


def hotpotqa(source: Path) -> Iterator[Record]:
    """HotpotQA: Yang et al., EMNLP 2018, https://arxiv.org/abs/1809.09600; as JSON, or with the hub's columns.

    A paragraph is one document, its sentences joined as they are; the supporting sentences are spans. Paragraphs of
    all questions are one corpus.

    Raises:
        DataError: a key is missing or of the wrong type; names file and key.
    """
    return _wiki(source, "hotpotqa")


def twowiki(source: Path) -> Iterator[Record]:
    """2WikiMultihopQA: Ho et al., COLING 2020, https://arxiv.org/abs/2011.01060; HotpotQA's form."""
    return _wiki(source, "2wiki")


def _rows(source: Path) -> Iterator[At]:
    if source.suffix == ".jsonl":
        return (At(source, f"line {line.number}", line.value) for line in objects(source))
    return iter(load(source))


def _pairs(at: At, first: str, second: str) -> list[tuple[At, At]]:
    """`[[a, b], ...]`, or the hub's `{first: [a, ...], second: [b, ...]}`."""
    if isinstance(at.value, dict):
        columns = list(at[first]), list(at[second])
        if len(columns[0]) != len(columns[1]):
            raise DataError(f"{at}: {first!r} and {second!r} must be as long as each other.")
        return list(zip(*columns, strict=True))
    pairs = [list(one) for one in at]
    for i, pair in enumerate(pairs):
        if len(pair) < 2:
            raise DataError(f"{at}[{i}]: must be a pair, got {len(pair)} items.")
    return [(pair[0], pair[1]) for pair in pairs]


def _wiki(source: Path, prefix: str) -> Iterator[Record]:
    for row in _rows(source):
        query = row["_id" if "_id" in row else "id"].text
        places: dict[str, tuple[str, str, list[tuple[int, int]]]] = {}
        for head, body in _pairs(row["context"], "title", "sentences"):
            text, sentences = _joined(body.texts)
            title = head.text
            doc = digest_id(prefix, title, text)
            places.setdefault(title, (doc, text, sentences))
            yield Doc(doc, text, title)
        kind = row["type"].text if "type" in row else ""
        yield Question(query, row["question"].text, (row["answer"].text,) if "answer" in row else (), kind)
        for head, number in _pairs(row["supporting_facts"], "title", "sent_id"):
            title, index = head.text, number.whole
            if title not in places or not 0 <= index < len(places[title][2]):
                yield wrong(head, "supporting fact that is not there", f"question {query!r}, sentence {index}")
                continue
            doc, text, sentences = places[title]
            yield Judgement(query, doc)
            start, end = sentences[index]
            if start < end:
                yield SpanOf(query, doc, start, end, text[start:end])


def _joined(sentences: tuple[str, ...]) -> tuple[str, list[tuple[int, int]]]:
    """A paragraph, and where each sentence stands in it without white space at its ends."""
    text, places = "", []
    for sentence in sentences:
        if text and not text[-1].isspace() and not sentence[:1].isspace():
            text += " "
        start = len(text) + len(sentence) - len(sentence.lstrip())
        places.append((start, start + len(sentence.strip())))
        text += sentence
    return text, places


def musique(source: Path) -> Iterator[Record]:
    """MuSiQue's JSONL: Trivedi et al., TACL 2022, https://arxiv.org/abs/2108.00573.

    Paragraphs of all questions are one corpus. A question that its paragraphs do not answer has no answers and no
    judgements.

    Raises:
        DataError: a key is missing or of the wrong type; names file and line.
    """
    for row in _rows(source):
        query = row["id"].text
        answerable = not ("answerable" in row and row["answerable"].value is False)
        aliases = row["answer_aliases"].texts if "answer_aliases" in row else ()
        answers = tuple(dict.fromkeys((row["answer"].text, *aliases))) if answerable else ()
        support = []
        for one in row["paragraphs"]:
            title, text = one["title"].text, one["paragraph_text"].text
            doc = digest_id("musique", title, text)
            yield Doc(doc, text, title)
            if "is_supporting" in one and one["is_supporting"].value is True:
                support.append(doc)
        yield Question(query, row["question"].text, answers, query.partition("__")[0], answerable=answerable)
        if answerable:
            yield from (Judgement(query, doc) for doc in support)
