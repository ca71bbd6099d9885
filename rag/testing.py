"""Checks that every stage passes, ours or another package's.

    from rag.testing import check_stage

    def test_my_reranker_keeps_the_contract():
        check_stage(MyReranker(k=3), hits=example_hits())

Each check raises AssertionError with one line that says what is broken.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from rag import config, registry
from rag.doctree import DocTree
from rag.pipeline import bound, kind_of, retrievers_of
from rag.stage import apply
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Answer, Document, Hits, Query

__all__ = ["check_settings", "check_stage", "example_documents", "example_queries", "indexed"]

TEXT = """# The harbour

The harbour of Vell was dredged in 1904 by the engineer Ada Lind. It is 12 metres deep.

## Opening hours

The office opens at 08:30. Ships over 90 metres must book a pilot two days ahead.

| berth | depth |
| --- | --- |
| A | 9 m |
| B | 12 m |

## History

A storm broke the outer wall in 1911. The wall was rebuilt in granite by 1913 — at twice the cost. 港は静かだ。
"""


def example_documents() -> tuple[Document, ...]:
    """Three small documents: Markdown, a plain text without an end of line, and an empty one."""
    return (
        Document("harbour.md", TEXT, "The harbour", "text/markdown", metadata={"lang": "en"}),
        Document(
            "note.txt", "Berth B is 12 metres deep.\r\nIt takes large ships. 🚢 Ask the pilot!", metadata={"lang": "en"}
        ),
        Document("empty.txt", ""),
    )


def example_queries() -> tuple[Query, ...]:
    """Questions with and without an answer in the documents, scoped, filtered and budgeted."""
    return (
        Query("q1", "Who dredged the harbour of Vell?"),
        Query("q2", "How deep is berth B?", scope=("note.txt",)),
        Query("q3", "When does the office open?", filters={"lang": "en"}, budget=60),
        Query("q4", "What is the capital of Mongolia?"),
        Query("q5", "harbour", scope=()),
    )


def indexed(chunker: Any, retriever: Any, documents: Sequence[Document] | None = None) -> Any:
    """The retriever, bound to an index in memory over the documents' chunks."""
    store = in_memory([chunker(one) for one in (example_documents() if documents is None else documents)])
    for one in retrievers_of(retriever):
        one.build(store.corpus, store.part(part_key(one)))
    return bound(retriever, store)


def check_settings(step: Any) -> None:
    """The settings are fixed, survive YAML and pickling, and compare by value."""
    name = type(step).__name__
    cls = type(step)
    assert cls.__doc__, f"{name}: has no docstring"
    again = pickle.loads(pickle.dumps(step))  # noqa: S301 - made on the line itself
    assert again == step, f"{name}: a pickled copy differs"
    assert replace(step) == step, f"{name}: dataclasses.replace gives another stage"
    assert copy.copy(step) == step, f"{name}: a copy differs"
    field = next(iter(step.__dataclass_fields__), None)
    if field is not None:
        try:
            setattr(step, field, getattr(step, field))
        except AttributeError:
            pass
        else:
            raise AssertionError(f"{name}: settings can be changed in place; use @stage")
    if ":" not in registry.name_of(cls):
        assert config.rebuilt(step) == step, f"{name}: differs after a round trip through YAML"


def check_stage(step: Any, *, trees: Iterable[DocTree] = (), hits: Sequence[Hits] = ()) -> None:
    """All that holds for a stage of its kind, on the example documents and questions.

    Args:
        step: the stage; a retriever must be bound (`indexed`).
        trees: for growers.
        hits: for rerankers, compressors and readers: what a retriever gave for `example_queries`.
    """
    check_settings(step)
    kind = kind_of(step)
    inputs: list[Any]
    if kind == "chunker":
        inputs = list(example_documents())
    elif kind == "grower":
        inputs = list(trees)
    elif kind == "retriever":
        inputs = list(example_queries())
    else:
        inputs = [*hits, Hits(example_queries()[0])]
    assert inputs, f"{type(step).__name__}: nothing to check it on"
    frozen = pickle.dumps(inputs)
    first = [step(one) for one in inputs]
    assert pickle.dumps(inputs) == frozen, f"{type(step).__name__}: changed its input"
    assert [step(one) for one in inputs] == first, f"{type(step).__name__}: the same input gave another output"
    assert apply(step, inputs) == first, f"{type(step).__name__}: batch and loop disagree"
    assert apply(step, inputs[::-1]) == first[::-1], f"{type(step).__name__}: order of a batch matters"
    for given, made in zip(inputs, first, strict=True):
        _CHECKS[kind](type(step).__name__, step, given, made)


