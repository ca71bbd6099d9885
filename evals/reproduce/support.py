"""Do all the sentences that a multi-hop question needs get into a small context, without any model?

The pool of a question is its gold paragraphs and the best others by BM25, ten in all, in an order drawn from the
question's id; a paragraph's score is its BM25 within the pool. Units are the sentences that the set gives; tokens are
words and marks; the budget counts the units alone, and one that does not fit is passed over. Three shares, in per cent:
of the support sentences, of the questions with all of them, and of the questions (but those answered by yes or no)
whose answer stands in the context as an unbroken run of words.

`gates` is the published context bubble (arXiv 2601.10681, section 3) on term counts, .55 overlap, half of the budget a
section. The weights of `compressors.bubble` were chosen while looking at questions of `SETS`, all of both. They are
confirmed on `UNSEEN`, which no weight was chosen on: there a paragraph has no given sentences, and where no support
sentences are known a gold paragraph counts as supported when a unit of it is kept. `edu` is `compressors.edu` without a
model. `no lead`: in these sets support is often the first sentence. With models: `evals.reproduce.support_models`.
"""

from __future__ import annotations

import math
import random
import re
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compressors.choosing import Made, Pool, Prices, Weights, made
from compressors.edu import Edu
from compressors.leaves import Leaves
from compressors.relevance import own_scores
from evals.datasets import load
from evals.metrics.answers import in_context
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.doctree import flat
from rag.lexical import terms
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hit, Query
from rag.units import Unit, units
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Item

__all__ = ["BUDGETS", "ROWS", "SETS", "UNSEEN", "Case", "cases", "cells_of", "chosen", "filled", "reproduce", "scored"]

SETS = ("multihop/hotpotqa", "multihop/2wikimultihopqa")
UNSEEN = ("musique", "multihop_rag_facts", "strategyqa")
BUDGETS = (128, 256)
POOL = 10
BASE = "title and sentence"
TOKEN = re.compile(r"\w+|[^\w\s]")
PLAIN = (  # left out where words are only lower-cased
    "a an and are as at be but by for from has have in is it its of on or that the to was were which who with what when"
    " where how did does do"
)


class Case(NamedTuple):
    """A question, its candidates, and what it needs: of each group one unit."""

    item: Item
    pool: Pool
    gold: tuple[frozenset[int], ...]


def cases(folder: Path, limit: int | None, *, spans: bool = True, first: int = 0) -> list[Case]:
    """The questions of a set that have support, in the order of the file.

    Args:
        folder: of the set.
        limit: so many questions at most.
        spans: those with support sentences, where some have them; False: those without, whose paragraphs are known.
        first: so many questions are passed over.
    """
    data = load(folder)
    trees, told = [], {}
    for doc in sorted(data.places):
        record = data.record(doc)
        told[doc] = record.get("sentences", ())
        trees.append(flat(Document(doc, record["text"], record.get("title", "")), [(0, len(record["text"]))]))
    by = {tree.document.id: Hit(tree, int(tree.leaf_ids[0]), ((0, len(tree.document.text)),), 0.0) for tree in trees}
    ranker = BM25(k=len(trees))
    store = in_memory(trees)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    found = []
    sentences = spans and any(item.spans for item in data.items)
    known = [one for one in data.items if (one.spans if sentences else one.qrels and not one.spans)][first:]
    for item in known[:limit]:
        hits = asked(Query(item.id, item.text)).items
        gold = {span.doc for span in item.spans} or {doc for doc, grade in item.qrels.items() if grade > 0}
        others = [hit for hit in hits if hit.doc not in gold][: POOL - len(gold)]
        chosen = sorted([by[doc] for doc in sorted(gold)] + others, key=lambda hit: hit.doc)
        random.Random(item.id).shuffle(chosen)
        score = bm25(item.text, [f"{hit.document.title} {hit.document.text}" for hit in chosen])
        ranked = [replace(hit, score=float(one)) for hit, one in zip(chosen, score, strict=True)]
        found.append(_case(item, ranked, gold, told))
    return found


