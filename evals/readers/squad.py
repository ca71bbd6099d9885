"""SQuAD's JSON, versions 1.1 and 2.0, and the many sets that took its form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from evals.readers.records import Doc, Judgement, Question, Record, SpanOf
from evals.readers.tree import At, load, wrong

__all__ = ["read"]

BREAK = "\n\n"


def read(source: Path, unit: Literal["article", "paragraph"] = "article") -> Iterator[Record]:
    """Articles or paragraphs as documents, answers as spans, impossible questions as unanswerable.

    Rajpurkar et al., EMNLP 2016, https://arxiv.org/abs/1606.05250, and ACL 2018, https://arxiv.org/abs/1806.03822.
    An article is its paragraphs with a blank line between them; offsets move with them. An answer that is not at its
    offset is left out and named.

    Args:
        source: the JSON file.
        unit: what becomes a document.

    Raises:
        DataError: a key is missing or of the wrong type; names file and key.
    """
    seen: dict[str, int] = {}
    for article in load(source)["data"]:
        title = article["title"].text if "title" in article else ""
        name = title or f"article-{article.key}"
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name}-{seen[name]}"
        paragraphs = list(article["paragraphs"])
        texts = [paragraph["context"].text for paragraph in paragraphs]
        starts, at = [], 0
        for text in texts:
            starts.append(at if unit == "article" else 0)
            at += len(text) + len(BREAK)
        ids = [name if unit == "article" else f"{name}#{i}" for i in range(len(texts))]
        if unit == "article":
            yield Doc(name, BREAK.join(texts), title.replace("_", " "))
        else:
            yield from (Doc(id_, text, title.replace("_", " ")) for id_, text in zip(ids, texts, strict=True))
        for paragraph, id_, text, start in zip(paragraphs, ids, texts, starts, strict=True):
            for asked in paragraph["qas"]:
                yield from _question(asked, id_, text, start)


def _question(asked: At, doc: str, text: str, base: int) -> Iterator[Record]:
    query = asked["id"].text
    impossible = "is_impossible" in asked and asked["is_impossible"].value is True
    answers = [] if impossible else list(asked["answers"])
    told = tuple(dict.fromkeys(answer["text"].text for answer in answers))
    yield Question(
        query, asked["question"].text, told, "unanswerable" if impossible else "extractive", answerable=not impossible
    )
    spans: list[tuple[int, int]] = []
    for answer in answers:
        start, said = answer["answer_start"].whole, answer["text"].text
        if start < 0 or not said or text[start : start + len(said)] != said:
            yield wrong(answer, "span does not match its evidence", f"question {query!r}, offset {start}")
        elif not any(start < b and a < start + len(said) for a, b in spans):  # annotators overlap; the first counts
            spans.append((start, start + len(said)))
            yield SpanOf(query, doc, base + start, base + start + len(said), said)
    if not impossible:
        yield Judgement(query, doc)
