"""Planted contexts: where the gold stands, what stands around it, and what that does."""

import pytest
from conftest import First, Lines, Words

from evals.robust import Material, Planted, robust
from rag.errors import ConfigError, DataError
from rag.pipeline import Pipeline
from rag.stage import Field, stage
from rag.types import Answer, Hits


@stage
class Reads:
    """Answers with the last word of the hit at a place that says what was asked for; sees only that place."""

    place: int = Field(default=0)

    def __call__(self, hits: Hits, /) -> Answer:
        return First()(Hits(hits.query, hits.items[self.place :][:1] or hits.items[-1:]))


@pytest.fixture
def index(data):
    return Pipeline(chunker=Lines(), stages=(Words(k=50), First())).index([data.corpus])


@pytest.mark.parametrize(("position", "at"), [("first", 0), ("middle", 3), ("last", 6)])
def test_the_gold_stands_where_it_is_put_among_chunks_without_it(index, data, position, at):
    planted = Planted(Material(index, index.bound.stages[0], 6), data.by_id, position, 6)
    for item in data.items[:10]:
        hits = planted.context(item.query())
        assert [hit.why for hit in hits].index("gold") == at
        assert len(hits) == 7
        assert [i for i, hit in enumerate(hits) if item.answers[0] in hit.text] == [at]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_random_place_is_the_same_every_time_and_not_always_the_same_place(index, data):
    def places(seed):
        planted = Planted(Material(index, index.bound.stages[0], 6), data.by_id, "random", 6, seed)
        return [[h.why for h in planted.context(i.query())].index("gold") for i in data.items]

    assert places(0) == places(0) != places(1)
    assert len(set(places(0))) > 3


def test_a_reader_that_sees_the_first_hit_alone_loses_all_that_stands_behind(index, data):
    found = robust(index, data, "EM,AllSup,Context", noise=(2, 6))
    rows = {(row["position"], row["noise"]): row for row in found.rows}
    assert next(iter(rows)) == ("alone", 0)
    assert rows["alone", 0]["metrics"]["EM"]["value"] == 1.0
    assert rows["first", 6]["metrics"]["EM"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 40, "failed": 0}
    for place in ("middle", "last"):
        assert rows[place, 6]["metrics"]["EM"]["value"] == 0.0
        damage = rows[place, 6]["damage"]["EM"]
        assert (damage["delta"], damage["n"]) == (-1.0, 40)
        assert damage["p"] < 0.001
        assert rows[place, 6]["metrics"]["AllSup"]["value"] == 1.0  # it is there, unread
    assert rows["first", 6]["damage"]["EM"]["delta"] == 0.0
    sizes = [rows[key]["metrics"]["Context"]["value"] for key in [("alone", 0), ("first", 2), ("first", 6)]]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3
    assert (found.items, found.skipped) == (40, {})


def test_the_other_positions_hurt_a_reader_that_looks_elsewhere(data):
    index = Pipeline(chunker=Lines(), stages=(Words(k=50), Reads(place=4))).index([data.corpus])
    found = robust(index, data, "EM", noise=[4], positions=["first", "middle", "last"], limit=10)
    assert [row["metrics"]["EM"]["value"] for row in found.rows] == [1.0, 0.0, 0.0, 1.0]


def test_questions_without_enough_distractors_are_named_and_none_at_all_is_an_error(index, data):
    few = Words(k=4).bind(index.store)
    with pytest.raises(DataError, match="none of 40 questions can be asked: fewer than 9 distractors"):
        robust(index, data, "EM", noise=[9], distractors=few)
    with pytest.raises(ConfigError, match="positions must be some of first, middle, last, random, got 'front'"):
        robust(index, data, "EM", positions=["front"])
    with pytest.raises(ConfigError, match=r"noise must be numbers of distractors >= 1, got \[0\]"):
        robust(index, data, "EM", noise=[0])


def test_a_budget_runs_on_the_planted_context_too(index, data):
    found = robust(index, data, "SpanR@24tok", noise=[6], positions=["first", "last"], limit=8)
    assert [row["metrics"]["SpanR@24tok"]["value"] for row in found.rows] == [1.0, 1.0, 0.0]