def _case(item: Item, hits: Sequence[Hit], docs: set[str], told: Mapping[str, Sequence[str]]) -> Case:
    pieces = [piece for k, hit in enumerate(hits) for piece in _given(k, hit, told[hit.doc])]
    cost = [len(TOKEN.findall(hits[u.hit].document.text[u.start : u.end])) for u in pieces]
    gold = [
        frozenset(
            k
            for k, unit in enumerate(pieces)
            if hits[unit.hit].doc == span.doc and min(unit.end, span.end) - max(unit.start, span.start) > 1
        )
        for span in item.spans
    ] or [frozenset(k for k, unit in enumerate(pieces) if hits[unit.hit].doc == doc) for doc in sorted(docs)]
    groups = tuple(group for group in gold if group)
    return Case(item, Pool(item.text, hits, pieces, Prices([max(1, c) for c in cost], [0] * len(hits))), groups)


def _given(number: int, hit: Hit, sentences: Sequence[str]) -> list[Unit]:
    """The sentences that the set gives, if they make up the text, else ours."""
    found, at, text = [], 0, hit.document.text
    for sentence in sentences:
        at += len(text[at:]) - len(text[at:].lstrip())
        if not sentence.strip() or not text.startswith(sentence.strip(), at):
            break
        found.append(Unit(number, at, at + len(sentence.strip())))
        at = found[-1].end
    if found and at == len(text.rstrip()):
        return found
    return [unit._replace(hit=number) for unit in units([hit])]


def plain(text: str) -> list[str]:
    """Words in lower case, but the commonest."""
    return [word for word in re.findall(r"\w+", text.lower()) if word not in PLAIN.split()]


