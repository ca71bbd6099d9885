"""Sweeps: shared stages, ranked tables, halving, a held-out part, and a verdict."""

import json

import pytest
from small_stages import First, Lines, Words

from evals import run as runs
from evals.runfolder import lines
from evals.sharing import interned
from evals.sweep import read_plan, split, sweep
from rag.errors import ConfigError, DataError
from rag.pipeline import Pipeline
from rag.stage import Field, stage
from rag.types import Hits

CALLS = []


@stage
class Keep:
    """Keep the first hits; counts its calls."""

    k: int = Field(default=1)
    worst: bool = Field(default=False)

    def __call__(self, hits: Hits, /) -> Hits:
        CALLS.append(self)
        from dataclasses import replace

        items = hits.items[::-1] if self.worst else hits.items
        return replace(hits, items=items[: self.k])


@stage
class Counted:
    """Words, counting its calls."""

    k: int = Field(default=5)
    shapes_index = ()

    def build(self, corpus, part, /):
        part.save_json("size", len(corpus))

    def bind(self, store, /):
        copy = Counted(k=self.k)
        copy.__dict__["inner"] = Words(k=self.k).bind(store)
        return copy

    def __call__(self, query, /):
        CALLS.append(self)
        return self.__dict__["inner"](query)


Counted.__call__.__annotations__ = Words.__call__.__annotations__


def pipelines():
    return [
        Pipeline(chunker=Lines(), stages=(Counted(), Keep(k=k, worst=worst), First()))
        for k in (1, 2, 3)
        for worst in (False, True)
    ]


def plan(**changes):
    base = {
        "base": "lexical",
        "metric": "EM",
        "metrics": ["SpanR@16tok"],
        "grid": {"stages[1].k": [1, 2, 3], "stages[1].worst": [False, True]},
    }
    return read_plan({**base, **changes})


def test_a_grid_is_every_combination_in_order():
    assert plan().changes[:3] == (
        ("stages[1].k=1", "stages[1].worst=false"),
        ("stages[1].k=1", "stages[1].worst=true"),
        ("stages[1].k=2", "stages[1].worst=false"),
    )
    assert plan(grid=None, list=[{"stages[0].k": 5}, {}]).changes == (("stages[0].k=5",), ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grids": {}}, "unknown key 'grids'"),
        ({"list": [{}]}, "either `grid` or `list`"),
        ({"grid": {"a": 1}}, "must map each setting to a list"),
        ({"grid": None, "list": ["x"]}, "must hold mappings"),
        ({"metric": None}, "needs `base`"),
        ({"metric": "EMM"}, "Did you mean EM"),
        ({"holdout": 1.0}, r"holdout in \[0, 1\)"),
    ],
)
def test_a_wrong_plan_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


def test_a_plan_file_that_is_not_yaml_is_named(tmp_path):
    (tmp_path / "s.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"s.yaml: cannot be read as YAML"):
        read_plan(tmp_path / "s.yaml")


def test_shared_stages_run_once_and_every_run_is_what_it_would_be_alone(data, tmp_path):
    CALLS.clear()
    found = sweep(plan(), data, tmp_path / "sweep", pipelines=pipelines())
    retrieved = sum(isinstance(c, Counted) for c in CALLS)
    assert retrieved == 2 * len(data)  # once for the pipeline's own budget, once for 16 tokens: unregistered stages
    assert (found.calls, found.saved) == (20 * 40, 10 * 40)  # 2 retrievals, 12 rerankings and 6 readings a question
    for number, pipeline in enumerate(pipelines()):
        runs.run(pipeline, data, tmp_path / f"alone{number}", metrics="EM,SpanR@16tok")
        alone = list(lines(tmp_path / f"alone{number}" / "perquery.jsonl"))
        assert alone == list(lines(tmp_path / "sweep" / f"{number:03d}" / "perquery.jsonl"))


def test_rows_are_ranked_with_a_front_and_a_verdict(data, tmp_path):
    found = sweep(plan(), data, tmp_path / "sweep", pipelines=pipelines())
    assert [row["name"] for row in found.rows][:3] == ["000", "002", "004"]
    assert found.rows[0]["values"]["EM"]["value"] == 1.0
    assert "no winner" in found.verdict
    assert "000 leads but is not told apart from 002, 004" in found.verdict
    assert found.rows[0]["front"]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["verdict"] == found.verdict


def test_a_sweep_continues_where_it_stopped(data, tmp_path):
    whole = sweep(plan(), data, tmp_path / "sweep", pipelines=pipelines())
    path = tmp_path / "sweep" / "003" / "perquery.jsonl"
    before = path.read_bytes()
    path.write_bytes(before[:1000])
    CALLS.clear()
    again = sweep(plan(), data, tmp_path / "sweep", pipelines=pipelines())
    assert path.read_bytes() == before
    assert [r["name"] for r in again.rows] == [r["name"] for r in whole.rows]
    assert 0 < len(CALLS) <= 4 * len(data)
    other = [Pipeline(chunker=Lines(), stages=(Counted(k=4), Keep(), First()))] * 6
    with pytest.raises(DataError, match="another config"):
        sweep(plan(), data, tmp_path / "sweep", pipelines=other)


def test_halving_gives_all_questions_to_the_better_ones_only(data, tmp_path):
    found = sweep(plan(halving={"first": 10, "keep": 0.5}), data, tmp_path / "sweep", pipelines=pipelines())
    assert sorted(row["n"] for row in found.rows) == [10, 10, 10, 20, 40, 40]
    assert found.rows[0]["n"] == 40
    assert all(row["values"]["EM"]["value"] == 1.0 for row in found.rows[:2])


def test_the_winner_is_scored_on_questions_that_did_not_choose_it(data, tmp_path):
    chosen, apart = split(data.items, 0.3, 0)
    assert {i.id for i in chosen} | {i.id for i in apart} == {i.id for i in data.items}
    assert 4 <= len(apart) <= 20
    found = sweep(plan(holdout=0.3), data, tmp_path / "sweep", pipelines=pipelines())
    assert found.rows[0]["n"] == len(chosen)
    assert found.held_out["EM"]["n"] == len(apart)


def test_a_failing_stage_fails_for_every_configuration_that_shares_it(data, tmp_path):
    pipes = [Pipeline(chunker=Lines(), stages=(Words(), Keep(k=k), First(fails=("q0-0",)))) for k in (1, 2)]
    found = sweep(plan(grid={"stages[1].k": [1, 2]}), data, tmp_path / "sweep", pipelines=pipes)
    assert [row["values"]["EM"]["failed"] for row in found.rows] == [1, 1]


def test_equal_stages_of_a_sweep_are_one_object_so_models_open_once():
    known = {}
    first, second = (interned(p, known) for p in pipelines()[:2])
    assert first.stages[0] is second.stages[0]
    assert first.stages[1] is not second.stages[1]
    assert first == pipelines()[0]
