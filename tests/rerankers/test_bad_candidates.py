"""Every reranker on candidates that are all alike, single, missing, or whose scores are no numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rag import registry
from rag.doctree import flat
from rag.models.embed import HashEmbedder
from rag.testing import check_stage
from rag.types import Document, Hit, Hits, Query
from rerankers.late import Late

TEXT = "The rent is due in May. " * 2
NEEDS_WEIGHTS = {"cross-encoder"}
STEPS = [
    Late(embedder=HashEmbedder(dim=32)) if name == "late" else registry.find(f"rerankers/{name}")()
    for name in registry.names("rerankers")
    if name not in NEEDS_WEIGHTS
]


def hit(doc: str, score: float, text: str = TEXT) -> Hit:
    return Hit(flat(Document(doc, text), [(0, len(text))]), 1, ((0, len(text)),), score, {"before": score})


def ask(*hits: Hit, question: str = "When is the rent due?") -> Hits:
    return Hits(Query("q", question), hits)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers_give_ranks_all_the_same(step: Any, bad: float) -> None:
    rows = [hit("a", 1.0), hit("b", bad, "Dogs bark."), hit("c", 0.5, "The lease ends."), hit("d", bad)]
    given = ask(*rows)
    out = step(given)
    check = {h.key: h.spans for h in given}
    assert all(check[h.key] == h.spans for h in out)
    assert len({h.key for h in out}) == len(out)
    assert {h.key for h in out} | {d.hit.key for d in out.drops} == set(check)
    assert all(math.isfinite(h.score) for h in out if h.scores.keys() != {"before"})
    assert [h.key for h in step(given)] == [h.key for h in out]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
def test_candidates_that_are_alike_single_or_missing_keep_the_contract(step: Any) -> None:
    alike = ask(*(hit(f"d{i}", 1.0) for i in range(5)))
    blank = replace(alike, query=Query("q", " "))
    check_stage(step, hits=[alike, ask(hit("a", 1.0)), ask(), blank])
    assert len(step(alike)) >= 1
    assert len(step(ask(hit("a", 0.0)))) == 1
