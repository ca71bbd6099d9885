"""The cache of stages: nothing changes but the work, and a run says what ran and why."""

import json
from dataclasses import replace

import pytest
from conftest import First, Lines, Words
from hypothesis import given
from hypothesis import strategies as st

from evals import run as runs
from evals.cache import StageCache
from evals.packed import pack, unpack
from rag.doctree import flat
from rag.errors import DataError
from rag.pipeline import Pipeline
from rag.stage import Field, stage
from rag.trace import TraceSpan
from rag.types import Answer, Citation, Document, Drop, Hit, Hits, Query

EACH = 3  # a stage that is not installed runs once, and once for each of the two budgets
METRICS = "R@5,SpanR@16tok,SpanR@64tok,EM,CiteR,Calls,Seconds"
CALLS: list[str] = []


@stage
class Watched:
    """Words, and a note of every call."""

    k: int = Field(default=5)
    shapes_index = ()

    def build(self, corpus, part, /):
        part.save_json("size", len(corpus))

    def bind(self, store, /):
        copy = Watched(k=self.k)
        copy.__dict__["inner"] = Words(k=self.k).bind(store)
        return copy

    def __call__(self, query: Query, /) -> Hits:
        CALLS.append("retriever")
        return self.__dict__["inner"](query)


@stage
class Cut:
    """Keep the first hits, saying why the others went; `odd` leaves a note that cannot be kept."""

    k: int = Field(default=3)
    odd: bool = Field(default=False)

    def __call__(self, hits: Hits, /) -> Hits:
        CALLS.append("reranker")
        gone = tuple(Drop(hit, "cut", "rank") for hit in hits.items[self.k :])
        notes = {"cut": {"kept": (1, 2), 3: [1.5, None]}, **({"odd": object()} if self.odd else {})}
        return replace(hits, items=hits.items[: self.k], drops=(*hits.drops, *gone), notes=notes)


@stage
class Answers:
    """First, and a note of every call."""

    silent: bool = Field(default=False)
    fails: tuple[str, ...] = Field(default=())

    def __call__(self, hits: Hits, /) -> Answer:
        CALLS.append("reader")
        return First(silent=self.silent, fails=self.fails)(hits)


def pipe(k=5, cut=3, odd=False, **reader):
    return Pipeline(chunker=Lines(), stages=(Watched(k=k), Cut(k=cut, odd=odd), Answers(**reader)))


def go(pipeline, data, tmp_path, name, cache="cache", **settings):
    CALLS.clear()
    where = None if cache is None else tmp_path / cache
    return runs.run(pipeline, data, tmp_path / name, metrics=METRICS, cache=where, **settings)


def rows(tmp_path, name):
    return (tmp_path / name / "perquery.jsonl").read_bytes()


@pytest.mark.parametrize("workers", [1, 4])
def test_another_reader_runs_the_reader_alone_and_ends_with_the_bytes_of_a_run_without_a_cache(data, tmp_path, workers):
    go(pipe(), data, tmp_path, "first", workers=workers)
    assert CALLS.count("retriever") == 40 * EACH
    done = go(pipe(silent=True), data, tmp_path, "second", workers=workers)
    assert set(CALLS) == {"reader"}
    assert [(r.place, r.reused, r.ran) for r in done.reuse] == [
        ("stages[0]", 40 * EACH, 0),
        ("stages[1]", 40 * EACH, 0),
        ("stages[2]", 0, 40),
    ]
    assert done.reuse[2].why.endswith("silent: false -> true")
    assert json.loads((tmp_path / "second" / "cache.json").read_text())["stages"] == [r.json() for r in done.reuse]
    plain = go(pipe(silent=True), data, tmp_path, "plain", cache=None)
    assert rows(tmp_path, "second") == rows(tmp_path, "plain")
    drop = {"Seconds"}
    assert {k: v for k, v in done.metrics.items() if k not in drop} == {
        k: v for k, v in plain.metrics.items() if k not in drop
    }


def test_the_same_run_elsewhere_calls_nothing_and_keeps_its_trace(data, tmp_path):
    go(pipe(), data, tmp_path, "first")
    done = go(pipe(), data, tmp_path, "second")
    assert CALLS == []
    assert all(r.ran == 0 for r in done.reuse)
    assert rows(tmp_path, "first") == rows(tmp_path, "second")
    traces = [
        [(s["name"], s["place"], s["seconds"], s["facts"]) for s in json.loads(line)["spans"]]
        for name in ("first", "second")
        for line in (tmp_path / name / "trace.jsonl").read_text().splitlines()[:1]
    ]
    assert traces[0] == traces[1]
    assert len(traces[0]) == 3


@pytest.mark.parametrize(
    ("changed", "calls", "why"),
    [
        ({"cut": 2}, {"reranker", "reader"}, "k: 3 -> 2"),
        ({"k": 4}, {"retriever", "reranker", "reader"}, "k: 5 -> 4"),
    ],
)
def test_a_change_runs_its_stage_and_all_that_follow(data, tmp_path, changed, calls, why):
    go(pipe(), data, tmp_path, "first")
    done = go(pipe(**changed), data, tmp_path, "second")
    assert set(CALLS) == calls
    assert why in done.reuse[-1].why
    go(pipe(**changed), data, tmp_path, "plain", cache=None)
    assert rows(tmp_path, "second") == rows(tmp_path, "plain")


