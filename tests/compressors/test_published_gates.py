"""The published bubble: its score, its four gates, the budget, order, reasons."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.gates import Gates
from rag.config import load
from rag.doctree import flat
from rag.errors import ConfigError
from rag.models.tokens import counter
from rag.readers.render import cost
from rag.types import Document, Hit, Hits, Query

TEXTS = [
    "rent rent rent. ",
    "the rent is due. ",
    "pay in march. ",
    "雨が降る。 ",
    "\n\n",
    "word " * 40,
    "zebra quartz. ",
]


def asked(question: str, *texts: str) -> Hits:
    trees = [flat(Document(f"d{i}", text), [(0, len(text))]) for i, text in enumerate(texts)]
    return Hits(Query("q", question), tuple(Hit(tree, 1, ((0, len(tree.document.text)),), 0.0) for tree in trees))


@st.composite
def pools(draw) -> Hits:
    hits = []
    for i, text in enumerate(draw(st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4).map("".join)))):
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=2))})
        tree = flat(Document(f"d{i}", text, draw(st.sampled_from(["", "Lease"]))), list(itertools.pairwise(cuts)))
        hits += [Hit(tree, k, (span,), 0.0) for k, span in enumerate(itertools.pairwise(cuts), start=1)]
    return Hits(Query("q", draw(st.sampled_from(["rent due", "", "zzz"]))), tuple(draw(st.permutations(hits))))


@settings(deadline=None, max_examples=80)
@given(pools(), st.integers(0, 120), st.sampled_from(["chars", "words", "cl100k"]), st.booleans())
def test_the_rendering_keeps_the_budget_and_each_hit_is_kept_or_has_a_reason(hits, budget, tokenizer, slack) -> None:
    stage = Gates(budget=budget, tokenizer=tokenizer, slack=slack, explain=True)
    out = stage(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    kept, dropped = {(h.key, h.spans) for h in out}, {(d.hit.key, d.hit.spans) for d in out.drops}
    assert not kept & dropped
    assert kept | dropped == {(h.key, h.spans) for h in hits}
    assert stage(replace(hits, items=hits.items[::-1])) == out
    assert sum(one["kept"] for one in out.notes["compressors/gates"]["records"]) == len(out)


def test_the_score_is_counts_and_priors_over_length() -> None:
    hits = asked("rent due", "rent rent due", "rent " + "a " * 30, "none at all")
    stage = Gates(priors={"d2": 1.5}, keywords={"none": 0.5})
    tokens = counter("cl100k").counts([hit.text for hit in hits])
    listed = {one.hit.doc: one.score for one in stage.listed("rent due", hits.items, counter("cl100k"))}
    middle = sorted(tokens)[1]
    for doc, points, size in zip(("d0", "d1", "d2"), (3, 1, 2.0), tokens, strict=True):
        assert listed[doc] == pytest.approx(points / (1 + size / middle), abs=1e-8)


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Gates(share=1.0), "its words are there"),
        (Gates(share=1.0, overlap=2.0, most=1), "enough hits are there"),
        (Gates(overlap=2.0, shares={"d1": 0.0}), "its section is full"),
        (Gates(overlap=2.0, share=1.0, budget=14), "does not fit the budget"),
    ],
)
def test_each_gate_refuses_and_says_so(stage: Gates, reason: str) -> None:
    out = stage(asked("rent", "The rent is due in May.", "The rent is due in June."))
    assert [hit.doc for hit in out] == ["d0"]
    assert [drop.reason for drop in out.drops] == [reason]


def test_slack_gives_the_room_that_sections_leave() -> None:
    hits = asked("rent", "The rent is due in May.", "Pets may stay.")
    assert {hit.doc for hit in Gates(shares={"d1": 0.0})(hits)} == {"d0"}
    assert {hit.doc for hit in Gates(shares={"d1": 0.0}, slack=True)(hits)} == {"d0", "d1"}


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=re.escape("shares['a'] must lie between 0 and 1, got 1.5")):
        load({"version": 1, "stages": [{"use": "retrievers/bm25"}, {"use": "compressors/gates", "shares": {"a": 1.5}}]})
