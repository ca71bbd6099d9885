"""What a stage gave, as bytes and back: spans, nodes, scores, drops and notes, without pickle.

A hit is written as its document's id, its node and its ranges; the tree itself stays in the index. What
does not come back equal (a tree of the stage's own, an object among the notes) is not packed at all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag.doctree import DocTree
from rag.trace import TraceSpan
from rag.types import Answer, Citation, Drop, Hit, Hits, Query

__all__ = ["pack", "unpack"]

Trees = Callable[[str], DocTree]
PLAIN = (bool, int, float, str, type(None))
UNFIT = (TypeError, ValueError, KeyError, IndexError, AttributeError)


def pack(value: Any, spans: Sequence[TraceSpan], query: Query, trees: Trees) -> bytes | None:
    """A stage's value and its trace; None where it would not come back equal.

    Args:
        value: `Hits` or `Answer`.
        spans: the stage's part of the trace.
        query: the question that was asked; written only where the value holds another.
        trees: a document's tree in the index, by id.
    """
    try:
        body = _answer(value, query) if isinstance(value, Answer) else _hits(value, query)
        written = [type(value).__name__, body, [asdict(span) for span in spans]]
        raw = zlib.compress(json.dumps(written, separators=(",", ":")).encode(), 1)
        return raw if unpack(raw, query, trees) == (value, list(spans)) else None
    except UNFIT:
        return None


def unpack(raw: bytes, query: Query, trees: Trees) -> tuple[Any, list[TraceSpan]]:
    """What `pack` packed, on the same question and index.

    Raises:
        ValueError, KeyError, TypeError: these bytes were not written by `pack`, or for another index.
    """
    try:
        kind, body, spans = json.loads(zlib.decompress(raw))
    except zlib.error as error:
        raise ValueError("not a packed value") from error
    value = _to_answer(body, query, trees) if kind == "Answer" else _to_hits(body, query, trees)
    return value, [TraceSpan(**span) for span in spans]


def _hits(value: Hits, query: Query) -> list[Any]:
    docs: dict[str, int] = {}

    def packed(hit: Hit) -> list[Any]:
        at = docs.setdefault(hit.doc, len(docs))
        flat = [int(i) for span in hit.spans for i in span]
        return [at, int(hit.node), flat, hit.score, _plain(hit.scores), hit.why]

    items = [packed(hit) for hit in value.items]
    drops = [[packed(drop.hit), drop.stage, drop.reason] for drop in value.drops]
    return [_query(value.query, query), list(docs), items, drops, value.tokens, _plain(value.notes)]


def _to_hits(body: Sequence[Any], query: Query, trees: Trees) -> Hits:
    asked, docs, items, drops, tokens, notes = body
    found = [trees(doc) for doc in docs]

    def hit(packed: Sequence[Any]) -> Hit:
        at, node, flat, score, scores, why = packed
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
        return Hit(found[at], node, pairs, score, _back(scores), why)

    left = tuple(Drop(hit(packed), stage, reason) for packed, stage, reason in drops)
    return Hits(_to_query(asked, query), tuple(map(hit, items)), left, tokens, _back(notes))


def _answer(value: Answer, query: Query) -> list[Any]:
    return [
        _query(value.query, query),
        value.text,
        value.status,
        [list(cited) for cited in map(_cited, value.citations)],
        None if value.context is None else _hits(value.context, query),
        value.confidence,
        _plain(value.usage),
        value.seconds,
        _plain(value.notes),
        [asdict(span) for span in value.trace],
    ]


def _cited(cited: Citation) -> tuple[str, int, int, str]:
    return cited.doc, cited.start, cited.end, cited.quote


def _to_answer(body: Sequence[Any], query: Query, trees: Trees) -> Answer:
    asked, text, status, cited, context, confidence, usage, seconds, notes, spans = body
    return Answer(
        query=_to_query(asked, query),
        text=text,
        status=status,
        citations=tuple(Citation(*one) for one in cited),
        context=None if context is None else _to_hits(context, query, trees),
        confidence=confidence,
        usage=_back(usage),
        seconds=seconds,
        notes=_back(notes),
        trace=tuple(TraceSpan(**span) for span in spans),
    )


def _query(held: Query, asked: Query) -> Any:
    return None if held == asked else _plain(tuple(getattr(held, name) for name in Query.__slots__))


def _to_query(packed: Any, asked: Query) -> Query:
    return asked if packed is None else Query(*_back(packed))


def _plain(value: Any) -> Any:
    """Nested values as JSON that remembers tuples and keys that are no text."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        return {"d": [[_plain(key), _plain(inner)] for key, inner in value.items()]}
    if type(value) is tuple:
        return {"t": [_plain(inner) for inner in value]}
    if type(value) is list:
        return [_plain(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} is not kept")


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return [_back(inner) for inner in value]
    if isinstance(value, dict):
        if "t" in value:
            return tuple(_back(inner) for inner in value["t"])
        return {_back(key): _back(inner) for key, inner in value["d"]}
    return value
