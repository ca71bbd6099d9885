"""Cut a dataset in two by document, so that nothing learnt on one side is known on the other."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from evals.datasets import Dataset, Item, load, qrels_file
from evals.lines import objects, rows, word
from rag.errors import DataError

__all__ = ["sides", "split"]


def sides(data: Dataset, share: float = 0.5, seed: int = 0) -> tuple[Mapping[str, bool], Mapping[str, bool]]:
    """On which side each document and each question goes; True is the first.

    Documents that one question needs (judged above 0, with evidence, in its scope, planted) stay together, and every
    question goes with its documents. Groups are taken in an order drawn by the seed, each to the side that
    is further behind its share of questions (groups without a question: of documents).

    Args:
        data: the dataset.
        share: of the first side, in (0, 1).
        seed: another seed, another order; no other state is read.

    Raises:
        DataError: the documents cannot be parted: questions join them all.
    """
    if not 0 < share < 1:
        raise DataError(f"share: must be between 0 and 1, got {share}. Use 0.5 for halves.")
    root = {doc: doc for doc in data.places}

    def find(doc: str) -> str:
        while root[doc] != doc:
            root[doc] = root[root[doc]]
            doc = root[doc]
        return doc

    needs = {item.id: [doc for doc in _needed(item) if doc in root] for item in data.items}
    for docs in needs.values():
        for other in docs[1:]:
            root[find(other)] = find(docs[0])
    asked: dict[str, int] = {}
    members: dict[str, int] = {}
    for doc in root:
        members[find(doc)] = members.get(find(doc), 0) + 1
    for docs in needs.values():
        if docs:
            asked[find(docs[0])] = asked.get(find(docs[0]), 0) + 1
    where: dict[str, bool] = {}
    for weigh in (asked, {group: size for group, size in members.items() if group not in asked}):
        first = total = 0
        for group in sorted(weigh, key=lambda name: (_draw(seed, name), name)):
            total += weigh[group]
            where[group] = (first + weigh[group] / 2) <= share * total
            first += weigh[group] if where[group] else 0
    if len(set(where.values())) < 2:
        raise DataError(f"{data.folder}: cannot be split: its questions join the documents into {len(where)} group(s).")
    documents = {doc: where[find(doc)] for doc in root}
    free = {
        item: int(_draw(seed, f"question {item}")[:8], 16) / 16**8 < share for item, docs in needs.items() if not docs
    }
    return documents, {item: documents[docs[0]] if docs else free[item] for item, docs in needs.items()}


def split(
    folder: str | Path, out: tuple[str | Path, str | Path], *, share: float = 0.5, seed: int = 0
) -> tuple[int, int]:
    """Write the two sides as dataset folders; lines are copied as they are.

    Returns:
        Questions on each side.

    Raises:
        DataError: the dataset is not sound, a folder is in use, or it cannot be parted.
    """
    data = load(folder)
    if data.problems:
        raise DataError(f"{data.folder}: {len(data.problems)} things are wrong. See `rag data check {data.folder}`.")
    targets = tuple(Path(one) for one in out)
    for target in targets:
        if target.exists():
            raise DataError(f"{target}: is there already. Name a folder that does not exist yet.")
    documents, questions = sides(data, share, seed)
    made: list[Path] = []
    try:
        for target, side in zip(targets, (True, False), strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            made.append(Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)))
            _write(
                data,
                made[-1],
                {d for d, s in documents.items() if s is side},
                {q for q, s in questions.items() if s is side},
            )
        for scratch, target in zip(made, targets, strict=True):
            scratch.chmod(0o755)
            scratch.rename(target)
    except BaseException:
        for scratch in made:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    first = sum(questions.values())
    return first, len(questions) - first


def _needed(item: Item) -> Iterable[str]:
    judged = (doc for doc, grade in item.qrels.items() if grade > 0)
    return dict.fromkeys((*judged, *(span.doc for span in item.spans), *(item.scope or ()), *item.poison))


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()


def _write(data: Dataset, folder: Path, documents: set[str], questions: set[str]) -> None:
    with data.corpus.open("rb") as source, (folder / "corpus.jsonl").open("wb") as out:
        for doc, (_, offset, size) in data.places.items():
            if doc in documents:
                source.seek(offset)
                out.write(source.read(size).rstrip(b"\r\n") + b"\n")
    for name, keys in (("queries.jsonl", ("_id", "id")), ("spans.jsonl", ("query_id", "query"))):
        path = data.folder / name
        if path.is_file():
            with path.open("rb") as source, (folder / name).open("wb") as out:
                for line in objects(path):
                    if word(path, line.number, line.value, *keys) in questions:
                        source.seek(line.offset)
                        out.write(source.read(line.size).rstrip(b"\r\n") + b"\n")
    judged: Path | None = qrels_file(data.folder)
    for file, name in ((judged, "qrels.tsv"), (data.folder / "poison.tsv", "poison.tsv")):
        if file is not None and file.is_file():
            lines = ["query-id\tcorpus-id\tscore" if name == "qrels.tsv" else "query-id\tcorpus-id"]
            for row in rows(file):
                cells = [row.cells[0], *row.cells[2:]] if len(row.cells) == 4 else row.cells
                if cells[0] in questions and cells[1] in documents:
                    lines.append("\t".join(cells))
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
