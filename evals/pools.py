"""Candidates for questions, and which of them are evidence: what a study of selection begins with."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from chunkers.structure import StructureChunker
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item
    from rag.stage import Reranker, Retriever

__all__ = ["Case", "Key", "drawn", "gold", "pooled"]

LEAST = 20  # characters of a gold span that a chunk must hold to be evidence, or all of a shorter one
Key = tuple[str, int, int]


class Case(NamedTuple):
    """A question's candidates and its evidence.

    Args:
        item: the question.
        hits: the candidates, as the last reranker left them.
        gold: keys of all chunks of the corpus that are evidence, candidates or not.
    """

    item: Item
    hits: Hits
    gold: frozenset[Key]


def drawn(data: Dataset, characters: int, questions: int, without: Sequence[str] = ()) -> tuple[list[str], list[Item]]:
    """Documents and questions drawn by a fixed seed, so that the documents fit a number of characters.

    A question is taken where the documents that it is about, or that it is limited to, still fit. Where some question
    may be answered from any document, other documents fill the rest.

    Args:
        data: the set.
        characters: of the documents together, at most.
        questions: at most so many.
        without: documents that may not be drawn.
    """
    items = [item for item in data.items if item.spans or item.qrels]
    random.Random(0).shuffle(items)
    taken: set[str] = set()
    kept: list[Item] = []
    room = characters
    barred = frozenset(without)
    for item in items:
        need = {*(item.scope or ()), *(span.doc for span in item.spans), *item.qrels}
        size = sum(data.sizes.get(doc, 0) for doc in need - taken)
        if size <= room and len(kept) < questions and not need & barred:
            room -= size
            taken |= need
            kept.append(item)
    if any(item.scope is None for item in kept):
        rest = [doc for doc in data.sizes if doc not in taken]
        random.Random(1).shuffle(rest)
        for doc in rest:
            if data.sizes[doc] <= room and doc not in barred:
                room -= data.sizes[doc]
                taken.add(doc)
    return sorted(taken), kept


def pooled(
    data: Dataset,
    docs: Sequence[str],
    items: Sequence[Item],
    *,
    search: Retriever,
    rerank: Reranker | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> list[Case]:
    """Index the documents and search for every question; questions that no chunk is evidence for are left out."""
    chunker = StructureChunker()
    records = (data.record(doc) for doc in docs)
    trees = [chunker(Document(doc, r["text"], r.get("title") or "")) for doc, r in zip(docs, records, strict=True)]
    store = in_memory(trees)
    for one in retrievers_of(search):
        one.build(store.corpus, store.part(part_key(one)))
    asked = bound(search, store)
    leaves = {tree.document.id: [(leaf.start, leaf.end) for leaf in tree.leaves()] for tree in trees}
    found: list[Case] = []
    for number, item in enumerate(items, 1):
        evidence = gold(item, leaves)
        if evidence:
            hits = asked(item.query())
            found.append(Case(item, rerank(hits) if rerank else hits, evidence))
        if number % 20 == 0:
            tell(f"  {number} of {len(items)}\n")
    return found


def gold(item: Item, leaves: Mapping[str, Sequence[tuple[int, int]]]) -> frozenset[Key]:
    """The chunks that are evidence: those that hold enough of a gold span, or all of a relevant document without any.

    Args:
        item: the question.
        leaves: document -> ranges of its chunks.
    """
    if not item.spans:
        relevant = [doc for doc, grade in item.qrels.items() if grade > 0]
        return frozenset((doc, start, end) for doc in relevant for start, end in leaves.get(doc, ()))
    return frozenset(
        (span.doc, start, end)
        for span in item.spans
        for start, end in leaves.get(span.doc, ())
        if min(end, span.end) - max(start, span.start) >= min(LEAST, span.end - span.start)
    )
