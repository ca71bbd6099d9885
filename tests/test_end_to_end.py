"""The recipes with their real models on a real manual: exact citations, honest silence, one pipeline in two spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

import evals
import rag
from chunkers.structure import StructureChunker
from compressors.extract import Extract
from rag.readers.extractive import Extractive
from rag.readers.stuff import Stuff
from rag.registry import find
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

pytestmark = pytest.mark.model

DOCS = [
    Path(evals.__path__[0]) / "samples" / "manual" / "docs" / f"ch0{name}.md"
    for name in ("4-01-what-is-ownership", "6-02-match")
]
ASKED = ("What happens when the owner goes out of scope?", "What does the match expression compare a value against?")
NO_ANSWER = "In which year did the city of Ulan Bator host the chess olympiad?"


def python_spelling(name: str) -> rag.Pipeline:
    """The recipes as they read in Python."""
    ranked = (Hybrid(retrievers=(BM25(k=100), Dense(k=100)), k=40), CrossEncoder(k=10))
    if name == "quickstart":
        tail: tuple[object, ...] = (Extract(budget=1000), Extractive())
    else:
        reader = Stuff(llm=find("llms/embedded")(), form="plain", support=0.8, threshold=0.0, max_tokens=64)
        tail = (Extract(budget=400), reader)
    return rag.Pipeline(chunker=StructureChunker(), stages=(*ranked, *tail))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["quickstart", "quickstart-llm"])
def test_yaml_and_python_are_one_pipeline_with_one_answer(name: str, tmp_path: Path) -> None:
    if name == "quickstart-llm":
        pytest.importorskip("xllamacpp")
    recipe, spelled = rag.load(name), python_spelling(name)
    assert recipe == spelled
    (tmp_path / "pipeline.yaml").write_text(rag.dump(recipe))
    assert rag.load(tmp_path / "pipeline.yaml") == recipe
    one = recipe.index(DOCS, tmp_path / "index")
    other = spelled.index(DOCS)
    for question in (ASKED[0], NO_ANSWER):
        first, second = one.ask(question), other.ask(question)
        assert (first.text, first.status, first.citations) == (second.text, second.status, second.citations)
        assert first.context is not None
        assert second.context is not None
        assert first.context.spans() == second.context.spans()
        assert all(one.verify(cited) for cited in first.citations)


def test_quickstart_answers_with_slices_of_the_files_and_keeps_its_budget(tmp_path: Path) -> None:
    index = rag.load("quickstart").index(DOCS, tmp_path / "index")
    texts = {path.name: path.read_bytes().decode() for path in DOCS}
    for question in ASKED:
        answer = rag.open(tmp_path / "index").ask(question)
        assert answer.status == "answered"
        assert answer.citations
        for cited in answer.citations:
            assert texts[cited.doc][cited.start : cited.end] == cited.quote
        assert answer.context is not None
        assert answer.context.tokens is not None
        assert answer.context.tokens <= 1000
        assert [span.name for span in answer.trace if span.parent < 0] == [
            "retrievers/hybrid",
            "rerankers/cross-encoder",
            "compressors/extract",
            "readers/extractive",
        ]
    silent = index.ask(NO_ANSWER)
    assert (silent.status, silent.text, silent.citations) == ("abstained", "", ())


def test_changing_one_document_of_many_embeds_only_that_one(tmp_path: Path) -> None:
    texts = {f"{i:03}": f"Berth {i} is {i % 17} metres deep and takes ships of class {i % 5}." for i in range(200)}
    pipe = rag.Pipeline(chunker=StructureChunker(), stages=(Dense(),))
    documents = [rag.Document(doc, text) for doc, text in texts.items()]
    pipe.index(documents, tmp_path / "index")
    documents[7] = rag.Document("007", "The pilot house was painted green in 1931.")
    report = pipe.index(documents, tmp_path / "index").report
    assert report is not None
    assert (report.changed, report.new_leaves, report.unchanged) == (("007",), 1, 199)
    index = rag.open(tmp_path / "index")
    context = index.ask("When was the pilot house painted?").context
    assert context is not None
    assert context[0].doc == "007"
    left = index.delete("007").ask("When was the pilot house painted?").context
    assert left is not None
    assert "007" not in {hit.doc for hit in left}
