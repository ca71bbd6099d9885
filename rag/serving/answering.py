"""One question through the stages of an index, with what each stage did told as it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rag import trace
from rag.index import check
from rag.models.aloud import hearing
from rag.pipeline import kind_of
from rag.serving import told
from rag.types import Answer, Hits, Query

if TYPE_CHECKING:
    from rag.index import Index
    from rag.serving.desk import Turn
    from rag.serving.live import Opened
    from rag.serving.models import Ask, Search

__all__ = ["ask", "query_of", "search"]

RANKING = ("retriever", "reranker")


def query_of(asked: Search) -> Query:
    """The request as a question to a pipeline."""
    return check(
        Query(
            id="question",
            text=asked.question,
            scope=None if asked.scope is None else tuple(asked.scope),
            filters=dict(asked.filters),
            history=tuple(getattr(asked, "history", ())),
            budget=asked.budget,
        )
    )


def ask(
    opened: Opened, name: str, asked: Ask, turn: Turn, tell: Callable[[str, Any], None] | None = None
) -> dict[str, Any]:
    """Answer one question.

    Args:
        opened: the generation to ask.
        name: of the index, for the answer.
        asked: the request.
        turn: asked between stages whether to go on.
        tell: called with `stage` and what each stage did, as soon as it ends; with `words` and a piece of what the
            reader's language model says, as it is made; with `again` where those pieces are void.

    Returns:
        The values of `models.AnswerOut`.
    """
    index = opened.variant(asked.set)
    answer, stages = run(index, query_of(asked), turn, tell, wanted=asked.stages or tell is not None)
    found = {"index": name, "generation": opened.generation, **told.answer(answer)}
    return found | {"stages": stages if asked.stages else None}


def run(
    index: Index, query: Query, turn: Turn, tell: Callable[[str, Any], None] | None, *, wanted: bool
) -> tuple[Answer, list[dict[str, Any]]]:
    """The answer, and what each stage did where that is wanted."""

    def said(piece: str | None) -> None:
        turn.check()  # a model whose words nobody waits for is not heard to its end
        if tell is not None:
            tell("again" if piece is None else "words", {} if piece is None else {"text": piece})

    began = last = time.perf_counter()
    stages: list[dict[str, Any]] = []
    before: Hits | None = None
    value: Any = Hits(query)
    with trace.record() as spans, nullcontext() if tell is None else hearing(said):
        for place, name, value in index.bound.steps(query):
            now = time.perf_counter()
            if wanted:
                stages.append(told.stage(place, name, value, seconds=now - last, before=before))
                if tell is not None:
                    tell("stage", stages[-1])
            before, last = (value if isinstance(value, Hits) else before), time.perf_counter()
            turn.check()
    seconds = time.perf_counter() - began
    if isinstance(value, Answer):
        return replace(value, seconds=seconds, trace=tuple(spans)), stages
    return Answer(query, "", "retrieved", context=value, seconds=seconds, trace=tuple(spans)), stages


def search(opened: Opened, name: str, asked: Search, turn: Turn, k: int) -> dict[str, Any]:
    """The k best hits after the last stage that ranks; compressors and readers do not run."""
    index = opened.variant(asked.set)
    kinds = [kind_of(step) for step in index.pipeline.stages]
    last = max((i for i, kind in enumerate(kinds) if kind in RANKING), default=-1)
    hits = Hits(query_of(asked))
    for i, (_, _, value) in enumerate(index.bound.steps(hits.query)):
        turn.check()
        if isinstance(value, Hits):
            hits = value
        if i >= last:
            break
    return {
        "index": name,
        "generation": opened.generation,
        "hits": [told.hit(one, whole=True) for one in hits.items[:k]],
        "total": len(hits),
    }
