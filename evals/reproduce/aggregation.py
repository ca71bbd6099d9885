"""Questions whose answer is spread over a book: map-reduce over its tree against the best chunks of a search.

Episodic books (`evals.synth.book`), whose every question has known chapters. Both systems show a context of the same
number of tokens and answer with the same offline map and reduce steps. The search is the quickstart's (structure
chunks, here with `even` at 0.3; BM25 and embeddings fused, a cross-encoder) in two ways: `flat` takes whole chunks in
rank order until one does not fit; `sentences` takes the sentences that the quickstart's compressor keeps of the best 40
chunks, and its answer may rest on all of each chunk it keeps a sentence of, more than it shows. Map-reduce reads every
part that passes its gate and keeps the evidence that fits. Chapters: the share of the gold chapters that the context
touches, and of those it touches the share that is gold. List F1: of the items of the answer, each once, against the
gold items; a count is right or wrong; without gold items the answer must abstain.

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
from compressors.extract import Extract
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

__all__ = [
    "BUDGETS",
    "MEASURES",
    "SEEDS",
    "SYSTEMS",
    "Search",
    "flat",
    "list_f1",
    "mapreduce",
    "measured",
    "offline",
    "reproduce",
    "sentences",
]

BUDGETS = (256, 512, 1024)
SEEDS = tuple(range(100, 112))  # books reported
QUESTIONS = 5  # of each class and book
SYSTEMS = ("flat", "sentences", "map-reduce")
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


def sentences(tree: DocTree, search: Search, query: Query, budget: int) -> Seen:
    """The sentences of the best chunks that fit, and what the offline steps make of their chunks."""
    kept = Extract(budget=budget)(search(query))
    made = MapReduce()(query, tree, only={hit.node for hit in kept})
    return [span for hit in kept for span in hit.spans], made.answer if made.status == "answered" else ""


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


def offline(seed: int, budget: int = 512) -> list[float]:
    """The three measures of map-reduce over all questions of a book; needs no model."""
    book = episodic(seed, questions=QUESTIONS)
    tree = StructureChunker(even=0.3)(book.document)
    found = [measured(book, one, mapreduce(tree, Query(one.id, one.text), budget)) for one in book.puzzles]
    return [round(float(v), 6) for v in np.mean(found, axis=0)]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both systems over all books: means by number of matching events, and paired differences."""
    seeds = SEEDS[: given.limit] if given.limit else SEEDS
    rows: dict[tuple[str, int, str], dict[int, list[Scores]]] = {}
    for seed in seeds:
        tell(f"book {seed}\n")
        book = episodic(seed, questions=QUESTIONS)
        tree = StructureChunker(even=0.3)(book.document)
        search = _remembered(quickstart(tree))
        for puzzle in book.puzzles:
            query = Query(puzzle.id, puzzle.text)
            for budget in BUDGETS:
                made = (
                    flat(tree, search, query, budget),
                    sentences(tree, search, query, budget),
                    mapreduce(tree, query, budget),
                )
                for name, seen in zip(SYSTEMS, made, strict=True):
                    by_book = rows.setdefault((name, budget, bin_of(puzzle)), {})
                    by_book.setdefault(seed, []).append(measured(book, puzzle, seen))
    result: dict[str, Any] = {
        "books": list(seeds),
        "questions": sum(
            len(v) for (n, b, _), by in rows.items() if n == "flat" and b == BUDGETS[0] for v in by.values()
        ),
        "budgets": list(BUDGETS),
        "map-reduce by book": {str(seed): offline(seed) for seed in seeds},
        "seed": given.seed,
        "rows": {},
    }
    lines = []
    for budget in BUDGETS:
        for name in BINS:
            one = _compared(rows, budget, name, given.seed)
            result["rows"][f"{budget} tokens, {name} events"] = one
            for measure in MEASURES:
                row = one[measure]
                cells = [f"{row[s]:.3f}" for s in SYSTEMS]
                told = [_told(row["against"][s]) for s in SYSTEMS[:-1]]
                lines.append([f"{budget} tokens, {name} events: {measure}", str(one["n"]), *cells, *told])
    head = "|".join(["context", "n", *SYSTEMS, "against flat, 95 %", "against sentences, 95 %"])
    result["table"] = as_table(head, lines)
    return result


def _told(difference: Mapping[str, float]) -> str:
    return f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


def _compared(
    rows: Mapping[tuple[str, int, str], Mapping[int, Sequence[Scores]]], budget: int, name: str, seed: int
) -> dict[str, Any]:
    """Means over books of every system, and the intervals of what map-reduce is ahead."""
    by_system = {system: rows[system, budget, name] for system in SYSTEMS}
    made: dict[str, Any] = {"n": sum(map(len, by_system["flat"].values()))}
    for i, measure in enumerate(MEASURES):
        means = {
            system: np.array([np.mean([s[i] for s in found[book]]) for book in found])
            for system, found in by_system.items()
        }
        made[measure] = {system: round(float(values.mean()), 6) for system, values in means.items()}
        made[measure]["against"] = {}
        for system in SYSTEMS[:-1]:
            d = interval(means["map-reduce"] - means[system], seed=seed)
            told = {"value": round(d.value, 6), "low": round(d.low, 6), "high": round(d.high, 6), "books": d.n}
            made[measure]["against"][system] = told
    return made


def _remembered(search: Search) -> Search:
    kept: dict[str, Hits] = {}

    def found(query: Query) -> Hits:
        if query.id not in kept:
            kept[query.id] = search(query)
        return kept[query.id]

    return found
