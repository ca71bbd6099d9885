"""BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evals.lines import Problem, objects, rows, word
from evals.readers.records import Doc, Judgement, Question, Record, Wrong
from rag.errors import DataError

__all__ = ["read"]


def read(source: Path, split: str = "test") -> Iterator[Record]:
    """The documents, the questions that the split judges, and its judgements.

    Thakur et al., "BEIR", NeurIPS 2021, https://arxiv.org/abs/2104.08663. `_id` and `id` are both read; `title` is
    optional. Judgements are `qrels/SPLIT.tsv`, or `qrels.tsv` where there is no such folder.

    Raises:
        DataError: a file is missing or a line cannot be read; names file and line.
    """
    path = next((p for p in (source / "qrels" / f"{split}.tsv", source / "qrels.tsv") if p.is_file()), None)
    if path is None:
        have = sorted(p.stem for p in (source / "qrels").glob("*.tsv"))
        raise DataError(
            f"{source}: has no qrels/{split}.tsv and no qrels.tsv. Splits there: {', '.join(have) or 'none'}."
        )
    judged: list[tuple[int, str, str, int]] = []
    for row in rows(path):
        cells = row.cells
        if row.number == 1 and not cells[-1].lstrip("-").isdigit():
            continue
        if len(cells) != 3 or not cells[2].lstrip("-").isdigit():
            raise DataError(f"{path}:{row.number}: must be query-id, corpus-id and a whole number, tab-separated.")
        judged.append((row.number, cells[0], cells[1], int(cells[2])))
    docs: set[str] = set()
    corpus, asked = source / "corpus.jsonl", source / "queries.jsonl"
    for line in objects(corpus):
        doc = word(corpus, line.number, line.value, "_id", "id")
        title = line.value.get("title") or ""
        metadata = line.value.get("metadata")
        docs.add(doc)
        yield Doc(
            doc,
            word(corpus, line.number, line.value, "text"),
            str(title),
            metadata if isinstance(metadata, dict) else {},
        )
    wanted, found = {query for _, query, _, _ in judged}, set()
    for line in objects(asked):
        query = word(asked, line.number, line.value, "_id", "id")
        if query in wanted:
            found.add(query)
            yield Question(query, word(asked, line.number, line.value, "text"))
    for number, query, doc, grade in judged:
        if query not in found or doc not in docs:
            what = "question" if query not in found else "document"
            yield Wrong(Problem(path.name, number, f"judgement of a {what} that is not there", f"{query!r}, {doc!r}"))
        else:
            yield Judgement(query, doc, grade)
