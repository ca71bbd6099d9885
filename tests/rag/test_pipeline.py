from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import pytest

from rag import trace
from rag.doctree import DocTree, flat
from rag.errors import ConfigError, StageError
from rag.pipeline import Pipeline, bound, kind_of, retrievers_of
from rag.stage import Field, stage
from rag.store.corpus import Corpus, Part, Store, in_memory
from rag.types import Answer, Document, Failed, Hits, Query

DOCUMENTS = [Document("a", "red apple"), Document("b", "green pear"), Document("c", "blue plum")]


@stage
class Whole:
    """One leaf a document."""

    def __call__(self, document: Document, /) -> DocTree:
        return flat(document, [(0, len(document.text))])


@stage
class Words:
    """Score leaves by words shared with the question; enough of a retriever for these tests."""

    k: int = Field(default=10, ge=1)
    shapes_index: ClassVar[tuple[str, ...]] = ()

    def build(self, corpus: Corpus, part: Part, /) -> None:
        part.save_json("texts", list(corpus.texts()))

    def bind(self, store: Store, /) -> Words:
        ready = replace(self)
        ready.__dict__["_store"] = store
        return ready

    def __call__(self, query: Query, /) -> Hits:
        store = self.__dict__["_store"]
        texts = store.part("words").load_json("texts")
        scores = [len(set(text.split()) & set(query.text.split())) for text in texts]
        best = sorted(range(len(texts)), key=lambda i: (-scores[i], i))[: self.k]
        return Hits(query, tuple(store.corpus.hit(i, float(scores[i]), "words") for i in best if scores[i]))


@stage
class Keep:
    """The first hits."""

    k: int = 1

    def __call__(self, hits: Hits, /) -> Hits:
        return replace(hits, items=hits.items[: self.k])


@stage
class Say:
    """The first hit's text."""

    def __call__(self, hits: Hits, /) -> Answer:
        return Answer(hits.query, hits[0].text if len(hits) else "", "answered" if len(hits) else "abstained")


@stage
class Break:
    """Fails on one question."""

    def __call__(self, hits: Hits, /) -> Hits:
        if "pear" in hits.query.text:
            raise ValueError("no pears\nsecond line")
        return hits


@stage
class Either:
    """Holds two retrievers."""

    both: tuple[Words, ...] = (Words(k=1), Words(k=2))

    def __call__(self, query: Query, /) -> Hits:
        return self.both[1](query)


def ready(*stages: object) -> Pipeline:
    store = in_memory([Whole()(d) for d in DOCUMENTS])
    pipe = Pipeline(chunker=Whole(), stages=stages)  # type: ignore[arg-type]
    retrievers_of(pipe)[0].build(store.corpus, store.part("words"))
    return bound(pipe, store)  # type: ignore[no-any-return]


def test_stages_run_in_a_row() -> None:
    answer = ready(Words(), Keep(), Say())(Query("q", "a green thing"))
    assert (answer.text, answer.status) == ("green pear", "answered")


def test_a_pipeline_without_a_reader_gives_hits_and_stands_where_a_retriever_can() -> None:
    inner = ready(Words(), Keep(k=2))
    assert [h.doc for h in inner(Query("q", "red green blue"))] == ["a", "b"]
    outer = Pipeline(stages=(inner, Keep(k=1), Say()))
    assert outer(Query("q", "red green blue")).text == "red apple"


def test_retrievers_are_found_and_bound_at_any_depth() -> None:
    pipe = ready(Either(), Keep())
    assert [r.k for r in retrievers_of(pipe)] == [1, 2]  # type: ignore[attr-defined]
    assert pipe(Query("q", "blue")).items[0].doc == "c"


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((Keep(),), r"stages\[0\] .*must be a retriever, got a reranker"),
        ((Words(), Say(), Keep()), r"stages\[1\] .*got a reader; a reader ends the row"),
        ((Words(), Whole()), r"stages\[1\] .*got a chunker"),
    ],
)
def test_a_join_that_cannot_work_is_refused_when_the_pipeline_is_built(
    stages: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Pipeline(stages=stages)  # type: ignore[arg-type]


def test_a_stage_whose_kind_cannot_be_told_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot tell its kind"):
        kind_of(object())


def test_a_failing_stage_is_named_with_place_and_question() -> None:
    with pytest.raises(StageError, match=r"^stages\[1\] \(.*Break\): item 'q9': ValueError: no pears$") as caught:
        ready(Words(), Break(), Say())(Query("q9", "pear"))
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_bad_question_never_sinks_a_batch(workers: int) -> None:
    questions = [Query("1", "red"), Query("2", "pear"), Query("3", "blue")]
    values = list(ready(Words(), Break(), Say()).batch(questions, workers=workers))
    assert [getattr(v, "text", None) for v in values] == ["red apple", None, "blue plum"]
    assert isinstance(values[1], Failed)
    assert values[1].id == "2"


def test_a_batch_reads_its_questions_lazily() -> None:
    def endless() -> Iterator[Query]:
        while True:
            yield Query("q", "red")

    assert next(ready(Words(), Say()).batch(endless(), workers=2)).text == "red apple"


def test_the_trace_counts_what_went_in_and_out() -> None:
    with trace.record() as spans:
        ready(Words(), Keep(), Say())(Query("q", "red green"))
    assert [(s.place, s.facts["items_in"], s.facts["items_out"]) for s in spans] == [
        ("stages[0]", 1, 2),
        ("stages[1]", 2, 1),
        ("stages[2]", 1, 1),
    ]


def test_ask_always_gives_an_answer_with_its_trace() -> None:
    found = ready(Words(), Keep()).ask(Query("q", "green"))
    assert (found.status, found.text) == ("retrieved", "")
    assert found.context is not None
    assert [h.doc for h in found.context] == ["b"]
    assert len(found.trace) == 2
    assert found.seconds > 0


def test_steps_show_the_value_after_every_stage() -> None:
    seen = [
        (place, len(v) if isinstance(v, Hits) else v.text)
        for place, _, v in ready(Words(), Keep(), Say()).steps(Query("q", "red green"))
    ]
    assert seen == [("stages[0]", 2), ("stages[1]", 1), ("stages[2]", "red apple")]