def bm25(question: str, texts: Sequence[str], words: Callable[[str], Sequence[str]] = terms) -> np.ndarray[Any, Any]:
    """Of each text, the texts being the collection; k1 1.2, b .75."""
    bags = [Counter(words(text)) for text in texts]
    mean = sum(bag.total() for bag in bags) / max(len(bags), 1) or 1.0
    total = np.zeros(len(bags))
    for word in sorted(set(words(question))):
        have = sum(word in bag for bag in bags)
        idf = math.log1p((len(bags) - have + 0.5) / (have + 0.5))
        for k, bag in enumerate(bags):
            total[k] += idf * bag[word] * 2.2 / (bag[word] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
    return total


def _titled(pool: Pool) -> list[str]:
    return [f"{pool.hits[u.hit].document.title} {text}" for u, text in zip(pool.units, pool.texts, strict=True)]


def _weighted(pool: Pool) -> np.ndarray[Any, Any]:
    """.6 of the sentence with its title, .4 of its paragraph, .25 where it is the first."""
    own = bm25(pool.question, _titled(pool))
    whole = bm25(pool.question, [f"{hit.document.title} {hit.document.text}" for hit in pool.hits])
    of = np.array([unit.hit for unit in pool.units])
    first = np.append(True, of[1:] != of[:-1])
    found: np.ndarray[Any, Any] = 0.6 * own / max(own.max(), 1e-9)
    found += 0.4 * (whole / max(whole.max(), 1e-9))[of] + 0.25 * first
    return found


def _gates(case: Case, budget: int) -> list[int]:
    pool = case.pool
    asked = set(terms(pool.question))
    middle = float(np.median(pool.price.unit))
    counts = [sum(word in asked for word in terms(text)) for text in pool.texts]
    score = [count / (1 + cost / middle) for count, cost in zip(counts, pool.price.unit, strict=True)]
    kept: list[int] = []
    spent: Counter[int] = Counter()
    seen: set[str] = set()
    for unit in sorted(range(len(score)), key=lambda k: (-score[k], k)):
        cost, section = pool.price.unit[unit], pool.units[unit].hit
        if spent.total() + cost > budget or spent[section] + cost > budget / 2:
            continue
        if len(pool.words[unit] & seen) < 0.55 * max(len(pool.words[unit]), 1):
            kept.append(unit)
            spent[section] += cost
            seen |= pool.words[unit]
    return kept


def _by(score: Callable[[Case], Sequence[float] | np.ndarray[Any, Any]]) -> Callable[[Case, int], list[int]]:
    def fill(case: Case, budget: int) -> list[int]:
        values = np.round(np.asarray(score(case), dtype=np.float64), 9)
        return filled(case, np.lexsort((np.arange(len(values)), -values)).tolist(), budget)

    return fill


def filled(case: Case, order: Sequence[int], budget: int) -> list[int]:
    """The units of an order that fit; one that does not is passed over."""
    kept = []
    for unit in order:
        if case.pool.price.unit[unit] <= budget:
            kept.append(unit)
            budget -= case.pool.price.unit[unit]
    return kept


def chosen(case: Case, budget: int, weights: Weights) -> Made:
    """What the bubble makes of a case."""
    return made(
        case.pool, own_scores("bubble", case.pool.question, case.pool.hits, case.pool.units, None), budget, weights
    )


def _bubble(weights: Weights) -> Callable[[Case, int], list[int]]:
    return lambda case, budget: filled(case, chosen(case, budget, weights).order, budget)


def _edu(case: Case) -> np.ndarray[Any, Any]:
    """What `compressors.edu` makes of the given units, by words."""
    return Edu().worth(case.pool.question, case.pool.hits, Leaves(list(case.pool.units), [], [], [], [], []))


def _drawn(case: Case) -> list[float]:
    rng = random.Random("units " + case.item.id)
    return [rng.random() for _ in case.pool.units]


ROWS: Mapping[str, Callable[[Case, int], list[int]]] = {
    "random": _by(_drawn),
    "in given order": _by(lambda case: -np.arange(len(case.pool.units), dtype=np.float64)),
    "gates": _gates,
    "sentence": _by(lambda case: bm25(case.pool.question, case.pool.texts, plain)),
    BASE: _by(lambda case: bm25(case.pool.question, _titled(case.pool), plain)),
    "sentence, paragraph, lead": _by(lambda case: _weighted(case.pool)),
    "edu": _by(_edu),
    "bubble": _bubble(Weights()),
    "bubble, no bridge": _bubble(Weights(bridge=0.0)),
    "bubble, no terms": _bubble(Weights(terms=0.0)),
    "bubble, no lead": _bubble(Weights(lead=0.0)),
    "gold": _by(lambda case: [float(any(k in group for group in case.gold)) for k in range(len(case.pool.units))]),
}


def scored(case: Case, kept: Sequence[int]) -> tuple[float, float, float | None]:
    """Share of the support kept, whether all of it, and whether the answer stands there (None: yes or no)."""
    held = set(kept)
    have = [bool(group & held) for group in case.gold]
    there = in_context([" ".join(case.pool.texts[k] for k in sorted(kept))], case.item.answers)
    return sum(have) / max(len(have), 1), float(all(have)), there


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every row on each set; `--data` is the folder of the sets."""
    result: dict[str, Any] = {"seed": given.seed, "budgets": list(BUDGETS), "unseen": list(UNSEEN), "sets": {}}
    lines = []
    for name in (*SETS, *UNSEEN):
        known = cases(Path(given.data) / name, given.limit)
        kept = {(row, b): [fill(one, b) for one in known] for row, fill in ROWS.items() for b in BUDGETS}
        points = {
            key: [scored(one, units_) for one, units_ in zip(known, sets, strict=True)] for key, sets in kept.items()
        }
        certificates = [chosen(one, b, Weights()).set.certificate for one in known for b in BUDGETS]
        told: dict[str, Any] = {
            "n": len(known),
            "certificate": round(float(np.mean(certificates)), 4),
            "least_certificate": round(min(certificates), 4),
            "rows": {},
        }
        for row in ROWS:
            told["rows"][row] = {str(b): cells_of(points[row, b], points[BASE, b], given.seed) for b in BUDGETS}
            cells = [
                " / ".join(f"{told['rows'][row][str(b)][m][0]:.1f}" for m in ("support", "all", "answer"))
                for b in BUDGETS
            ]
            gains = [told["rows"][row][str(b)]["all_less_base"] for b in BUDGETS]
            lines.append([name, row, *cells, *(f"{g[0]:+.1f} ({g[1]:+.1f} to {g[2]:+.1f})" for g in gains)])
        result["sets"][name] = told
        tell(f"{name}: {len(known)} questions\n")
    head = "set|row|128: support / all / answer|256|all at 128 less " + BASE + "|at 256"
    result["table"] = as_table(head, lines)
    return result


def cells_of(mine: Sequence[Any], base: Sequence[Any], seed: int) -> dict[str, list[float]]:
    """Means of the three shares with intervals, and how much more often all of the support is there."""
    found = {}
    for k, metric in enumerate(("support", "all", "answer")):
        values = [100 * one[k] for one in mine if one[k] is not None]
        found[metric] = [round(v, 2) for v in interval(values, seed=seed)[:3]]
    gap = paired([100 * one[1] for one in base], [100 * one[1] for one in mine], seed=seed)
    found["all_less_base"] = [round(v, 2) for v in (gap.delta, gap.low, gap.high)]
    return found
