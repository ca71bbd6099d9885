"""Part a dataset in two so that no document is on both sides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from evals.datasets import Dataset, Item
from evals.lines import objects
from rag.errors import ConfigError, DataError

__all__ = ["Parted", "part"]


class Parted(NamedTuple):
    """Documents and questions on each side."""

    here: tuple[int, int]
    apart: tuple[int, int]


def part(data: Dataset, out: str | Path, *, share: float = 0.5, seed: int = 0) -> Parted:
    """Write `out/dev` and `out/held_out`, each a dataset folder.

    Documents that share a question (by judgement, span, planted passage or scope) stay together, as do
    the questions about them; whole groups are drawn by a seeded hash of their first document's id, so the
    parts do not depend on the order of the file. A question with no document goes by its own id.

    Args:
        data: what to part.
        out: where to write; neither side may be there already.
        share: of the groups that go to `held_out`.
        seed: of the draw.

    Raises:
        ConfigError: share is not between 0 and 1.
        DataError: a side is there already, or would be empty.
    """
    if not 0 < share < 1:
        raise ConfigError(f"split: share must be above 0 and below 1, got {share}.")
    out = Path(out)
    sides = {False: out / "dev", True: out / "held_out"}
    for folder in sides.values():
        if folder.exists():
            raise DataError(f"{folder}: is there already. Choose another --out.")
    group = _groups(data)

    def away(key: str) -> bool:
        return int.from_bytes(hashlib.sha256(f"{seed}\0{key}".encode()).digest()[:8], "big") < share * 2**64

    docs = {doc: away(group[doc]) for doc in data.places}
    asked = {}
    for item in data.items:
        about = _about(item, data)
        asked[item.id] = docs[about[0]] if about else away(f"question\0{item.id}")
    counts = {}
    for side, folder in sides.items():
        counts[side] = (sum(v == side for v in docs.values()), sum(v == side for v in asked.values()))
        if 0 in counts[side]:
            raise DataError(
                f"split: {folder.name} would hold {counts[side][0]} documents and {counts[side][1]} questions:"
                f" the documents hang together too closely. Choose another share or seed."
            )
    for side, folder in sides.items():
        folder.mkdir(parents=True)
        _copy(data, folder, lambda doc, side=side: docs.get(doc) == side, lambda q, side=side: asked.get(q) == side)  # type: ignore[misc]
    return Parted(counts[False], counts[True])


def _about(item: Item, data: Dataset) -> list[str]:
    """The documents a question hangs on."""
    named = [*item.qrels, *(span.doc for span in item.spans), *item.poison, *(item.scope or ())]
    return [doc for doc in dict.fromkeys(named) if doc in data.places]


def _groups(data: Dataset) -> dict[str, str]:
    """Document -> smallest id of the documents it hangs together with."""
    parent = {doc: doc for doc in data.places}

    def root(doc: str) -> str:
        while parent[doc] != doc:
            parent[doc] = parent[parent[doc]]
            doc = parent[doc]
        return doc

    for item in data.items:
        first, *rest = _about(item, data) or [""]
        for other in rest:
            a, b = sorted((root(first), root(other)))
            parent[b] = a
    return {doc: root(doc) for doc in parent}


def _copy(data: Dataset, folder: Path, doc: Callable[[str], bool], question: Callable[[str], bool]) -> None:
    items = [item for item in data.items if question(item.id)]
    with (folder / "corpus.jsonl").open("wb") as out, data.corpus.open("rb") as source:
        for place, (_, offset, size) in data.places.items():
            if doc(place):
                source.seek(offset)
                out.write(source.read(size).rstrip(b"\r\n") + b"\n")
    seen: set[str] = set()
    rows = []
    for line in objects(data.folder / "queries.jsonl"):
        query = str(line.value.get("_id", line.value.get("id")))
        if question(query) and query not in seen:
            seen.add(query)
            rows.append(line.value)
    _lines(folder / "queries.jsonl", rows)
    if "qrels" in data.has:
        pairs = [f"{i.id}\t{d}\t{g}" for i in items for d, g in i.qrels.items()]
        (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]) + "\n", encoding="utf-8")
    if "spans" in data.has:
        _lines(
            folder / "spans.jsonl",
            (
                {
                    "query_id": i.id,
                    "doc_id": s.doc,
                    "start": s.start,
                    "end": s.end,
                    "text": data.text(s.doc)[s.start : s.end],
                }
                for i in items
                for s in i.spans
            ),
        )
    if "poison" in data.has:
        pairs = [f"{i.id}\t{d}" for i in items for d in i.poison]
        (folder / "poison.tsv").write_text("\n".join(["query-id\tcorpus-id", *pairs]) + "\n", encoding="utf-8")


def _lines(path: Path, rows: Iterable[object]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=True) + "\n")
