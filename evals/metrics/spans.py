"""How much of the gold evidence is in a context, and how much of the context is gold.

Definitions of Chroma's chunking evaluation, https://research.trychroma.com/evaluating-chunking: with
gold ranges R and retrieved ranges r, N = characters of R inside any r,

    recall = N / |R|      precision = N / sum |r|      IoU = N / (sum |r| + |R| - N)

Retrieved ranges that overlap count twice in the denominators, since a reader pays for them twice.
Departure: ranges are half-open and taken as they are, never searched for in the text, and the
character counts of all documents are added. `SpanR@512tok` applies them to the context of 512 tokens,
`ChunkR@5` to the first five hits.

Spans are `(doc, start, end)` triples; offsets are code points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evals.ranges import by_document, left, length, merge, overlap

__all__ = ["all_support", "contexts", "coverage", "iou", "kept", "missing", "omega", "precision", "recall", "shared"]

Triple = Sequence[Any]
Range = tuple[int, int]


def _sizes(found: Iterable[Triple], gold: Iterable[Triple]) -> tuple[int, int, int]:
    """N, characters retrieved (overlaps twice), gold characters."""
    found = list(found)
    have, want = by_document(found), by_document(gold)
    inside = sum(overlap(have[doc], ranges) for doc, ranges in want.items() if doc in have)
    paid = sum(max(int(end) - int(start), 0) for _, start, end in found)
    return inside, paid, sum(map(length, want.values()))


def recall(found: Iterable[Triple], gold: Iterable[Triple]) -> float:
    """Gold characters retrieved / gold characters."""
    inside, _, wanted = _sizes(found, gold)
    return inside / wanted if wanted else 0.0


def precision(found: Iterable[Triple], gold: Iterable[Triple]) -> float:
    """Gold characters retrieved / characters retrieved; 0 for an empty context."""
    inside, paid, _ = _sizes(found, gold)
    return inside / paid if paid else 0.0


def iou(found: Iterable[Triple], gold: Iterable[Triple]) -> float:
    """Gold characters retrieved / characters in either."""
    inside, paid, wanted = _sizes(found, gold)
    either = paid + wanted - inside
    return inside / either if either else 0.0


def kept(found: Iterable[Triple], gold: Iterable[Triple]) -> tuple[int, int]:
    """Gold characters retrieved, and gold characters."""
    inside, _, wanted = _sizes(found, gold)
    return inside, wanted


def missing(found: Iterable[Triple], gold: Iterable[Triple], text: Callable[[str], str]) -> list[tuple[str, int, int]]:
    """The gold ranges with a visible character that is not retrieved."""
    have = by_document(found)
    lost: list[tuple[str, int, int]] = []
    for doc, start, end in gold:
        span = (int(start), int(end))
        rest = left([span], have.get(str(doc), []))
        if rest and (rest == [span] or any(text(str(doc))[s:e].strip() for s, e in rest)):
            lost.append((str(doc), *span))
    return lost


def all_support(found: Iterable[Triple], gold: Iterable[Triple], text: Callable[[str], str]) -> float:
    """AllSup: 1 when every gold range is retrieved whole; white space inside it may be missing.

    Args:
        found: the context.
        gold: at least one range.
        text: gives a document's text by id.
    """
    return float(not missing(found, gold, text))


def omega(gold: Iterable[Triple], chunks: Callable[[str], Sequence[Range]], *, compat: bool = False) -> float:
    """Precision-omega: the best precision any retriever could have at full recall with these chunks.

    Every chunk that touches a gold range is taken: N / |union of those chunks and of gold text in no chunk|.
    It needs no retrieval; it is a property of the cuts.

    Args:
        gold: at least one range.
        chunks: gives all chunks of a document, as ranges.
        compat: also take a chunk that merely ends where a gold range begins, or begins where one
            ends, as the published code does; a whole neighbour more.
    """
    inside = total = 0
    for doc, ranges in by_document(gold).items():
        reach = 1 if compat else 0
        taken = [
            (start, end)
            for start, end in chunks(doc)
            if any(start < stop + reach and begin < end + reach for begin, stop in ranges)
        ]
        joined = merge(taken)
        inside += overlap(joined, ranges)
        total += length(merge([*joined, *left(ranges, joined)]))
    return inside / total if total else 0.0


def coverage(gold: Iterable[Triple], chunks: Callable[[str], Sequence[Range]]) -> float:
    """Share of gold ranges that lie whole inside one chunk, so that no cut goes through them."""
    whole: list[bool] = []
    for doc, start, end in gold:
        whole.append(any(s <= int(start) and int(end) <= e for s, e in chunks(str(doc))))
    return sum(whole) / len(whole) if whole else 0.0


def contexts(spans: Mapping[str, Sequence[Range]], text: Callable[[str], str]) -> list[str]:
    """The context as runs of unbroken text: ranges that only white space parts are one run."""
    runs: list[str] = []
    for doc, ranges in spans.items():
        source = text(doc)
        joined: list[Range] = []
        for start, end in ranges:
            if joined and not source[joined[-1][1] : start].strip():
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        runs += [source[start:end] for start, end in joined]
    return runs


def shared(a: Sequence[Triple], b: Sequence[Triple]) -> int:
    """Characters in both contexts."""
    one, other = by_document(a), by_document(b)
    return sum(overlap(one[doc], other[doc]) for doc in one if doc in other)
