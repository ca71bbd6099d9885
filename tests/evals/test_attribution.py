"""A failure planted in a stage is blamed on that stage."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from small_stages import First, Lines, Words

from compressors.extract import Extract
from evals import run as runs
from evals.attribution import Loss, Passed, lost, outcome, waterfall
from evals.datasets import load
from evals.runfolder import lines
from rag.doctree import DocTree, flat
from rag.errors import RagError
from rag.pipeline import Pipeline
from rag.stage import Field, stage
from rag.types import Document, Hits, Query

GOLD = {}  # question -> (doc, start, end); filled by the fixture


@pytest.fixture(autouse=True)
def gold(data):
    GOLD.clear()
    GOLD.update({item.id: item.spans[0] for item in data.items})


@stage
class CutThrough:
    """Lines, but every gold span is cut in its middle."""

    def __call__(self, document: Document, /) -> DocTree:
        cuts = {0, len(document.text)} | {i + 1 for i, c in enumerate(document.text) if c == "\n"}
        cuts |= {(s.start + s.end) // 2 for s in GOLD.values() if s.doc == document.id}
        at = sorted(cuts)
        return flat(document, list(pairwise(at)))


@stage
class Blind:
    """Words, without the gold leaf."""

    k: int = Field(default=5)
    shapes_index = ()

    def build(self, corpus, part, /):
        part.save_json("size", len(corpus))

    def bind(self, store, /):
        copy = Blind(k=self.k)
        copy.__dict__["inner"] = Words(k=self.k).bind(store)
        return copy

    def __call__(self, query: Query, /) -> Hits:
        hits = self.__dict__["inner"](query)
        return replace(hits, items=tuple(h for h in hits if not holds(h, query.id)))


@stage
class Forget:
    """Drop the gold hit."""

    def __call__(self, hits: Hits, /) -> Hits:
        return replace(hits, items=tuple(h for h in hits if not holds(h, hits.query.id)))


def holds(hit, query):
    doc, start, end = GOLD[query]
    return hit.doc == doc and hit.start <= start and end <= hit.end


def outcomes(pipeline, data, tmp_path, metrics="EM", **options):
    runs.run(pipeline, data, tmp_path / "run", metrics=metrics, **options)
    return list(lines(tmp_path / "run" / "perquery.jsonl"))


PLANTED = {
    "answered": Pipeline(chunker=Lines(), stages=(Words(), First())),
    "cut by the chunker": Pipeline(chunker=CutThrough(), stages=(Words(k=1), First())),
    "not retrieved": Pipeline(chunker=Lines(), stages=(Blind(), First())),
    "dropped": Pipeline(chunker=Lines(), stages=(Words(), Forget(), First())),
    "over budget": Pipeline(chunker=Lines(), stages=(Words(), Extract(budget=12), First())),
    "not answered": Pipeline(chunker=Lines(), stages=(Words(), First(silent=True))),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_failure_is_blamed_on_its_stage(planted, data, tmp_path):
    records = outcomes(PLANTED[planted], data, tmp_path)
    found = waterfall(records, data)
    assert found.questions == 40
    assert found.counts.get(planted, 0) >= 0.99 * 40


def test_a_document_that_is_not_in_the_index_is_not_loaded(data, tmp_path, pipeline):
    kept = [Document(doc, data.text(doc)) for doc in data.places if doc not in {"d1", "d2"}]
    found = waterfall(outcomes(pipeline, data, tmp_path, index=pipeline.index(kept)), data)
    assert found.counts == {"not loaded": 20, "answered": 20}
    assert all(stage == "loader" for _, stage in found.stages)


def test_whole_hits_that_do_not_fit_are_over_budget(data, tmp_path, pipeline):
    records = outcomes(pipeline, data, tmp_path, metrics="SpanR@4tok,SpanR@99tok")
    assert waterfall(records, data, budget=4).counts == {"over budget": 40}
    assert waterfall(records, data, budget=99).counts == {"in context": 40}


def test_failures_planted_at_random_in_two_stages_are_told_apart(data, tmp_path):
    rng = random.Random(0)
    here = {q: rng.choice(["reader", "reranker", "none"]) for q in GOLD}

    @stage
    class Sometimes:
        def __call__(self, hits: Hits, /) -> Hits:
            return Forget()(hits) if here[hits.query.id] == "reranker" else hits

    fails = tuple(q for q, where in here.items() if where == "reader")
    pipe = Pipeline(chunker=Lines(), stages=(Words(), Sometimes(), First(fails=fails)))
    found = waterfall(outcomes(pipe, data, tmp_path), data)
    assert set(found.ids["dropped"]) == {q for q, where in here.items() if where == "reranker"}
    assert set(found.ids["failed"]) == set(fails)
    assert sum(found.counts.values()) == 40


def test_the_waterfall_ends_with_what_is_left(data, tmp_path):
    pipe = PLANTED["dropped"]
    found = waterfall(outcomes(pipe, data, tmp_path), data)
    assert found.steps() == [("dropped", 40, 0)]
    assert found.json()["stages"][0]["questions"] == 40


def step(place, kind, *spans):
    return Passed(place, f"{kind}s/x", kind, spans)


TEXT = {"d": "abcdefghij" * 3}


def blame(gold, *steps, whole=True, text=TEXT.get, lifted=None):
    return lost(gold, steps, text, lambda _: whole, lifted)


def test_evidence_that_comes_back_is_not_lost():
    gold = [("d", 0, 5)]
    assert (
        blame(gold, step("0", "retriever", ("d", 0, 9)), step("1", "reranker"), step("2", "compressor", ("d", 0, 5)))
        is None
    )


def test_the_stage_after_which_it_is_never_held_again_is_blamed():
    gold = [("d", 0, 5)]
    found = blame(gold, step("0", "retriever"), step("1", "reranker", ("d", 0, 9)), step("2", "reranker", ("d", 0, 3)))
    assert found == Loss("dropped", "2", "rerankers/x", (0,))


def test_the_earliest_stage_is_blamed_when_spans_went_in_several():
    gold = [("d", 0, 5), ("d", 10, 15)]
    found = blame(gold, step("0", "retriever", ("d", 0, 9)), step("1", "reranker"))
    assert found == Loss("not retrieved", "0", "retrievers/x", (1,))


def test_a_compressor_is_over_budget_only_when_a_larger_one_would_help():
    gold = [("d", 0, 5)]
    steps = (step("0", "retriever", ("d", 0, 9)), step("1", "compressor"))
    assert blame(gold, *steps, lifted=lambda _: [("d", 0, 9)]).why == "over budget"
    assert blame(gold, *steps, lifted=lambda _: []).why == "compressed away"


def test_a_text_that_ends_before_the_span_was_not_loaded():
    assert blame([("d", 28, 40)], step("0", "retriever")).why == "not loaded"
    assert blame([("e", 0, 4)], step("0", "retriever")).why == "not loaded"


def test_a_question_without_gold_has_no_outcome(data):
    item = replace(data.items[0], spans=())
    assert outcome({"failed": None}, item) is None


def test_an_error_of_the_reader_is_a_failure_and_not_a_loss(failing, data, tmp_path):
    with pytest.raises(RagError):
        failing("q0-0").index([data.corpus]).ask(data.items[0].query())
    found = waterfall(outcomes(failing("q0-0"), data, tmp_path), data)
    assert found.ids["failed"] == ("q0-0",)


def test_attribution_is_off_without_spans(folder, tmp_path, pipeline):
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    data = load(tmp_path)
    assert waterfall(outcomes(pipeline, data, tmp_path), data).questions == 0
