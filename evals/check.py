"""What is wrong with a dataset folder, all of it, line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evals.datasets import Problem, load, qrels_file
from evals.lines import parse, word
from rag.errors import DataError

__all__ = ["validate"]

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "corpus.jsonl": (("_id", "id"), ("text",)),
    "queries.jsonl": (("_id", "id"), ("text", "question")),
    "spans.jsonl": (("doc_id", "doc"), ("query_id", "query")),
}


def validate(folder: str | Path, progress: Callable[[str], None] | None = None) -> list[Problem]:
    """Every problem of a dataset folder; nothing is raised for a bad line.

    Lines that cannot be read come first. Only when all can be read are ids, judgements and spans
    checked against each other.

    Args:
        folder: the dataset.
        progress: called with the name of each file before it is read.

    Returns:
        problems in the order of file and line; an empty list means the set is sound.
    """
    folder = Path(folder)
    found: list[Problem] = []
    for name, keys in KEYS.items():
        path = folder / name
        if not path.is_file():
            if name != "spans.jsonl":
                found.append(Problem(name, 0, "missing file", "a dataset folder needs it"))
            continue
        if progress is not None:
            progress(name)
        with path.open("rb") as source:
            for number, raw in enumerate(source, start=1):
                if not raw.strip():
                    continue
                try:
                    value = parse(path, number, raw)
                    for choices in keys:
                        word(path, number, value, *choices)
                except DataError as error:
                    found.append(Problem(name, number, "line that cannot be read", _reason(error)))
    if found:
        return found
    try:
        data = load(folder)
    except DataError as error:
        return [Problem(*_place(folder, str(error)), "line that cannot be read", _reason(error))]
    found += data.problems
    if qrels_file(folder) is not None and not any(item.qrels for item in data.items):
        found.append(Problem("qrels.tsv", 0, "no judgement of any question", "ranking metrics are off"))
    return sorted(found)


def _reason(error: DataError) -> str:
    return str(error).split(": ", 1)[-1]


def _place(folder: Path, message: str) -> tuple[str, int]:
    where = message.split(": ", 1)[0].removeprefix(f"{folder}/")
    name, _, number = where.rpartition(":")
    return (name, int(number)) if number.isdigit() else (where, 0)
