"""Documents, trees and slices of an index, a bounded page at a time. Ids are looked up in the index, never on disk."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from rag.registry import name_of
from rag.serving import told
from rag.serving.problem import Problem
from rag.serving.tuning import tunable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.doctree import DocTree
    from rag.serving.live import Opened

__all__ = ["about", "documents", "slices", "tree"]

MOST = 1_000_000  # characters of slices in one answer


def about(opened: Opened, name: str) -> dict[str, Any]:
    """What an index holds, its stages, and the settings a caller may change."""
    index = opened.index
    return {
        "name": name,
        "generation": opened.generation,
        "documents": len(index),
        "leaves": len(index.store.corpus),
        "reads": index.pipeline.reads,
        "stages": [
            {"place": f"stages[{i}]", "name": name_of(type(step))} for i, step in enumerate(index.pipeline.stages)
        ],
        "settings": tunable(index),
    }


def documents(opened: Opened, name: str, *, offset: int, limit: int, contains: str) -> dict[str, Any]:
    """A page of the documents whose id contains a text."""
    corpus = opened.index.store.corpus
    places: Sequence[int] = range(len(corpus.doc_ids))
    if contains:
        wanted = contains.casefold()
        places = [i for i in places if wanted in corpus.doc_ids[i].casefold()]
    page = places[offset : offset + limit]
    return {
        "index": name,
        "generation": opened.generation,
        "total": len(places),
        "documents": [{"id": corpus.doc_ids[i], "metadata": told.plain(corpus.metadata[i])} for i in page],
    }


def tree(
    opened: Opened, name: str, doc: str, node: int, *, offset: int, limit: int, at: int | None = None
) -> dict[str, Any]:
    """A node of a document's tree, and a page of its children: from `offset` on, or that which holds character `at`."""
    found = _tree(opened, doc)
    if node >= len(found):
        raise Problem(404, "query.node", f"must be below {len(found)}, got {node}.", "Begin at 0.")
    if at is not None:
        begins = [int(found.start[child]) for child in found.child_ids[node]]
        offset = max(bisect_right(begins, at) - 1, 0) // limit * limit
    return {
        "index": name,
        "generation": opened.generation,
        "doc": doc,
        "title": found.document.title,
        "characters": len(found.document.text),
        "nodes": len(found),
        "path": list(found[node].path),
        "node": told.node(found, node),
        "offset": offset,
        "children": told.children(found, node, offset=offset, limit=limit),
    }


def slices(opened: Opened, name: str, wanted: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    """The texts of ranges."""
    total = sum(max(end - start, 0) for _, start, end in wanted)
    found = []
    for i, (doc, start, end) in enumerate(wanted):
        text = _tree(opened, doc).document.text
        if not start <= end <= len(text):
            raise Problem(
                422, f"body.spans[{i}]", f"must lie within [0, {len(text)}], got [{start}, {end}].", "Ask `/tree`."
            )
        if total > MOST:
            raise Problem(
                413, "body.spans", f"must be at most {MOST:,} characters, got {total:,}.", "Ask for fewer at a time."
            )
        found.append({"doc": doc, "start": start, "end": end, "text": text[start:end]})
    return {"index": name, "generation": opened.generation, "spans": found}


def _tree(opened: Opened, doc: str) -> DocTree:
    corpus = opened.index.store.corpus
    at = corpus.ordinals.get(doc)
    if at is None:
        shown = doc if len(doc) <= 80 else doc[:80] + "…"
        raise Problem(404, "doc", f"no document {shown!r} in this index of {len(opened.index)}.", "See `/documents`.")
    return corpus.tree(at)