def test_more_questions_run_alone_and_failed_ones_are_asked_again(data, tmp_path):
    go(pipe(fails=("q0-1",)), data, tmp_path, "first", limit=5)
    done = go(pipe(fails=("q0-1",)), data, tmp_path, "second", limit=8)
    assert CALLS.count("retriever") == 3 * EACH
    assert CALLS.count("reader") == 4
    assert done.failed == ("q0-1",)
    assert done.reuse[0].why == "questions or budgets that were not asked before"


def test_other_documents_share_nothing(data, tmp_path, folder):
    from evals.datasets import load

    other = tmp_path / "other"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    with (other / "corpus.jsonl").open("a") as out:
        out.write(json.dumps({"id": "new", "text": "One more fact about the lease.\n"}) + "\n")
    go(pipe(), data, tmp_path, "first")
    done = go(pipe(), load(other), tmp_path, "second")
    assert [r.reused for r in done.reuse] == [0, 0, 0]
    assert done.reuse[0].why == "other documents"


def test_what_would_not_come_back_equal_is_not_kept(data, tmp_path):
    first = go(pipe(odd=True), data, tmp_path, "first")
    assert [r.unkept > 0 for r in first.reuse] == [False, True, True]  # the answer holds its context
    go(pipe(odd=True), data, tmp_path, "second")
    assert set(CALLS) == {"reranker", "reader"}
    assert rows(tmp_path, "first") == rows(tmp_path, "second")


def test_damaged_values_are_made_again_and_a_damaged_file_is_named(data, tmp_path):
    go(pipe(), data, tmp_path, "first")
    cache = StageCache(tmp_path / "cache")
    cache._ask("UPDATE kept SET value = ?", (b"oops",))
    cache.close()
    done = go(pipe(), data, tmp_path, "second")
    assert [r.reused for r in done.reuse] == [0, 0, 0]
    assert rows(tmp_path, "first") == rows(tmp_path, "second")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "stages.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DataError, match=r"stages.sqlite: cannot be opened as a cache"):
        StageCache(bad)


TEXT = "One two three four five six seven."
TREE = flat(Document("d", TEXT), [(0, 8), (8, 20), (20, len(TEXT))])
NUMBER = st.floats(allow_nan=False) | st.integers(-5, 5)
NOTE = st.recursive(
    st.none() | st.booleans() | NUMBER | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner) | st.tuples(inner, inner),
    max_leaves=6,
)
HIT = st.builds(
    Hit,
    st.just(TREE),
    st.integers(0, 3),
    st.just(((1, 3), (4, 9))) | st.just(()),
    st.floats(allow_nan=False),
    st.dictionaries(st.text(max_size=4), st.floats(allow_nan=False), max_size=3),
    st.text(max_size=5),
)
QUERY = Query("q", "what", ("d",), {"lang": "en"}, ("before",), 64)
HITS = st.builds(
    Hits,
    st.just(QUERY) | st.just(replace(QUERY, text="rewritten")),
    st.lists(HIT, max_size=4).map(tuple),
    st.lists(st.builds(Drop, HIT, st.text(max_size=4), st.text(max_size=4)), max_size=3).map(tuple),
    st.none() | st.integers(0, 9),
    st.dictionaries(st.text(max_size=3), NOTE, max_size=2),
)
ANSWER = st.builds(
    Answer,
    st.just(QUERY),
    st.text(max_size=9),
    st.sampled_from(["answered", "abstained"]),
    st.lists(st.just(Citation("d", 0, 3, "One")), max_size=2).map(tuple),
    st.none() | HITS,
    st.none() | st.floats(0, 1),
    st.dictionaries(st.text(max_size=4), NUMBER, max_size=2),
    st.floats(0, 9),
    st.dictionaries(st.text(max_size=3), NOTE, max_size=2),
)


@given(HITS | ANSWER)
def test_values_come_back_equal(value):
    spans = [TraceSpan("a", "stages[0]", -1, 0.0, 0.5, {"items_in": 1})]
    raw = pack(value, spans, QUERY, {"d": TREE}.__getitem__)
    assert raw is not None
    assert unpack(raw, QUERY, {"d": TREE}.__getitem__) == (value, spans)


def test_a_hit_of_another_tree_or_a_score_that_is_no_number_is_not_packed():
    other = flat(Document("d", TEXT), [(0, 5), (5, len(TEXT))])
    hits = Hits(QUERY, (Hit(other, 1, ((0, 5),), 1.0),))
    assert pack(hits, [], QUERY, {"d": TREE}.__getitem__) is None
    assert pack(hits, [], QUERY, {}.__getitem__) is None
    nan = Hits(QUERY, (Hit(TREE, 1, ((0, 8),), float("nan")),))
    assert pack(nan, [], QUERY, {"d": TREE}.__getitem__) is None
