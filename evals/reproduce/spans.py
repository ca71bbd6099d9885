"""Real documents through every chunker that runs offline: each property of spans, and how many break it.

Every folder below the data folder is a row; a set with a `corpus.jsonl` is one too. Held for each tree: leaves tile the
text, nodes are in order and inside their parents, titles and repeated headers are slices of the text, no leaf with what
it repeats is above the cap, token counts are those of the slices, and the same document gives the same tree again.
`chunkers/structure` reads all documents, the others at most `--limit` of each folder (12), of 60,000 characters at
most, drawn with the seed; embeddings are hashed, for spans do not depend on them. `chunkers/auto` gives a tree of one
of the others, and chunkers that ask a language model are held to the same by their tests.

Pinned is a folder of twelve: `python-docs`, `sqlite-docs`, `rust-book`, `pydantic-ai-docs` (documentation sites in
reStructuredText, HTML and Markdown), `rfcs` (drafts and RFCs of xml2rfc 3.21.0's tests), `contracts` (CUAD), `ndas`
(ContractNLI), `papers` (QASPER), `articles` (COVID-QA), `filings` (a yearly report as inline XBRL, TAT-QA's notes),
`pdfs` (30 manuals and journals of `pdf_outline`), `code` (this project's own, as it was), in
`evals/expected/spans.json`.
"""

from __future__ import annotations

import random
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evals.reproduce import as_table
from rag import registry
from rag.doctree import DocTree
from rag.errors import RagError
from rag.loaders.limits import Limits
from rag.loaders.read import documents
from rag.models.tokens import counter
from rag.types import Document

__all__ = ["broken", "offline", "reproduce"]

SIZE = 128
LONGEST = 60_000  # characters of a document, for all chunkers but one
FEW = 12
ALL = "structure"


def broken(tree: DocTree, cap: int | None) -> list[str]:
    """Properties of spans that a tree breaks, by name.

    Args:
        tree: of any chunker.
        cap: most tokens of a leaf with what it repeats; None where the chunker promises none.
    """
    text = tree.document.text
    found: list[str] = []
    try:
        tree.check()
    except (AssertionError, RagError, ValueError):
        found.append("tree")
    leaves = tree.leaves()
    at = 0
    for leaf in leaves:
        if leaf.start != at or leaf.text != text[leaf.start : leaf.end]:
            found.append("tiling")
            break
        at = leaf.end
    if at != len(text):
        found.append("coverage")
    for node in tree:
        a, b = tree.titles[node.index].tolist()
        if (a, b) != (0, 0) and not node.start <= a <= b <= node.end:
            found.append("title")
        if not all(0 <= a < b <= len(text) for a, b in node.repeats):
            found.append("repeats")
    if cap is not None and tree.tokenizer:
        count = counter(tree.tokenizer)
        for leaf in leaves:
            own = count.count(leaf.text)
            if leaf.tokens not in (-1, own):
                found.append("count")
            again = sum(count.count(text[a:b]) for a, b in leaf.repeats)
            if own + again > cap and leaf.end - leaf.start > 1:
                found.append("cap")
    return found


def offline() -> dict[str, Callable[[Document], DocTree]]:
    """Name -> chunker of the project that needs no language model, with hashed embeddings."""
    found: dict[str, Callable[[Document], DocTree]] = {}
    hashed = registry.find("embedders/hash")(dim=64)
    for name in registry.names("chunkers"):
        cls = registry.find(f"chunkers/{name}")
        if not cls.__module__.startswith("chunkers."):
            continue
        given = {"size": SIZE, "max_size": SIZE * 3 // 2, "embedder": hashed}
        chunker = cls(**{key: value for key, value in given.items() if key in cls.__dataclass_fields__})
        if getattr(chunker, "llm", None) is None and name != "auto":
            found[name] = chunker
    return found


def cap_of(chunker: object) -> int | None:
    """Most tokens of its leaves."""
    return SIZE * 3 // 2 if hasattr(chunker, "max_size") else SIZE if hasattr(chunker, "size") else None


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every folder below the data folder."""
    if given.data is None or not Path(given.data).is_dir():
        raise RagError(f"spans: needs --data, a folder of folders with documents; got {given.data}.")
    chunkers = offline()
    rows: dict[str, dict[str, Any]] = {}
    for folder in sorted(path for path in Path(given.data).iterdir() if path.is_dir()):
        found = list(_read(folder))
        few = [one for one in found if len(one.text) <= LONGEST]
        random.Random(given.seed).shuffle(few)
        row: dict[str, Any] = {"documents": len(found), "characters": sum(len(one.text) for one in found)}
        row["chunkers"] = {}
        for name, chunker in chunkers.items():
            tell(f"\r{folder.name} {name}            ")
            row["chunkers"][name] = _held(chunker, found if name == ALL else few[: given.limit or FEW])
        row["violations"] = sum(sum(told["broken"].values()) for told in row["chunkers"].values())
        rows[folder.name] = row
    tell("\n")
    lines = [
        [
            name,
            str(row["documents"]),
            str(row["characters"]),
            str(row["chunkers"][ALL]["leaves"]),
            str(sum(told["documents"] for told in row["chunkers"].values())),
            str(sum(told["leaves"] for told in row["chunkers"].values())),
            str(row["violations"]),
        ]
        for name, row in rows.items()
    ]
    head = "folder|documents|characters|structure's leaves|documents cut|leaves|violations"
    total = {
        "documents": sum(row["documents"] for row in rows.values()),
        "cut": sum(told["documents"] for row in rows.values() for told in row["chunkers"].values()),
        "leaves": sum(told["leaves"] for row in rows.values() for told in row["chunkers"].values()),
        "violations": sum(row["violations"] for row in rows.values()),
    }
    names = sorted(chunkers)
    return {"seed": given.seed, "names": names, "total": total, "rows": rows, "table": as_table(head, lines)}


def _read(folder: Path) -> Iterator[Document]:
    for one in documents([folder], limits=Limits()):
        if isinstance(one, Document) and one.text.strip():
            yield one


def _held(chunker: Callable[[Document], DocTree], found: Sequence[Document]) -> dict[str, Any]:
    """How many documents, leaves and violations."""
    bad: Counter[str] = Counter()
    leaves = 0
    for k, document in enumerate(found):
        tree = chunker(document)
        leaves += len(tree.leaf_ids)
        bad.update(broken(tree, cap_of(chunker)))
        if k < FEW and tree.digest() != chunker(document).digest():
            bad["again"] += 1
    return {"documents": len(found), "leaves": leaves, "broken": dict(bad)}
