"""Do citations survive? A small language model reads a bubble, and whole chunks of as many tokens.

Both contexts come from the same search (BM25 over structure chunks) and hold at most 256 tokens: whole chunks in rank
order, or `compressors/bubble` without a model. The embedded SmolLM2-135M writes prose; each of its sentences is cited
by the sentence that its words are in (`readers/stuff`, form `plain`). A gold span is found when a citation shares
a character with it, a citation is right when it shares a character with a gold span, and an answer without a citation
scores 0 in both. Questions are of `squad_long`; differences are paired by question.

What came out on 200 questions: the bubble holds gold more often (95.5 % against 88.0 %), but this small model uses it
worse. Recall is 41.0 % against 53.5 %, 12.5 points less (4.0 to 21.0), precision 40.0 % against 51.0 %. It reads one or
two whole passages better than ten sentences out of several. A larger model was not measured.

Replies are kept beside the data that `--vectors` names, so that a run that was cut off goes on where it was.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from compressors.bubble import Bubble
from evals.datasets import load
from evals.metrics.citations import precision, recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.models.cached import CachedLLM
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.readers.stuff import Stuff
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Item
    from rag.types import Answer

__all__ = ["ARMS", "BUDGET", "asked", "reproduce", "scores"]

BUDGET = 256
METRICS = ("recall", "precision", "answered", "held")
BUBBLE = Bubble(budget=BUDGET)


def whole(hits: Hits) -> Hits:
    """The first chunks that fit."""
    return replace(hits, items=fill(hits, BUDGET, counter("cl100k")))


ARMS: dict[str, Callable[[Hits], Hits]] = {"chunks": whole, "bubble": BUBBLE}


def asked(folder: Path, limit: int | None) -> list[tuple[Item, Hits]]:
    """The questions with what BM25 finds."""
    data = load(folder)
    items = [item for item in data.items if item.spans][:limit]
    store = in_memory([StructureChunker()(Document(doc, data.text(doc))) for doc in sorted(data.places)])
    retriever = BM25(k=30)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    ask = bound(retriever, store)
    return [(item, ask(Query(item.id, item.text))) for item in items]


def scores(item: Item, context: Hits, answer: Answer) -> tuple[float, float, float, float]:
    """Citation recall and precision, whether it answered, and whether the context holds a gold span, in points."""
    cited = [(one.doc, one.start, one.end) for one in answer.citations]
    held = recall([tuple(span) for span in context.spans()], item.spans)
    return (
        100 * recall(cited, item.spans),
        100 * precision(cited, item.spans),
        100.0 * (answer.status == "answered"),
        100 * held,
    )


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both contexts on every question."""
    questions = asked(Path(given.data), given.limit or 200)
    folder = None if given.vectors is None else Path(given.vectors).parent
    reader = Stuff(llm=CachedLLM(folder=folder), form="plain", budget=4 * BUDGET, max_tokens=48)
    points: dict[str, list[tuple[float, ...]]] = {name: [] for name in ARMS}
    tokens: dict[str, list[int]] = {name: [] for name in ARMS}
    for k, (item, hits) in enumerate(questions):
        for name, arm in ARMS.items():
            context = arm(hits)
            answer = reader(context)
            points[name].append(scores(item, context, answer))
            tokens[name].append(answer.context.tokens or 0 if answer.context else 0)
        tell(f"{k + 1} of {len(questions)}\n" if k % 10 == 9 else "")
    result: dict[str, Any] = {"seed": given.seed, "n": len(questions), "budget": BUDGET, "rows": {}, "less": {}}
    lines = []
    for name, rows in points.items():
        values = np.array(rows)
        cells = {m: [round(v, 2) for v in interval(values[:, j], seed=given.seed)[:3]] for j, m in enumerate(METRICS)}
        result["rows"][name] = {**cells, "tokens": round(float(np.mean(tokens[name])), 1)}
        lines.append([name, f"{np.mean(tokens[name]):.0f}", *(f"{cells[m][0]:.1f}" for m in METRICS)])
    for j, metric in enumerate(METRICS):
        gap = paired([r[j] for r in points["chunks"]], [r[j] for r in points["bubble"]], seed=given.seed)
        result["less"][metric] = [round(v, 2) for v in (gap.delta, gap.low, gap.high)]
    told = ["{:+.1f} ({:+.1f} to {:+.1f})".format(*result["less"][m]) for m in METRICS]
    lines.append(["bubble less chunks", "", *told])
    result["table"] = as_table("context|tokens|" + "|".join(METRICS), lines)
    return result
