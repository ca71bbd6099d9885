"""Do all the sentences that a multi-hop question needs get into a small context, without any model?

The pool of a question is its gold paragraphs and the best others by BM25, ten in all, in an order drawn from the
question's id; a paragraph's score is its BM25 within the pool. Units are sentences; tokens are words and marks; the
budget counts the units alone, and one that does not fit is passed over. Three shares, in per cent: of the support
sentences, of the questions with all of them, and of the questions (but those answered by yes or no) whose answer stands
in the context word for word.

`gates` is the published context bubble (arXiv 2601.10681, section 3) on term counts, .55 overlap, half of the budget a
section. The weights of `compressors.bubble` were chosen while looking at these very questions, all of both sets, so the
rows say what the parts add, not what to expect elsewhere. `no lead`: in both sets support is often the first sentence.
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
from compressors.relevance import own_scores
from evals.datasets import load
from evals.metrics.answers import contains, normalise
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.doctree import flat
from rag.lexical import terms
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hit, Query
from rag.units import units
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Item

__all__ = ["BUDGETS", "ROWS", "SETS", "Case", "cases", "reproduce", "scored"]

SETS = ("hotpotqa", "twowiki")
BUDGETS = (128, 256)
POOL = 10
BASE = "title and sentence"
TOKEN = re.compile(r"\w+|[^\w\s]")


class Case(NamedTuple):
    """A question, its candidates and the units it needs."""

    item: Item
    pool: Pool
    gold: frozenset[int]


def cases(folder: Path, limit: int | None) -> list[Case]:
    """The questions of a set that have support sentences, in the order of the file."""
    data = load(folder)
    trees = []
    for doc in sorted(data.places):
        record = data.record(doc)
        trees.append(flat(Document(doc, record["text"], record.get("title", "")), [(0, len(record["text"]))]))
    by = {tree.document.id: Hit(tree, int(tree.leaf_ids[0]), ((0, len(tree.document.text)),), 0.0) for tree in trees}
    ranker = BM25(k=len(trees))
    store = in_memory(trees)
    ranker.build(store.corpus, store.part(part_key(ranker)))
    asked = bound(ranker, store)
    found = []
    for item in [one for one in data.items if one.spans][:limit]:
        hits = asked(Query(item.id, item.text)).items
        gold = {span.doc for span in item.spans}
        others = [hit for hit in hits if hit.doc not in gold][: POOL - len(gold)]
        chosen = sorted([by[doc] for doc in sorted(gold)] + others, key=lambda hit: hit.doc)
        random.Random(item.id).shuffle(chosen)
        score = bm25(item.text, [f"{hit.document.title} {hit.document.text}" for hit in chosen])
        found.append(_case(item, [replace(hit, score=float(one)) for hit, one in zip(chosen, score, strict=True)]))
    return found


def _case(item: Item, hits: Sequence[Hit]) -> Case:
    pieces = units(hits)
    cost = [len(TOKEN.findall(hits[u.hit].document.text[u.start : u.end])) for u in pieces]
    gold = frozenset(
        k
        for k, unit in enumerate(pieces)
        for span in item.spans
        if hits[unit.hit].doc == span.doc and min(unit.end, span.end) - max(unit.start, span.start) > 1
    )
    return Case(item, Pool(item.text, hits, pieces, Prices([max(1, c) for c in cost], [0] * len(hits))), gold)


def bm25(question: str, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """Of each text, the texts being the collection; k1 1.2, b .75."""
    bags = [Counter(terms(text)) for text in texts]
    mean = sum(bag.total() for bag in bags) / max(len(bags), 1) or 1.0
    total = np.zeros(len(bags))
    for word in sorted(set(terms(question))):
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
        return _filled(case, np.lexsort((np.arange(len(values)), -values)).tolist(), budget)

    return fill


def _filled(case: Case, order: Sequence[int], budget: int) -> list[int]:
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
    return lambda case, budget: _filled(case, chosen(case, budget, weights).order, budget)


def _drawn(case: Case) -> list[float]:
    rng = random.Random("units " + case.item.id)
    return [rng.random() for _ in case.pool.units]


ROWS: Mapping[str, Callable[[Case, int], list[int]]] = {
    "random": _by(_drawn),
    "in given order": _by(lambda case: -np.arange(len(case.pool.units), dtype=np.float64)),
    "gates": _gates,
    "sentence": _by(lambda case: bm25(case.pool.question, case.pool.texts)),
    BASE: _by(lambda case: bm25(case.pool.question, _titled(case.pool))),
    "sentence, paragraph, lead": _by(lambda case: _weighted(case.pool)),
    "bubble": _bubble(Weights()),
    "bubble, no bridge": _bubble(Weights(bridge=0.0)),
    "bubble, no terms": _bubble(Weights(terms=0.0)),
    "bubble, no lead": _bubble(Weights(lead=0.0)),
    "gold": _by(lambda case: [float(k in case.gold) for k in range(len(case.pool.units))]),
}


def scored(case: Case, kept: Sequence[int]) -> tuple[float, float, float | None]:
    """Share of the support kept, whether all of it, and whether the answer stands there (None: yes or no)."""
    have = case.gold & set(kept)
    answers = case.item.answers
    if not answers or normalise(answers[0]) in ("yes", "no"):
        there = None
    else:
        text = " ".join(case.pool.texts[k] for k in sorted(kept))
        there = float(any(contains(text, answer) for answer in answers))
    return len(have) / max(len(case.gold), 1), float(have == case.gold), there


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every row on both sets; `--data` is the folder of the sets."""
    result: dict[str, Any] = {"seed": given.seed, "budgets": list(BUDGETS), "sets": {}}
    lines = []
    for name in SETS:
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
            told["rows"][row] = {str(b): _cells(points[row, b], points[BASE, b], given.seed) for b in BUDGETS}
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


def _cells(mine: Sequence[Any], base: Sequence[Any], seed: int) -> dict[str, list[float]]:
    found = {}
    for k, metric in enumerate(("support", "all", "answer")):
        values = [100 * one[k] for one in mine if one[k] is not None]
        found[metric] = [round(v, 2) for v in interval(values, seed=seed)[:3]]
    gap = paired([100 * one[1] for one in base], [100 * one[1] for one in mine], seed=seed)
    found["all_less_base"] = [round(v, 2) for v in (gap.delta, gap.low, gap.high)]
    return found
