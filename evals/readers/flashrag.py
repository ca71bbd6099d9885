"""FlashRAG: `{split}.jsonl` with golden answers, and a corpus of `contents`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evals.lines import objects, word
from evals.readers.records import Doc, Question, Record
from rag.errors import DataError

__all__ = ["read"]


def read(source: Path, split: str = "test") -> Iterator[Record]:
    """Questions with answers; the form has no judgements and no spans.

    Jin et al., "FlashRAG", 2024, https://arxiv.org/abs/2405.13576. The first line of `contents` is the title, which may
    stand in quotes; the rest is the text.

    Args:
        source: a folder with `SPLIT.jsonl` and `corpus.jsonl`.
        split: which questions.

    Raises:
        DataError: a file is missing or a line cannot be read; names file and line.
    """
    corpus, asked = source / "corpus.jsonl", source / f"{split}.jsonl"
    for path in (corpus, asked):
        if not path.is_file():
            raise DataError(f"{path}: is missing. A FlashRAG folder holds corpus.jsonl and {split}.jsonl.")
    for line in objects(corpus):
        title, newline, text = word(corpus, line.number, line.value, "contents").partition("\n")
        name = word(corpus, line.number, line.value, "id", "_id")
        yield Doc(name, text, title.strip().strip('"')) if newline else Doc(name, title)
    for line in objects(asked):
        answers = line.value.get("golden_answers", [])
        if not isinstance(answers, list) or not all(isinstance(one, str) for one in answers):
            raise DataError(f"{asked}:{line.number}: 'golden_answers' must be a list of texts.")
        name = word(asked, line.number, line.value, "id", "_id")
        yield Question(name, word(asked, line.number, line.value, "question"), tuple(answers))
