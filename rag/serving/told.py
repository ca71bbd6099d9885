"""What a pipeline gives, as plain JSON values; texts in it are slices, with their offsets beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.types import Answer, Drop, Hit, Hits

__all__ = ["answer", "children", "hit", "node", "plain", "stage"]

SHOWN = 50  # hits and drops listed a stage
HEAD = 300  # code points of a hit's text in a list
DEEP = 6  # levels of a note
LONG = 500  # characters of a text in a note


def answer(given: Answer) -> dict[str, Any]:
    """The answer in the form other programs rely on."""
    hits = given.context
    context = [
        {"doc": one.doc, "start": start, "end": end, "text": piece, "score": number(one.score), "why": one.why}
        for one in (hits or ())
        for (start, end), piece in zip(one.spans, one.pieces, strict=True)
    ]
    return {
        "answer": given.text,
        "status": given.status,
        "citations": [{"doc": c.doc, "start": c.start, "end": c.end, "quote": c.quote} for c in given.citations],
        "context": context,
        "dropped": [
            {"doc": d.hit.doc, "start": d.hit.start, "end": d.hit.end, "stage": d.stage, "reason": d.reason}
            for d in (() if hits is None else hits.drops)
        ],
        "tokens": None if hits is None else hits.tokens,
        "confidence": given.confidence,
        "usage": dict(given.usage),
        "seconds": round(given.seconds, 4),
    }


def stage(place: str, name: str, value: Any, *, seconds: float, before: Hits | None) -> dict[str, Any]:
    """What one stage did: what it kept, and what it left out and why.

    Args:
        place: such as `stages[1]`.
        name: such as `rerankers/mmr`.
        value: what it gave, `Hits` or `Answer`.
        seconds: wall time.
        before: what it was given; None for the first stage.
    """
    told = {
        "place": place,
        "name": name,
        "seconds": round(seconds, 6),
        "items_in": None if before is None else len(before),
        "tokens": None,
        "kept": [],
        "kept_count": 0,
        "dropped": [],
        "dropped_count": 0,
        "notes": {},
    }
    drops = getattr(value, "drops", None)
    if drops is None:  # an answer
        told["notes"] = plain(value.notes)
        told["kept_count"] = len(value.citations)
        return told
    new: Sequence[Drop] = drops[len(before.drops) if before is not None else 0 :]
    return told | {
        "tokens": value.tokens,
        "kept": [hit(one) for one in value.items[:SHOWN]],
        "kept_count": len(value),
        "dropped": [{**hit(one.hit), "stage": one.stage, "reason": one.reason} for one in new[:SHOWN]],
        "dropped_count": len(new),
        "notes": plain({key: v for key, v in value.notes.items() if before is None or before.notes.get(key) is not v}),
    }


def hit(one: Hit, *, whole: bool = False) -> dict[str, Any]:
    """A hit: its ranges, and the head of its text (`whole` gives all of it)."""
    text = one.document.text
    start, end = one.spans[0]
    return {
        "doc": one.doc,
        "node": int(one.node),
        "spans": [[int(a), int(b)] for a, b in one.spans],
        "text": one.text if whole else text[start : min(end, start + HEAD)],
        "path": list(one.path),
        "score": number(one.score),
        "why": one.why,
    }


def node(tree: DocTree, index: int) -> dict[str, Any]:
    """One node of a tree, without its children; leaves with the head of their text."""
    view = tree[index]
    below = len(tree.child_ids[index])
    start, end = view.start, view.end
    return {
        "node": index,
        "kind": view.kind,
        "title": view.title,
        "start": start,
        "end": end,
        "tokens": view.tokens,
        "children": below,
        "head": "" if below else tree.document.text[start : min(end, start + HEAD)],
    }


def children(tree: DocTree, index: int, *, offset: int = 0, limit: int = 200) -> list[dict[str, Any]]:
    """The children of a node, a page of them, in source order."""
    return [node(tree, child) for child in tree.child_ids[index][offset : offset + limit]]


def plain(value: Any, depth: int = DEEP) -> Any:
    """Notes as JSON: long texts and lists are cut, what JSON cannot say is named by its type."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # one number of numpy's
        value = value.item()
    if depth and isinstance(value, Mapping):
        return {str(key): plain(one, depth - 1) for key, one in list(value.items())[:SHOWN]}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        some = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)
        return [plain(one, depth - 1) for one in some[:SHOWN]]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return value if len(value) <= LONG else value[:LONG] + "…"
    return value if value is None or isinstance(value, (bool, int)) else type(value).__name__


def number(value: Any) -> float | None:
    """A float that JSON can say; None for the others."""
    told = float(value)
    return told if math.isfinite(told) else None