def _chunker(name: str, step: Any, given: Document, made: DocTree) -> None:
    assert made.document == given, f"{name}: the tree is not of the document it was given"
    made.check(overlap=bool(getattr(step, "overlap", 0)))


def _grower(name: str, _step: Any, given: DocTree, made: DocTree) -> None:
    before = [(leaf.start, leaf.end) for leaf in given.leaves()]
    assert [(leaf.start, leaf.end) for leaf in made.leaves()] == before, f"{name}: moved a leaf"


def _spans(name: str, hits: Hits) -> None:
    for hit in hits:
        size = len(hit.document.text)
        ends = [point for span in hit.spans for point in span]
        assert ends, f"{name}: a hit without a span"
        assert min(ends) >= 0, f"{name}: a span before its document"
        assert max(ends) <= size, f"{name}: a span behind its document"
        assert ends == sorted(ends), f"{name}: spans of a hit overlap or are out of order"
        assert all(start < end for start, end in hit.spans), f"{name}: an empty span"


def _retriever(name: str, step: Any, given: Query, made: Hits) -> None:
    _spans(name, made)
    assert made.query == given, f"{name}: changed the question"
    scores = [hit.score for hit in made]
    assert scores == sorted(scores, reverse=True), f"{name}: hits are not best first"
    for hit in made:
        assert given.allows(hit.doc, hit.document.metadata), f"{name}: a hit out of the question's scope"
    assert len({hit.key for hit in made}) == len(made), f"{name}: a hit twice"
    assert len(made) <= getattr(step, "k", len(made)), f"{name}: more than k hits"


def _reranker(name: str, _step: Any, given: Hits, made: Hits) -> None:
    _spans(name, made)
    before, after = {hit.key: hit.spans for hit in given}, [hit.key for hit in made]
    assert len(set(after)) == len(after), f"{name}: a hit twice"
    assert all(hit.key in before and hit.spans == before[hit.key] for hit in made), f"{name}: invented a hit"
    lost = set(before) - set(after)
    explained = {drop.hit.key for drop in made.drops if drop.reason}
    assert lost <= explained, f"{name}: left out {len(lost - explained)} hits without a reason"


def _compressor(name: str, step: Any, given: Hits, made: Hits) -> None:
    _spans(name, made)
    inside = {hit.doc: [s for other in given if other.doc == hit.doc for s in other.spans] for hit in given}
    for hit in made:
        for start, end in hit.spans:
            covered = {i for a, b in inside.get(hit.doc, []) for i in range(max(a, start), min(b, end))}
            assert len(covered) == end - start, f"{name}: kept text that was not in its input"
    budget = given.query.budget if given.query.budget is not None else getattr(step, "budget", None)
    if budget is not None:
        assert made.tokens is not None, f"{name}: did not count its tokens"
        assert made.tokens <= budget, f"{name}: {made.tokens} tokens over a budget of {budget}"


def _reader(name: str, _step: Any, given: Hits, made: Answer) -> None:
    assert made.status in {"answered", "abstained"}, f"{name}: status {made.status!r}"
    assert bool(made.text.strip()) == (made.status == "answered"), f"{name}: text and status disagree"
    texts = {hit.doc: hit.document.text for hit in given}
    for quoted in made.citations:
        assert texts.get(quoted.doc, "")[quoted.start : quoted.end] == quoted.quote, f"{name}: a citation is no slice"
    if not given.items:
        assert made.status == "abstained", f"{name}: answered from no evidence"


_CHECKS: dict[str, Any] = {
    "chunker": _chunker,
    "grower": _grower,
    "retriever": _retriever,
    "reranker": _reranker,
    "compressor": _compressor,
    "reader": _reader,
}
