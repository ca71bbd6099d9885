"""Questions whose answer is spread over a book: map-reduce over its tree against the best chunks of a search.

Episodic books (`evals.synth.book`), whose every question has known chapters. Both systems show a context of the same
number of tokens and answer with the same offline map and reduce steps. The search is the quickstart's (structure
chunks, BM25 and embeddings fused, a cross-encoder), taken in rank order until a chunk does not fit, and answers from
the chunks taken; map-reduce reads every part that passes its gate and keeps the evidence that fits. Chapters: the share
of the gold chapters that the context touches, and of those it touches the share that is gold. List F1: of the items
of the answer, each once, against the gold items; a count is right or wrong; without gold items the answer must abstain.

Intervals are bootstraps over books. The gate, the shares of words that must be met and the looks of items were chosen
on books 0 to 4 and on no question of the books reported; the questions' templates were written by the author of the
rules that read them, so the absolute figures say less than the differences.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import rag
from chunkers.structure import StructureChunker
from evals.reproduce import as_table
from evals.stats import interval
from evals.synth.book import BINS, Book, Puzzle, bin_of, episodic
from rag.models.tokens import counter
from rag.pipeline import bound, retrievers_of
from rag.readers.mapreduce import MapReduceReader
from rag.readers.render import rendered
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.trees.mapreduce import MapReduce
from rag.types import Hit, Hits, Query

if TYPE_CHECKING:
    from rag.doctree import DocTree

__all__ = ["BUDGETS", "MEASURES", "SEEDS", "Search", "flat", "list_f1", "mapreduce", "measured", "reproduce"]

BUDGETS = (256, 512, 1024)
SEEDS = tuple(range(100, 112))  # books reported
QUESTIONS = 5  # of each class and book
MEASURES = ("chapter recall", "chapter precision", "list F1")
Search = Callable[[Query], Hits]
Seen = tuple[Sequence[tuple[int, int]], str]  # ranges shown, and the answer


class Scores(NamedTuple):
    """Measures of one question; chapters count 1 and 1 where there are none and nothing is shown."""

    recall: float
    precision: float
    f1: float


def flat(tree: DocTree, search: Search, query: Query, budget: int) -> Seen:
    """The best chunks that fit, and what the offline steps make of them."""
    tokenizer = counter("cl100k")
    kept: list[Hit] = []
    for hit in search(query):
        if rendered([*kept, hit], tokenizer).tokens > budget:
            break
        kept.append(hit)
    made = MapReduce()(query, tree, only={hit.node for hit in kept})
    return [(hit.start, hit.end) for hit in kept], made.answer if made.status == "answered" else ""


def mapreduce(tree: DocTree, query: Query, budget: int) -> Seen:
    """The reader over the whole book."""
    hit = Hit(tree, int(tree.leaf_ids[0]), ((0, int(tree.end[tree.leaf_ids[0]])),), 1.0)
    answer = MapReduceReader(scorer=None, budget=budget)(Hits(query, (hit,)))
    shown = answer.context.items if answer.context is not None and answer.status == "answered" else ()
    return [span for one in shown for span in one.spans], answer.text


def measured(book: Book, puzzle: Puzzle, seen: Seen) -> Scores:
    """Chapters touched against the gold ones, and the answer against the gold items."""
    touched = {e.chapter for e in book.episodes if any(a < e.end and e.start < b for a, b in seen[0])}
    gold = set(puzzle.chapters)
    recall = len(touched & gold) / len(gold) if gold else 1.0
    precision = len(touched & gold) / len(touched) if touched else float(not gold)
    return Scores(recall, precision, list_f1(seen[1], puzzle))


def list_f1(answer: str, puzzle: Puzzle) -> float:
    """F1 of distinct items by their words; nothing is right where there is nothing to find."""
    if not puzzle.chapters:
        return float(not answer)
    items = {_words(item) for item in answer.split(";") if _words(item)}
    gold = {_words(item) for item in puzzle.answers}
    return 2 * len(items & gold) / (len(items) + len(gold))


def _words(item: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", item.lower()))


def quickstart(tree: DocTree) -> Search:
    """The quickstart's retrieval over one book, with its models."""
    stages: Sequence[Any] = rag.load("quickstart").stages
    store = in_memory([tree])
    for one in retrievers_of(stages[0]):
        one.build(store.corpus, store.part(part_key(one)))
    search, rerank = bound(stages[0], store), replace(stages[1], k=40)

    def found(query: Query) -> Hits:
        hits: Hits = rerank(search(query))
        return hits

    return found


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both systems over all books: means by number of matching events, and paired differences."""
    seeds = SEEDS[: given.limit] if given.limit else SEEDS
    rows: dict[tuple[str, int, str], dict[int, list[Scores]]] = {}
    for seed in seeds:
        tell(f"book {seed}\n")
        book = episodic(seed, questions=QUESTIONS)
        tree = StructureChunker()(book.document)
        search = _remembered(quickstart(tree))
        for puzzle in book.puzzles:
            query = Query(puzzle.id, puzzle.text)
            for budget in BUDGETS:
                for name, seen in (
                    ("flat", flat(tree, search, query, budget)),
                    ("map-reduce", mapreduce(tree, query, budget)),
                ):
                    by_book = rows.setdefault((name, budget, bin_of(puzzle)), {})
                    by_book.setdefault(seed, []).append(measured(book, puzzle, seen))
    result: dict[str, Any] = {
        "books": list(seeds),
        "questions": sum(
            len(v) for (n, b, _), by in rows.items() if n == "flat" and b == BUDGETS[0] for v in by.values()
        ),
        "budgets": list(BUDGETS),
        "rows": {},
    }
    lines = []
    for budget in BUDGETS:
        for name in BINS:
            one = _compared(rows, budget, name, given.seed)
            result["rows"][f"{budget} tokens, {name} events"] = one
            cells = [f"{one[m][s]:.3f}" for m in MEASURES for s in ("flat", "map-reduce")]
            d = one["list F1"]["difference"]
            r = one["chapter recall"]["difference"]
            lines.append([f"{budget} tokens, {name}", str(one["n"]), *cells, _told(r), _told(d)])
    head = "context, events|n|recall flat|m-r|precision flat|m-r|list F1 flat|m-r|recall, difference|F1, difference"
    result["table"] = as_table(head, lines)
    return result


def _told(difference: Mapping[str, float]) -> str:
    return f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


def _compared(
    rows: Mapping[tuple[str, int, str], Mapping[int, Sequence[Scores]]], budget: int, name: str, seed: int
) -> dict[str, Any]:
    """Means of both systems, and the interval of their difference over books."""
    flat_rows, tree_rows = rows["flat", budget, name], rows["map-reduce", budget, name]
    made: dict[str, Any] = {"n": sum(map(len, flat_rows.values()))}
    for i, measure in enumerate(MEASURES):
        a = np.array([np.mean([s[i] for s in flat_rows[book]]) for book in flat_rows])
        b = np.array([np.mean([s[i] for s in tree_rows[book]]) for book in flat_rows])
        d = interval(b - a, seed=seed)
        made[measure] = {
            "flat": round(float(a.mean()), 6),
            "map-reduce": round(float(b.mean()), 6),
            "difference": {"value": round(d.value, 6), "low": round(d.low, 6), "high": round(d.high, 6), "books": d.n},
        }
    return made


def _remembered(search: Search) -> Search:
    kept: dict[str, Hits] = {}

    def found(query: Query) -> Hits:
        if query.id not in kept:
            kept[query.id] = search(query)
        return kept[query.id]

    return found
